package govern

import (
	"context"
	"fmt"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/store"
)

// Hit is a thing of the project whose name was looked for.
type Hit struct {
	Link
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
}

// The bounds of a search for names.
const (
	maxHits = 6   // of one kind
	newIDs  = 100 // how many of the newest cases, incidents and the like are looked at by id
)

// Find returns what has the text in its name, or an id that begins with it, kind by kind:
// models, endpoints, experiments, datasets, runs, and then what has only an id. An empty
// text finds nothing.
func (s *Service) Find(ctx context.Context, p fairlead.Project, text string) ([]Hit, error) {
	hits := []Hit{}
	if text = strings.TrimSpace(text); text == "" {
		return hits, nil
	}
	for _, find := range []func(context.Context, fairlead.Project, string) ([]Hit, error){
		s.findModels, s.findEndpoints, s.findExperiments, s.findDatasets, s.findRuns, s.findByID,
	} {
		found, err := find(ctx, p, text)
		if err != nil {
			return nil, err
		}
		hits = append(hits, found...)
	}
	return hits, nil
}

func (s *Service) findModels(ctx context.Context, p fairlead.Project, text string) (out []Hit, err error) {
	names, err := s.Registry.FindModels(ctx, p, text, maxHits)
	for _, name := range names {
		out = append(out, Hit{Link: Link{ModelKind, name}, Title: name})
	}
	return out, err
}

func (s *Service) findEndpoints(ctx context.Context, p fairlead.Project, text string) (out []Hit, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := s.Release.Assignments(tx, p)
		out = out[:0]
		for _, as := range all {
			if len(out) < maxHits && holds(as.Endpoint, text) {
				h := Hit{Link: Link{EndpointKind, as.Endpoint}, Title: as.Endpoint}
				if live := as.Version(release.RoleLive); live != 0 {
					h.Detail = fmt.Sprintf("version %d is live", live)
				}
				out = append(out, h)
			}
		}
		return err
	})
	return out, err
}

func (s *Service) findExperiments(ctx context.Context, p fairlead.Project, text string) (out []Hit, err error) {
	found, err := s.Tracking.FindExperiments(ctx, p, text, maxHits)
	for _, e := range found {
		out = append(out, Hit{Link: Link{ExperimentKind, e.ID}, Title: e.Name, Detail: "experiment " + e.ID})
	}
	return out, err
}

func (s *Service) findDatasets(ctx context.Context, p fairlead.Project, text string) (out []Hit, err error) {
	found, err := s.Data.Find(ctx, p, text, maxHits)
	for _, ref := range found {
		out = append(out, Hit{Link: Link{DatasetKind, ref.Dataset}, Title: ref.Dataset,
			Detail: fmt.Sprintf("version %d is the newest", ref.N)})
	}
	return out, err
}

func (s *Service) findRuns(ctx context.Context, p fairlead.Project, text string) (out []Hit, err error) {
	found, err := s.Tracking.FindRuns(ctx, p, text, maxHits)
	for _, r := range found {
		out = append(out, Hit{Link: Link{RunKind, r.Experiment + "/" + r.ID}, Title: r.Name,
			Detail: strings.ToLower(r.Status)})
	}
	return out, err
}

// findByID finds what people know by the beginning of its id, among the newest. An id says
// its kind in front.
func (s *Service) findByID(ctx context.Context, p fairlead.Project, text string) ([]Hit, error) {
	switch kind, _, _ := strings.Cut(strings.ToLower(text), "_"); kind {
	case "pr":
		return s.findPipelineRuns(ctx, p, text)
	case "ca":
		return s.findCases(ctx, p, text)
	case "in":
		return s.findIncidents(ctx, p, text)
	case "rol":
		return s.findRollouts(ctx, p, text)
	}
	return nil, nil
}

// add appends a hit when the id is meant.
func add(out []Hit, kind, id, detail, text string) []Hit {
	if len(out) == maxHits || !strings.HasPrefix(id, strings.ToLower(text)) {
		return out
	}
	return append(out, Hit{Link: Link{kind, id}, Title: id, Detail: detail})
}

func (s *Service) findPipelineRuns(ctx context.Context, p fairlead.Project, text string) (out []Hit, err error) {
	page, err := s.Pipeline.List(ctx, p, pipeline.RunList{Limit: newIDs})
	for _, r := range page.Items {
		out = add(out, PipelineRunKind, r.ID, string(r.State), text)
	}
	return out, err
}

func (s *Service) findCases(ctx context.Context, p fairlead.Project, text string) (out []Hit, err error) {
	page, err := s.Loop.Cases(ctx, p, "", "", newIDs)
	for _, c := range page.Items {
		out = add(out, CaseKind, c.ID, string(c.State), text)
	}
	return out, err
}

func (s *Service) findIncidents(ctx context.Context, p fairlead.Project, text string) (out []Hit, err error) {
	page, err := s.Monitor.Incidents(ctx, p, monitor.IncidentFilter{}, "", newIDs)
	for _, i := range page.Items {
		out = add(out, IncidentKind, i.ID, i.Kind+" at "+i.Endpoint, text)
	}
	return out, err
}

func (s *Service) findRollouts(ctx context.Context, p fairlead.Project, text string) (out []Hit, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := s.Release.Rollouts(tx, p, "", newIDs)
		out = out[:0]
		for _, r := range all {
			out = add(out, RolloutKind, r.ID, fmt.Sprintf("version %d to %s", r.To, r.Endpoint), text)
		}
		return err
	})
	return out, err
}

func holds(name, text string) bool {
	return strings.Contains(strings.ToLower(name), strings.ToLower(text))
}
