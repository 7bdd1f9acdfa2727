package data_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
)

func TestReadOutline_TellsWhatAColumnCanBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	text := "id;at;x;ok\n1;2024-01-01;0.5;true\n2;2024-01-02 10:00;NA;false\n3;2024-01-02;0.5;true\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := data.ReadOutline(path, "a.csv")
	if err != nil {
		t.Fatal(err)
	}
	want := &data.Outline{Rows: 3, Columns: []data.OutlineColumn{{"id", data.Long, true, true},
		{"at", data.Datetime, true, true}, {"x", data.Double, false, false},
		{"ok", data.Boolean, true, false}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("ReadOutline = %+v, want %+v", got, want)
	}
}

func TestReadOutline_RefusesWhatIngestRefuses(t *testing.T) {
	for text, name := range map[string]string{"": "empty", "1,2\n3,4\n": "no header",
		"a,b\n1\n": "a short row"} {
		path := filepath.Join(t.TempDir(), "a.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := data.ReadOutline(path, "a.csv"); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
