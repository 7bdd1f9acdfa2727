package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// VersionFacts is what all stages know about a version. What is not there is left out.
type VersionFacts struct {
	Version  *ModelVersion         `json:"version"`
	Run      *Run                  `json:"run,omitempty" doc:"that it was made by; deleted ones too"`
	Pipeline *pipeline.Run         `json:"pipeline,omitempty" doc:"without its tries"`
	Cases    []*loop.Case          `json:"cases" doc:"that were about it, the newest first"`
	Data     []DataFacts           `json:"data" doc:"the dataset versions it was made from"`
	Files    *registry.Description `json:"files,omitempty" doc:"what its MLmodel file says"`
	Package  *engine.Manifest      `json:"package,omitempty" doc:"what is served"`
	Decision *gate.Record          `json:"decision,omitempty" doc:"the newest"`
	Evidence gate.Facts            `json:"evidence,omitempty" doc:"all facts that it was made on"`
}

// Fact is the JSON form of one of gate.Facts.
type Fact struct {
	Type  string `json:"type" enum:"double,int,string,bool,timestamp"`
	Value any    `json:"value" doc:"a double that JSON cannot write is the text NaN, +Inf or -Inf"`
}

// DataFacts is a dataset version without its columns.
type DataFacts struct {
	data.Ref
	Rows    int64  `json:"rows"`
	Columns int    `json:"columns"`
	Bytes   int64  `json:"bytes"`
	Digest  string `json:"digest"`
	Source  string `json:"source" doc:"file, requests, split, holdout or upload"`
	FromMS  int64  `json:"from_ms,omitempty" doc:"of the oldest row, in the data's own time"`
	ToMS    int64  `json:"to_ms,omitempty"`
}

// maxFactsCases is how many cases of a version are told.
const maxFactsCases = 20

func (a *API) factsOperations() {
	register(a, op{id: "get-version-facts", method: "GET",
		path:    "/models/{model}/versions/{version}/facts",
		summary: "What all stages know about a version: run, data, signature, package, gate",
		may:     auth.Read}, a.versionFacts)
	register(a, op{id: "get-version-card", method: "GET",
		path:    "/models/{model}/versions/{version}/card",
		summary: "The model card of a version, in Markdown", may: auth.Read}, a.versionCard)
}

func (a *API) versionFacts(ctx context.Context, p fairlead.Project, in *VersionInput) (
	*VersionFacts, error) {
	out := &VersionFacts{Data: []DataFacts{}, Cases: []*loop.Case{}}
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if out.Version, err = a.wholeVersion(tx, p, in.Model, in.Version); err != nil {
			return err
		}
		cases, err := a.Loop.OfVersion(tx, p, in.Model, in.Version, maxFactsCases)
		out.Cases = append(out.Cases, cases...)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, learn := range []func(context.Context, fairlead.Project, *VersionFacts) error{
		a.runOf, a.pipelineOf, a.dataOf, a.filesOf, a.packageOf, a.decisionOf,
	} {
		if err := known(learn(ctx, p, out)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// known is nil for what is not there, any more or yet.
func known(err error) error {
	if fairlead.Is(err, fairlead.NotFound) {
		return nil
	}
	return err
}

func (a *API) runOf(ctx context.Context, p fairlead.Project, f *VersionFacts) error {
	if f.Version.RunID == "" {
		return nil
	}
	r, err := a.Tracking.Run(ctx, p, f.Version.RunID)
	if err != nil {
		return err
	}
	run := newRun(r)
	f.Run = &run
	return nil
}

func (a *API) pipelineOf(ctx context.Context, p fairlead.Project, f *VersionFacts) (err error) {
	id := f.Version.ProducedBy.PipelineRun
	if id == "" {
		return nil
	}
	if f.Pipeline, err = a.Pipeline.Get(ctx, p, id); err == nil {
		f.Pipeline.Tries = nil
	}
	return err
}

func (a *API) dataOf(ctx context.Context, p fairlead.Project, f *VersionFacts) error {
	for _, ref := range f.Version.ProducedBy.Datasets {
		v, err := a.Data.Get(ctx, p, ref)
		switch {
		case fairlead.Is(err, fairlead.NotFound):
			f.Data = append(f.Data, DataFacts{Ref: ref})
		case err != nil:
			return err
		default:
			f.Data = append(f.Data, DataFacts{Ref: ref, Rows: v.Rows, Columns: len(v.Columns),
				Bytes: v.Bytes, Digest: v.Digest, Source: v.Source, FromMS: fairlead.MS(v.FromAt),
				ToMS: fairlead.MS(v.ToAt)})
		}
	}
	return nil
}

// filesOf reads the MLmodel file; what is wrong with it is one of the facts.
func (a *API) filesOf(ctx context.Context, p fairlead.Project, f *VersionFacts) (err error) {
	f.Files, err = a.Registry.Describe(ctx, p, f.Version.Version)
	if fairlead.Is(err, fairlead.Invalid) {
		f.Files, err = &registry.Description{Flavors: []string{}, Problem: fairlead.MessageOf(err)}, nil
	}
	if err == nil && f.Files.Signature != nil {
		wholeSignature(f.Files.Signature)
	}
	return err
}

func (a *API) packageOf(ctx context.Context, p fairlead.Project, f *VersionFacts) error {
	m, err := a.Registry.Manifest(ctx, p, f.Version.Model, f.Version.N)
	if err == nil {
		wholeSignature(&m.Signature)
		f.Package = m
	}
	return err
}

// wholeSignature has lists where there is nothing, as the document says.
func wholeSignature(s *engine.Signature) {
	s.Inputs, s.Outputs = append([]engine.Field{}, s.Inputs...), append([]engine.Field{}, s.Outputs...)
}

func (a *API) decisionOf(ctx context.Context, p fairlead.Project, f *VersionFacts) (err error) {
	if f.Decision, err = a.Gate.Latest(ctx, p, f.Version.Model, f.Version.N); err != nil {
		return err
	}
	e, err := read(ctx, a, func(tx *store.Tx) (*gate.Evidence, error) {
		return a.Gate.Evidence(tx, p, f.Decision.Evidence)
	})
	if err == nil {
		f.Evidence = e.Facts
	}
	return err
}
