package pipeline

import (
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead/engine/child"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/spec"
)

// stepEnv is what a step's environment is made of. Nothing else of the server's
// own environment reaches it.
type stepEnv struct {
	dirs     scratch
	step     spec.Step
	inputs   map[string]string // path by name
	params   map[string]any
	env      *pyenv.Env
	tracking *trackingEnv
}

// trackingEnv is how a step reaches tracking.
type trackingEnv struct{ url, project, token, run, experiment string }

// list returns the environment, sorted, as "NAME=value".
func (e stepEnv) list() []string {
	vars := map[string]string{"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}
	for _, kv := range child.Environ() {
		name, v, _ := strings.Cut(kv, "=")
		vars[name] = v
	}
	vars["TZ"], vars["TMPDIR"] = "UTC", e.dirs.tmp
	// Seeded hashes, so that the order of sets is the same in each run; lines
	// appear in the log when they are printed.
	vars["PYTHONHASHSEED"], vars["PYTHONUNBUFFERED"], vars["PYTHONNOUSERSITE"] = "0", "1", "1"
	for name, v := range e.step.Env {
		vars[name] = v
	}
	e.contract(vars)
	e.mlflow(vars)
	list := make([]string, 0, len(vars))
	for name, v := range vars {
		list = append(list, name+"="+v)
	}
	if e.env != nil {
		list = e.env.Environ(list)
	}
	slices.Sort(list)
	return list
}

// contract adds what tells a step its inputs, outputs and params.
func (e stepEnv) contract(vars map[string]string) {
	out := make(map[string]string, len(e.step.Out))
	for _, name := range e.step.Out {
		out[name] = e.dirs.outPath(name)
		vars["FAIRLEAD_OUT_"+variable(name)] = out[name]
	}
	for name, path := range e.inputs {
		vars["FAIRLEAD_IN_"+variable(name)] = path
	}
	params := e.params
	if params == nil {
		params = map[string]any{}
	}
	vars["FAIRLEAD_IN"], vars["FAIRLEAD_OUT"] = text(e.inputs), text(out)
	vars["FAIRLEAD_PARAMS"] = text(params)
	vars["FAIRLEAD_STEP"] = e.step.Name
}

// mlflow presets the mlflow client. Nine retries with doubling waits outlast a
// restart of the server by minutes (the client allows at most nine).
func (e stepEnv) mlflow(vars map[string]string) {
	vars["MLFLOW_DISABLE_TELEMETRY"] = "true"
	t := e.tracking
	if t == nil {
		return
	}
	vars["MLFLOW_TRACKING_URI"] = t.url + "/p/" + t.project
	vars["MLFLOW_TRACKING_TOKEN"] = t.token
	// A user and password win over a token, also those of ~/.mlflow/credentials.
	vars["MLFLOW_TRACKING_USERNAME"], vars["MLFLOW_TRACKING_PASSWORD"] = "step", t.token
	vars["MLFLOW_RUN_ID"] = t.run
	vars["MLFLOW_EXPERIMENT_NAME"] = t.experiment
	vars["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "9"
	vars["MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"] = "1"
	vars["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "120"
}

// variable is the form of a name in an environment variable's name.
func variable(name string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}
