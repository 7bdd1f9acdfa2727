package packager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	scripts "github.com/fairlead-ml/fairlead/python"
)

// Environments are what one model needs: to serve it, and to package it.
type Environments struct {
	Serving *pyenv.Env
	Convert *pyenv.Env // Serving and the converters; Serving itself when they do not fit
	Reason  string     // why the converters do not fit
}

// Prepare builds both environments for the exact requirements of the run that made
// the model. Requirements that cannot be installed are Invalid; converters that do
// not go with them are only a Reason.
func Prepare(
	ctx context.Context, m *pyenv.Manager, req pyenv.Requirements, progress func(string),
) (Environments, error) {
	serving, err := m.Ensure(ctx, req, progress)
	if err != nil {
		return Environments{}, err
	}
	exact := pyenv.Requirements{Text: req.Sources() + serving.Lock, Python: req.Python,
		Extra: []string{scripts.Converters}}
	convert, err := m.Ensure(ctx, exact, progress)
	if fairlead.Is(err, fairlead.Invalid) {
		return Environments{Serving: serving, Convert: serving,
			Reason: "the ONNX converters do not go with the model's requirements: " + err.Error()}, nil
	}
	if err != nil {
		return Environments{}, err
	}
	return Environments{Serving: serving, Convert: convert}, nil
}

// ModelRequirements returns the requirements that MLflow stored with a model, for
// one whose run's environment is not known.
func ModelRequirements(modelDir string) (pyenv.Requirements, error) {
	b, err := os.ReadFile(filepath.Join(modelDir, "requirements.txt"))
	if os.IsNotExist(err) {
		return pyenv.Requirements{}, fairlead.Errorf(fairlead.Invalid,
			"the model has no requirements.txt, so its environment is not known; "+
				"log it with pip_requirements")
	}
	if err != nil {
		return pyenv.Requirements{}, fmt.Errorf("model requirements: %w", err)
	}
	return pyenv.Requirements{Text: string(b)}, nil
}
