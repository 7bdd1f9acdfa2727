package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/store"
)

// maxPages bounds how many thousand events of one subject are looked at.
const maxPages = 50

func (a *API) proofOperations() {
	const path = "/models/{model}/versions/{version}"
	register(a, op{id: "list-version-events", method: "GET", path: path + "/events",
		summary: "All events that led to a version and that it led to, in order", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *VersionInput) (
			out fairlead.Page[Event], err error) {
			v, err := a.version(ctx, p, in)
			if err != nil {
				return out, err
			}
			records, err := a.versionEvents(ctx, p, v)
			out.Items = told(records)
			return out, err
		})
	register(a, op{id: "prove-version", method: "GET", path: path + "/proof",
		summary: "The same with the proof of each (RFC 6962) and what they name by digest, to check offline",
		may:     auth.Read}, a.proveVersion)
}

func (a *API) version(ctx context.Context, p fairlead.Project, in *VersionInput) (*registry.Version,
	error) {
	return read(ctx, a, func(tx *store.Tx) (*registry.Version, error) {
		v, err := a.Registry.Version(tx, p, in.Model, in.Version)
		return v, noVersion(err, in.Model, in.Version)
	})
}

func (a *API) proveVersion(ctx context.Context, p fairlead.Project, in *VersionInput) (
	*ledger.Bundle, error) {
	v, err := a.version(ctx, p, in)
	if err != nil {
		return nil, err
	}
	records, err := a.versionEvents(ctx, p, v)
	if err != nil {
		return nil, err
	}
	seqs := make([]int64, len(records))
	for i, r := range records {
		seqs[i] = r.Seq
	}
	documents, err := a.documents(ctx, p, records)
	if err != nil {
		return nil, err
	}
	return a.Ledger.Bundle(ctx, registry.Subject(v.Model, v.N), seqs, documents...)
}

// versionEvents returns the events about a version and about what made, judged and
// released it, in order.
func (a *API) versionEvents(ctx context.Context, p fairlead.Project, v *registry.Version) (
	[]*ledger.Record, error) {
	subjects := []string{registry.Subject(v.Model, v.N)}
	for _, ref := range v.ProducedBy.Datasets {
		subjects = append(subjects, "dataset/"+ref.String())
	}
	for kind, id := range map[string]string{"pipelinerun": v.ProducedBy.PipelineRun, "run": v.RunID,
		"loggedmodel": v.LoggedModelID} {
		if id != "" {
			subjects = append(subjects, kind+"/"+id)
		}
	}
	var all []*ledger.Record
	for _, subject := range subjects {
		records, err := a.eventsOf(ctx, p, subject)
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	for _, more := range []func(context.Context, fairlead.Project, *registry.Version) (
		[]*ledger.Record, error){a.fileEvents, a.caseEvents, a.releaseEvents} {
		records, err := more(ctx, p, v)
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	slices.SortFunc(all, func(x, y *ledger.Record) int { return cmp.Compare(x.Seq, y.Seq) })
	return slices.CompactFunc(all, func(x, y *ledger.Record) bool { return x.Seq == y.Seq }), nil
}

// eventsOf returns the events about a subject, of all types when none is given.
func (a *API) eventsOf(ctx context.Context, p fairlead.Project, subject string, types ...string) (
	all []*ledger.Record, err error) {
	f := ledger.Filter{ProjectK: p.K, Subject: subject, Types: types, Limit: 1000}
	for range maxPages {
		records, err := a.Ledger.List(ctx, f)
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
		if len(records) < f.Limit {
			break
		}
		f.After = records[len(records)-1].Seq
	}
	return all, nil
}

// fileEvents are those by which the fairlead.yaml was applied that the version is of.
func (a *API) fileEvents(ctx context.Context, p fairlead.Project, v *registry.Version) (
	out []*ledger.Record, err error) {
	records, err := a.eventsOf(ctx, p, "project/"+p.Name, event.ProjectAppliedType)
	for _, r := range records {
		var body event.ProjectApplied
		if err := r.Decode(&body); err != nil {
			return nil, err
		}
		if body.Revision == v.ProducedBy.SpecRev {
			out = append(out, r)
		}
	}
	return out, err
}

// caseEvents are those of the cases about the version, and the moves of aliases to and
// from it.
func (a *API) caseEvents(ctx context.Context, p fairlead.Project, v *registry.Version) (
	out []*ledger.Record, err error) {
	cases, err := read(ctx, a, func(tx *store.Tx) ([]*loop.Case, error) {
		return a.Loop.OfVersion(tx, p, v.Model, v.N, maxFactsCases)
	})
	if err != nil {
		return nil, err
	}
	records, err := a.eventsOf(ctx, p, "model/"+v.Model, event.AliasMovedType, event.CaseOpenedType,
		event.CaseAdvancedType, event.CaseClosedType)
	for _, r := range records {
		var body struct {
			From, To int64
			Case     string
		}
		if err := r.Decode(&body); err != nil {
			return nil, err
		}
		mine := slices.ContainsFunc(cases, func(c *loop.Case) bool { return c.ID == body.Case })
		if mine || r.Type == event.AliasMovedType && (body.From == v.N || body.To == v.N) {
			out = append(out, r)
		}
	}
	return out, err
}

// releaseEvents are those of its rollouts.
func (a *API) releaseEvents(ctx context.Context, p fairlead.Project, v *registry.Version) (
	out []*ledger.Record, err error) {
	endpoints, err := read(ctx, a, func(tx *store.Tx) ([]*release.Assignment, error) {
		return a.Release.Assignments(tx, p)
	})
	if err != nil {
		return nil, err
	}
	for _, e := range endpoints {
		if e.Model != v.Model {
			continue
		}
		rollouts, err := a.rolloutEvents(ctx, p, e.Endpoint, v.N)
		if err != nil {
			return nil, err
		}
		for _, r := range rollouts {
			out = append(out, r.record)
		}
	}
	return out, nil
}

// documents returns what the events name by its digest and is at hand: decisions, policies,
// facts, the file, and the package's manifest.
func (a *API) documents(ctx context.Context, p fairlead.Project, records []*ledger.Record) (
	[]ledger.Document, error) {
	out := []ledger.Document{}
	add := func(name, text string) {
		d := ledger.NewDocument(name, text)
		if !slices.ContainsFunc(out, func(o ledger.Document) bool { return o.SHA256 == d.SHA256 }) {
			out = append(out, d)
		}
	}
	for _, r := range records {
		var err error
		switch r.Type {
		case event.GateDecidedType:
			err = a.decisionDocuments(ctx, p, r, add)
		case event.ProjectAppliedType:
			err = a.fileDocument(ctx, p, r, add)
		case event.ModelVersionConditionType:
			err = a.packageDocument(ctx, p, r, add)
		}
		if known(err) != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a *API) decisionDocuments(ctx context.Context, p fairlead.Project, r *ledger.Record,
	add func(name, text string)) error {
	var body event.GateDecided
	if err := r.Decode(&body); err != nil || body.Outcome == "" {
		return err
	}
	d, err := a.Gate.Decision(ctx, p, body.Decision)
	if err != nil {
		return err
	}
	decision, err := json.Marshal(d.Decision)
	if err != nil {
		return err
	}
	add("decision "+d.ID, string(decision))
	add("policy of "+d.ID, d.Policy)
	return a.DB.Read(ctx, func(tx *store.Tx) error {
		e, err := a.Gate.Evidence(tx, p, d.Evidence)
		if err != nil {
			return err
		}
		facts, err := json.Marshal(e.Facts)
		add("evidence "+e.ID, string(facts))
		return err
	})
}

func (a *API) fileDocument(ctx context.Context, p fairlead.Project, r *ledger.Record,
	add func(name, text string)) error {
	var body event.ProjectApplied
	if err := r.Decode(&body); err != nil {
		return err
	}
	rev, err := a.Projects.RevisionAt(ctx, p, body.Revision)
	if err == nil {
		add(fmt.Sprintf("fairlead.yaml, revision %d", rev.N), string(rev.Body))
	}
	return err
}

func (a *API) packageDocument(ctx context.Context, p fairlead.Project, r *ledger.Record,
	add func(name, text string)) error {
	var body event.ModelVersionCondition
	if err := r.Decode(&body); err != nil || body.Condition != registry.ConditionPackaged {
		return err
	}
	text, err := a.Registry.ManifestText(ctx, p, body.Model, body.Version)
	if err == nil && ledger.NewDocument("", string(text)).SHA256 == body.Ref {
		add(fmt.Sprintf("package of version %d", body.Version), string(text))
	}
	return err
}
