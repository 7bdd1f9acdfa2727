package inference

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/serving"
)

// API holds the protocol's routes.
type API struct {
	serving *serving.Service
	tokens  *auth.Tokens
	version string
	bodies  bodies
}

// New returns the API over the serving stage; version is the program's.
func New(s *serving.Service, tokens *auth.Tokens, version string) *API {
	return &API{serving: s, tokens: tokens, version: version, bodies: make(bodies, maxLarge)}
}

// Routes lists the protocol's routes.
func (a *API) Routes() []auth.Route {
	const model = "/v2/models/{model}"
	const version = model + "/versions/{version}"
	return []auth.Route{
		a.route("GET", "/v2", auth.Public, 0, a.serverMetadata),
		a.route("GET", "/v2/health/live", auth.Public, 0, a.live),
		a.route("GET", "/v2/health/ready", auth.Public, 0, a.ready),
		a.route("GET", model, auth.Read, 0, a.modelMetadata),
		a.route("GET", version, auth.Read, 0, a.modelMetadata),
		a.route("GET", model+"/ready", auth.Read, 0, a.modelReady),
		a.route("GET", version+"/ready", auth.Read, 0, a.modelReady),
		a.route("POST", model+"/infer", auth.Predict, maxBody, a.infer),
		a.route("POST", version+"/infer", auth.Predict, maxBody, a.infer),
	}
}

type handler func(w http.ResponseWriter, r *http.Request) error

func (a *API) route(method, path string, perm auth.Permission, limit int64, h handler) auth.Route {
	return auth.Route{Method: method, Path: path, Permission: perm, BodyLimit: limit, Streams: true,
		Handle: h, Fail: Fail}
}

// Fail writes an error in the protocol's form: {"error": "…"}.
func Fail(w http.ResponseWriter, _ *http.Request, err error) {
	writeJSON(w, fairlead.CodeOf(err).HTTPStatus(), map[string]string{"error": fairlead.MessageOf(err)})
}

func writeJSON(w http.ResponseWriter, status int, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b)
	return nil
}

func (a *API) serverMetadata(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]any{
		"name": "fairlead", "version": a.version, "extensions": []string{"binary_tensor_data"},
	})
}

func (a *API) live(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]bool{"live": true})
}

func (a *API) ready(w http.ResponseWriter, _ *http.Request) error {
	if err := a.serving.Ready(); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]bool{"ready": true})
}

type tensorMetadata struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
}

func (a *API) modelMetadata(w http.ResponseWriter, r *http.Request) error {
	loaded, err := a.describe(r)
	if err != nil {
		return err
	}
	versions := make([]string, len(loaded))
	for i, l := range loaded {
		versions[i] = strconv.FormatInt(l.Version, 10)
	}
	sig := loaded[0].Manifest.Signature
	return writeJSON(w, http.StatusOK, map[string]any{
		"name": r.PathValue("model"), "versions": versions, "platform": platform(loaded[0].Manifest.Engine),
		"inputs": inputTensors(sig), "outputs": tensors(sig.Outputs),
		"parameters": map[string]any{"endpoint": loaded[0].Endpoint, "role": loaded[0].Role},
	})
}

func platform(name string) string {
	if name == engine.EngineONNX {
		return "onnxruntime_onnx"
	}
	return "mlflow_pyfunc"
}

// inputTensors lists what the model takes: its columns, or the one tensor that it was
// logged with.
func inputTensors(sig engine.Signature) []tensorMetadata {
	if sig.Tensor == "" || len(sig.Inputs) == 0 {
		return tensors(sig.Inputs)
	}
	return []tensorMetadata{{Name: sig.Tensor, Datatype: datatypeOf(sig.Inputs[0].Kind),
		Shape: []int64{-1, int64(len(sig.Inputs))}}}
}

func tensors(fields []engine.Field) []tensorMetadata {
	out := make([]tensorMetadata, len(fields))
	for i, f := range fields {
		out[i] = tensorMetadata{Name: f.Name, Datatype: datatypeOf(f.Kind), Shape: []int64{-1}}
	}
	return out
}

func (a *API) modelReady(w http.ResponseWriter, r *http.Request) error {
	loaded, err := a.describe(r)
	if err != nil {
		return err
	}
	if err := loaded[0].Health; err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"name": r.PathValue("model"), "ready": true})
}

func (a *API) describe(r *http.Request) ([]serving.Loaded, error) {
	n, err := versionOf(r)
	if err != nil {
		return nil, err
	}
	return a.serving.Describe(r.Context(), fairlead.ProjectFrom(r.Context()), r.PathValue("model"), n)
}

// versionOf returns the path's version, 0 when it has none.
func versionOf(r *http.Request) (int64, error) {
	s := r.PathValue("version")
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, fairlead.Errorf(fairlead.Invalid, "version %q is not a positive whole number", s)
	}
	return n, nil
}

func (a *API) infer(w http.ResponseWriter, r *http.Request) error {
	version, err := versionOf(r)
	if err != nil {
		return err
	}
	p := fairlead.ProjectFrom(r.Context())
	sig, err := a.serving.Signature(r.Context(), p, r.PathValue("model"), version)
	if err != nil {
		return err
	}
	body, done, err := a.bodies.read(w, r)
	defer done()
	if err != nil {
		return err
	}
	in, err := decode(r, body)
	var q serving.Request
	if err == nil {
		q, err = a.request(r, in, sig)
	}
	if err != nil {
		if !q.Trial {
			a.serving.Refuse(p, r.PathValue("model"), q.ID, err)
		}
		return err
	}
	q.Version = version
	res, err := a.serving.Infer(r.Context(), p, r.PathValue("model"), q)
	if err != nil {
		return err
	}
	encode(w, in, r.PathValue("model"), res)
	return nil
}

// request is what the protocol's request asks of serving.
func (a *API) request(r *http.Request, in *request, sig engine.Signature) (serving.Request, error) {
	q := serving.Request{ID: in.ID, RoutingKey: in.Parameters.RoutingKey, Trial: in.Parameters.Trial}
	err := in.checkOutputs(sig.Outputs)
	if err != nil {
		return q, err
	}
	if q.Trial { // it leaves no trace, which not everybody may do
		if err := a.tokens.Require(r, auth.Operate); err != nil {
			return q, err
		}
	}
	if q.Frame, err = in.frame(sig); err != nil {
		return q, err
	}
	if q.EventTime, err = in.eventTime(); err != nil || q.EventTime.IsZero() {
		return q, err
	}
	return q, a.tokens.Require(r, auth.EventTime)
}
