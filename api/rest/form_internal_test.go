package rest

import (
	"slices"
	"testing"

	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/stat"
)

func TestForm_HasValuesThatTheReferenceHasSeen(t *testing.T) {
	h, err := stat.NewHistogram(stat.Edges([]float64{1, 2, 2, 3}, 10))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{1, 2, 2, 3} {
		h.Add(v)
	}
	var number FormInput
	number.fill(&monitor.Feature{Name: "hr", Histogram: h})
	if number.Typical != 2.0 || *number.Least != 1 || *number.Greatest != 3 {
		t.Errorf("%+v", number)
	}
	c, err := stat.NewCategories([]string{"JFK", "LGA"})
	if err != nil {
		t.Fatal(err)
	}
	var text FormInput
	text.fill(&monitor.Feature{Name: "origin", Categories: c})
	if text.Typical != "JFK" || !slices.Equal(text.Categories, []string{"JFK", "LGA"}) || text.Least != nil {
		t.Errorf("%+v", text)
	}
	var never FormInput
	never.fill(&monitor.Feature{Name: "gone", Histogram: &stat.Histogram{}})
	if never.Typical != nil || never.Least != nil {
		t.Errorf("%+v", never)
	}
}
