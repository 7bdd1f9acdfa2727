package registry

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/tracking"
)

// maxMLmodel bounds an MLmodel file, in bytes.
const maxMLmodel = 1 << 20

// Description is what the MLmodel file of a version says about it.
type Description struct {
	Flavors   []string          `json:"flavors"` // such as lightgbm, python_function
	Python    string            `json:"python,omitempty"`
	MLflow    string            `json:"mlflow,omitempty"` // the version of the client that wrote it
	SizeBytes int64             `json:"size_bytes,omitempty"`
	Signature *engine.Signature `json:"signature,omitempty"`
	Problem   string            `json:"problem,omitempty"` // why the signature cannot be shown
}

// mlmodel is the part of an MLmodel file that is read.
type mlmodel struct {
	Flavors map[string]struct {
		Python string `yaml:"python_version"`
	} `yaml:"flavors"`
	MLflow    string `yaml:"mlflow_version"`
	SizeBytes int64  `yaml:"model_size_bytes"`
	Signature struct {
		Inputs  string `yaml:"inputs"`
		Outputs string `yaml:"outputs"`
	} `yaml:"signature"`
}

// Describe reads the MLmodel file of a version; NotFound when its files are elsewhere, or
// when there is none, Invalid when it cannot be read.
func (s *Service) Describe(ctx context.Context, p fairlead.Project, v *Version) (*Description,
	error) {
	at, ok := tracking.ParseURI(v.Storage)
	if !ok {
		return nil, fairlead.Errorf(fairlead.NotFound, "the files of version %d of %q are at %q, "+
			"outside of this server", v.N, v.Model, v.Source)
	}
	text, err := s.blobs.ReadFile(ctx, p, at.Owner, path.Join(at.Path, "MLmodel"), maxMLmodel)
	if err != nil {
		return nil, fmt.Errorf("describe %s version %d: %w", v.Model, v.N, err)
	}
	var m mlmodel
	if err = spec.PlainYAML(text); err == nil {
		err = yaml.Unmarshal(text, &m)
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "the MLmodel file of version %d of %q cannot be read",
			v.N, v.Model).Because(err)
	}
	out := &Description{Flavors: slices.Sorted(maps.Keys(m.Flavors)), MLflow: m.MLflow,
		SizeBytes: m.SizeBytes, Python: m.Flavors["python_function"].Python}
	if m.Signature.Inputs == "" && m.Signature.Outputs == "" {
		return out, nil
	}
	signature, err := engine.ParseSignature(m.Signature.Inputs, m.Signature.Outputs)
	if err != nil {
		out.Problem = fairlead.MessageOf(err)
		return out, nil
	}
	out.Signature = &signature
	return out, nil
}
