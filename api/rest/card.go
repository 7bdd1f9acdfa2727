package rest

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Card is the model card of a version (Mitchell et al., Model Cards for Model Reporting,
// 2019), written from what is known at the moment. What nobody has said it names as missing.
type Card struct {
	Markdown string `json:"markdown" doc:"CommonMark with tables"`
}

//go:embed card.md.tmpl
var cardText string

var cardTemplate = template.Must(template.New("card").Funcs(template.FuncMap{
	"plain": plainMarkdown, "code": codeMarkdown, "number": shortNumber,
	"wall": wallTime, "stream": streamTime, "span": dataSpan,
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
}).Parse(cardText))

// card is what the template writes.
type card struct {
	*VersionFacts
	Project  string
	Now      time.Time
	About    string     // the model's description
	Spec     *spec.Spec // see specOf
	Measured []measured
	Answers  []answering
}

// measured is a metric that the gate saw.
type measured struct {
	Name            string
	Candidate, Live any
}

// answering is an endpoint that the version has a part in.
type answering struct {
	Endpoint, Role  string
	*monitor.Status // nil unless it is live
}

func (a *API) versionCard(ctx context.Context, p fairlead.Project, in *VersionInput) (*Card, error) {
	f, err := a.versionFacts(ctx, p, in)
	if err != nil {
		return nil, err
	}
	c := card{VersionFacts: f, Project: p.Name, Now: a.Clock.Now(), Measured: measuredIn(f.Evidence)}
	if c.Spec, err = a.specOf(ctx, p, f); err != nil {
		return nil, err
	}
	if err := a.DB.Read(ctx, func(tx *store.Tx) error {
		m, err := a.Registry.Model(tx, p, in.Model)
		if err != nil {
			return err
		}
		c.About = m.Description
		c.Answers, err = a.answers(tx, p, f.Version.Version)
		return err
	}); err != nil {
		return nil, err
	}
	var out strings.Builder
	if err := cardTemplate.Execute(&out, c); err != nil {
		return nil, fmt.Errorf("card of %s version %d: %w", in.Model, in.Version, err)
	}
	return &Card{Markdown: out.String()}, nil
}

// specOf returns the file that a version was made or judged by, or an empty one.
func (a *API) specOf(ctx context.Context, p fairlead.Project, f *VersionFacts) (*spec.Spec, error) {
	rev := f.Version.ProducedBy.SpecRev
	if rev == 0 && f.Decision != nil {
		rev = f.Decision.SpecRev
	}
	if rev == 0 {
		return &spec.Spec{}, nil
	}
	r, err := a.Projects.RevisionAt(ctx, p, rev)
	if err != nil {
		return nil, err
	}
	return r.Spec, nil
}

// measuredIn returns the metrics of a candidate that are among the evidence, by name.
func measuredIn(evidence map[string]any) (out []measured) {
	for _, name := range slices.Sorted(maps.Keys(evidence)) {
		if metric, ok := strings.CutPrefix(name, "candidate."); ok {
			out = append(out, measured{metric, evidence[name], evidence["live."+metric]})
		}
	}
	return out
}

// answers returns the endpoints of which the version is a part.
func (a *API) answers(tx *store.Tx, p fairlead.Project, v *registry.Version) (out []answering, err error) {
	all, err := a.Release.Assignments(tx, p)
	if err != nil {
		return nil, err
	}
	for _, as := range all {
		if as.Model != v.Model {
			continue
		}
		for _, variant := range as.Variants {
			if variant.Version != v.N {
				continue
			}
			at := answering{Endpoint: as.Endpoint, Role: variant.Role}
			if variant.Role == release.RoleLive {
				m, err := a.stands(tx, p, as)
				if err != nil {
					return nil, err
				}
				at.Status = &m.Status
			}
			out = append(out, at)
		}
	}
	return out, nil
}

// plainMarkdown writes a text so that nothing in it is taken for Markdown or HTML.
func plainMarkdown(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\r':
			r = ' '
		case strings.ContainsRune("\\`*_[]<>|~&", r):
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// codeMarkdown writes a text as code, also within a table.
func codeMarkdown(text string) string {
	return "`" + strings.NewReplacer("`", "'", "|", "\\|", "\n", " ", "\r", " ").Replace(text) + "`"
}

// shortNumber writes a fact: of a number six significant digits, as many as anybody reads.
func shortNumber(v any) string {
	if x := reflect.ValueOf(v); x.CanFloat() {
		return strconv.FormatFloat(x.Float(), 'g', 6, 64)
	}
	return plainMarkdown(fmt.Sprint(v))
}

func wallTime(ms int64) string { return fairlead.FromMS(ms).UTC().Format("2006-01-02 15:04 UTC") }

func streamTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// dataSpan is the time that data is from.
func dataSpan(from, to int64) string {
	if from == 0 && to == 0 {
		return ""
	}
	return fairlead.FromMS(from).UTC().Format(time.DateOnly) + " to " +
		fairlead.FromMS(to).UTC().Format(time.DateOnly)
}
