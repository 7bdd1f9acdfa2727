package rest

import (
	"context"
	"math"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/store"
)

// Form is what a version takes and gives, for people who want to try it.
type Form struct {
	Endpoint string         `json:"endpoint"`
	Version  int64          `json:"version"`
	Role     string         `json:"role"`
	Tensor   string         `json:"tensor,omitempty" doc:"the name of the one tensor that it was logged with, whose columns the inputs are"`
	Inputs   []FormInput    `json:"inputs"`
	Outputs  []engine.Field `json:"outputs"`
	Seen     int            `json:"seen" doc:"rows of the reference that the values come from; 0: there is none"`
}

// FormInput is one input and what the version's reference has seen of it.
type FormInput struct {
	engine.Field
	Typical    any      `json:"typical,omitempty" doc:"a value about the median, or the most frequent text"`
	Least      *float64 `json:"least,omitempty"`
	Greatest   *float64 `json:"greatest,omitempty"`
	Categories []string `json:"categories,omitempty" doc:"the most frequent first"`
}

// form describes the inputs of the endpoint's live version, or of the one asked for.
func (a *API) form(ctx context.Context, p fairlead.Project, in *struct {
	EndpointInput
	Version int64 `query:"version" minimum:"1" doc:"one of the endpoint's; without it the live one"`
}) (out Form, err error) {
	name, err := a.fullName(ctx, p, in.Endpoint)
	if err != nil {
		return out, err
	}
	loaded, err := a.Serving.Describe(ctx, p, name, in.Version)
	if err != nil {
		return out, err
	}
	v := loaded[0]
	ref, err := read(ctx, a, func(tx *store.Tx) (*monitor.Reference, error) {
		return a.Monitor.Reference(tx, p, v.Model, v.Version)
	})
	if err != nil {
		return out, err
	}
	sig := v.Manifest.Signature
	out = Form{Endpoint: v.Endpoint, Version: v.Version, Role: v.Role, Tensor: sig.Tensor,
		Inputs: make([]FormInput, len(sig.Inputs)), Outputs: sig.Outputs}
	if ref != nil {
		out.Seen = ref.Rows
	}
	for i, field := range sig.Inputs {
		out.Inputs[i] = FormInput{Field: field}
		if f := ref.Feature(field.Name); f != nil {
			out.Inputs[i].fill(f)
		}
	}
	return out, nil
}

func (in *FormInput) fill(f *monitor.Feature) {
	if c := f.Categories; c != nil {
		in.Categories = c.Names
		if len(c.Names) > 0 {
			in.Typical = c.Names[0]
		}
		return
	}
	edges := f.Histogram.Edges
	if len(edges) == 0 {
		return
	}
	in.Least, in.Greatest = &edges[0], &edges[len(edges)-1]
	if v := f.Histogram.Middle(); !math.IsNaN(v) {
		in.Typical = v
	}
}
