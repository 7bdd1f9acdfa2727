package pipeline_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/mlflow"
	"github.com/fairlead-ml/fairlead/pipeline"
)

// listen serves tracking as the program does.
func (w *world) listen(t *testing.T) {
	t.Helper()
	mux := http.NewServeMux()
	for _, route := range mlflow.New(w.tracking, w.registry, w.tokens, nil, nil).Routes() {
		h, err := w.tokens.Guard(route)
		check(t, err)
		mux.Handle(route.Pattern(), h)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.StripPrefix("/p/"+w.p.Name, mux).ServeHTTP(rw,
			r.WithContext(fairlead.WithProject(r.Context(), w.p)))
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
}

// A step that its shim's death has cut off may live on for a moment. What it reports
// then is refused: another attempt is running.
func TestToken_OfALostAttemptIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.listen(t)
	dir := t.TempDir()
	id := w.begin(t, w.chain(t, chainFiles.with("train.sh", fmt.Sprintf(
		`n=$(ls %[1]s | grep -c token); echo $MLFLOW_TRACKING_TOKEN > %[1]s/new
		mv %[1]s/new %[1]s/token$n; `, dir)+waiting(dir)+chainFiles["train.sh"])))
	log := func(n int) (status int) {
		token := filepath.Join(dir, fmt.Sprint("token", n))
		waitFor(t, token)
		r, err := w.Get(t.Context(), w.p, id)
		check(t, err)
		body := fmt.Sprintf(`{"run_id": %q, "key": "m", "value": 1, "timestamp": 1}`, r.Tries[1].Run)
		req, err := http.NewRequest("POST", w.url+"/p/p/api/2.0/mlflow/runs/log-metric",
			strings.NewReader(body))
		check(t, err)
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(read(t, token)))
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		check(t, err)
		res.Body.Close()
		return res.StatusCode
	}
	if got := log(0); got != http.StatusOK {
		t.Errorf("the attempt that runs gets %d", got)
	}
	check(t, syscall.Kill(w.shim(t, id, "try1.train.1"), syscall.SIGKILL))
	if got := log(1); got != http.StatusOK {
		t.Errorf("the next attempt gets %d", got)
	}
	if got := log(0); got != http.StatusUnauthorized {
		t.Errorf("the lost attempt gets %d", got)
	}
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	if r := w.await(t, id); r.State != pipeline.Succeeded {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
	if got := log(1); got != http.StatusUnauthorized {
		t.Errorf("a step that has ended gets %d", got)
	}
}
