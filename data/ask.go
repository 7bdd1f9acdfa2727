package data

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data/query"
	"github.com/fairlead-ml/fairlead/store"
)

// Query is SQL over the datasets of a project, which runs in a process of its own (see
// package query). A dataset's name is its newest version; "name/3" is version 3.
type Query struct {
	SQL    string
	Rows   int64  // of the answer, at most
	Bytes  int64  // of its rows' JSON, at most
	Cell   int    // bytes of a text, at most; longer ones are cut. 0: whole
	Reason string // why a holdout is read, when the query names one
}

// Answered is what is known of a query that has run.
type Answered struct {
	query.Summary
	Tables []QueryTable
}

// QueryTable is what a name in a query stood for.
type QueryTable struct {
	Name    string `json:"name"`
	Dataset string `json:"dataset"`
	N       int64  `json:"n"`
}

// Query runs a query and hands its answer to to. Each holdout that it names is recorded
// as read, with the reason, before the query runs; without a reason it does not run
// (Precondition). A name that is no dataset's is NotFound, at its place in the text;
// the rest is as query.Runner.Run has it.
func (s *Service) Query(ctx context.Context, p fairlead.Project, q Query,
	to query.Answer) (*Answered, error) {
	out := &Answered{}
	sum, err := s.runner.Run(ctx, query.Request{SQL: q.SQL, Rows: q.Rows, Bytes: q.Bytes, Cell: q.Cell},
		func(ctx context.Context, names []query.Name) (tables []query.Table, err error) {
			tables, out.Tables, err = s.tables(ctx, p, names, q.Reason)
			return tables, err
		}, to)
	if err != nil {
		return nil, err
	}
	out.Summary = *sum
	return out, nil
}

// tables says which files the names stand for, and records the reads of holdouts.
func (s *Service) tables(ctx context.Context, p fairlead.Project, names []query.Name,
	reason string) (tables []query.Table, out []QueryTable, err error) {
	var held []Ref
	seen := map[string]bool{}
	for _, name := range names {
		if seen[strings.ToLower(name.Name)] {
			continue // for DuckDB they are one
		}
		v, err := s.named(ctx, p, name)
		if fairlead.Is(err, fairlead.NotFound) && name.Shadowed {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		seen[strings.ToLower(name.Name)] = true
		path, err := s.Path(ctx, p, v.Ref())
		if err != nil {
			return nil, nil, err
		}
		if v.HeldBack() {
			held = append(held, v.Ref())
		}
		tables = append(tables, query.Table{Name: name.Name, Path: path})
		out = append(out, QueryTable{Name: name.Name, Dataset: v.Dataset, N: v.N})
	}
	for _, ref := range held {
		if err := s.recordLook(ctx, p, ref, ReadByQuery, reason); err != nil {
			return nil, nil, err
		}
	}
	return tables, out, nil
}

// named is the version that a name in a query means.
func (s *Service) named(ctx context.Context, p fairlead.Project, name query.Name) (v *Version,
	err error) {
	dataset, number, numbered := strings.Cut(name.Name, "/")
	n, bad := strconv.ParseInt(number, 10, 64)
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		var have []string
		if have, err = datasetNames(tx, p); err != nil {
			return err
		}
		known := sameName(have, dataset)
		if known == "" || numbered && bad != nil {
			return name.Place.In(noDataset(name.Name, have))
		}
		if !numbered {
			if n, err = newest(tx, p, known); err != nil {
				return err
			}
		}
		v, err = readVersion(tx, p, Ref{known, n})
		return err
	})
	if err != nil && !fairlead.Is(err, fairlead.NotFound) {
		if err = lookup(err, "dataset version "+name.Name); fairlead.Is(err, fairlead.NotFound) {
			return nil, name.Place.In(fairlead.Errorf(fairlead.NotFound, "%s",
				fairlead.MessageOf(err)))
		}
	}
	return v, err
}

// sameName is the one of have that is meant: SQL does not tell cases apart.
func sameName(have []string, name string) string {
	folded := ""
	for _, h := range have {
		if h == name {
			return h
		}
		if strings.EqualFold(h, name) {
			folded = h
		}
	}
	return folded
}

func noDataset(name string, have []string) *fairlead.Error {
	hint := "the project has none yet: `fairlead run` makes those of its fairlead.yaml"
	if len(have) > 0 {
		hint = "there are " + strings.Join(have[:min(len(have), 12)], ", ")
	}
	if near := nearest(name, have); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return fairlead.Errorf(fairlead.NotFound, "there is no dataset %q in this project; %s", name, hint)
}

// HeldBack reports whether the version's rows are kept from the pipeline: each look at
// them is recorded before it happens.
func (v *Version) HeldBack() bool { return v.Source == SourceHoldout }

// maxReason bounds why somebody looks at a holdout, in bytes.
const maxReason = 500

// recordLook records that somebody looks at a holdout, who must say why.
func (s *Service) recordLook(ctx context.Context, p fairlead.Project, ref Ref,
	purpose, reason string) error {
	reason = strings.TrimSpace(reason)
	switch {
	case reason == "":
		return fairlead.Errorf(fairlead.Precondition, "%s is a holdout, and each look at it wears it: "+
			"it is recorded with who looks and why; say why (`reason`)", ref).With("holdout", ref.String())
	case len(reason) > maxReason:
		return fairlead.Errorf(fairlead.Invalid, "the reason has %d bytes; at most %d are kept",
			len(reason), maxReason)
	}
	return s.RecordHoldoutRead(ctx, p, ref, HoldoutRead{Purpose: purpose, Reason: reason})
}

// previewTime is for how long who said why they look at a holdout may go on looking.
const previewTime = time.Hour

// Look records that who calls looks at the rows of a holdout, and why; they may then for
// an hour. It is Invalid for versions that are no holdout: these are open.
func (s *Service) Look(ctx context.Context, p fairlead.Project, ref Ref, reason string) error {
	v, err := s.Get(ctx, p, ref)
	if err != nil {
		return err
	}
	if !v.HeldBack() {
		return fairlead.Errorf(fairlead.Invalid, "%s is no holdout: its rows are open to who may read "+
			"the project, and no look at them is recorded", ref)
	}
	return s.recordLook(ctx, p, ref, ReadByPreview, reason)
}

// mayLook is Precondition for a holdout that who calls has not said why they look at.
func (s *Service) mayLook(ctx context.Context, p fairlead.Project, v *Version) error {
	if !v.HeldBack() {
		return nil
	}
	looking := false
	since := s.clock.Now().Add(-previewTime)
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		looking, err = looksSince(tx, p, v.Ref(), fairlead.ActorFrom(ctx).String(), fairlead.MS(since))
		return err
	})
	if err != nil {
		return fmt.Errorf("look up reads of %s: %w", v.Ref(), err)
	}
	if !looking {
		return fairlead.Errorf(fairlead.Precondition, "%s is a holdout, and each look at it wears it: say "+
			"first why you look (`POST …/datasets/%s/versions/%d/reads`), which is recorded with your name",
			v.Ref(), v.Dataset, v.N).With("holdout", v.Ref().String())
	}
	return nil
}
