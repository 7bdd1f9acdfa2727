package mlflow

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

// Limits of request bodies, in bytes.
const (
	point = 64 << 10 // log-metric
	small = 1 << 20  // one entity; a tag has at most 100,000 characters
	batch = 16 << 20 // log-batch
	large = 32 << 20 // datasets with schema and profile
	note  = 11 << 20 // upload-artifact
	part  = 1 << 30  // one part of a file
)

// handler answers one call; an error is written by Fail.
type handler func(c *call) error

// entry is one line of the route table. Path is below /api and /ajax-api.
type entry struct {
	method, path string
	permission   auth.Permission
	limit        int64
	handle       handler
}

// unread reports whether the handler reads the body itself: streams and the hot
// paths do.
func (e *entry) unread() bool {
	switch e.limit {
	case auth.Unlimited, part, note, batch, point:
		return true
	}
	return false
}

// entries is the route table.
func (a *API) entries() []entry {
	const (
		exp    = "/2.0/mlflow/experiments/"
		run    = "/2.0/mlflow/runs/"
		logged = "/2.0/mlflow/logged-models"
		one    = logged + "/{model_id}"
		model  = "/2.0/mlflow/registered-models/"
		vers   = "/2.0/mlflow/model-versions/"
		proxy  = "/2.0/mlflow-artifacts/artifacts"
		file   = proxy + "/{path...}"
		hooks  = "/2.0/mlflow/webhooks"
		hook   = hooks + "/{webhook_id}"
		mpu    = "/2.0/mlflow-artifacts/mpu/"
	)
	return []entry{
		{"GET", "/3.0/mlflow/server-info", auth.Public, 0, a.serverInfo},

		{"POST", exp + "create", auth.Track, small, a.createExperiment},
		{"GET", exp + "get", auth.Read, 0, a.getExperiment},
		{"GET", exp + "get-by-name", auth.Read, 0, a.getExperimentByName},
		{"GET", exp + "search", auth.Read, 0, a.searchExperiments},
		{"POST", exp + "search", auth.Read, small, a.searchExperiments},
		{"POST", exp + "update", auth.Track, small, a.updateExperiment},
		{"POST", exp + "delete", auth.Track, small, a.deleteExperiment},
		{"POST", exp + "restore", auth.Track, small, a.restoreExperiment},
		{"POST", exp + "set-experiment-tag", auth.Track, small, a.setExperimentTag},
		{"POST", exp + "delete-experiment-tag", auth.Track, small, a.deleteExperimentTag},
		{"POST", exp + "search-datasets", auth.Read, small, a.searchDatasets},
		// The path that MLflow's protocol has lacks a slash.
		{"POST", "/2.0mlflow/experiments/search-datasets", auth.Read, small, a.searchDatasets},

		{"POST", run + "create", auth.Track, small, a.createRun},
		{"GET", run + "get", auth.Read, 0, a.getRun},
		{"POST", run + "update", auth.Track, small, a.updateRun},
		{"POST", run + "delete", auth.Track, small, a.deleteRun},
		{"POST", run + "restore", auth.Track, small, a.restoreRun},
		{"POST", run + "search", auth.Read, small, a.searchRuns},
		{"POST", run + "log-metric", auth.Track, point, a.logMetric},
		{"POST", run + "log-parameter", auth.Track, small, a.logParameter},
		{"POST", run + "log-batch", auth.Track, batch, a.logBatch},
		{"POST", run + "log-inputs", auth.Track, large, a.logInputs},
		{"POST", run + "log-model", auth.Track, small, a.logModel},
		{"POST", run + "outputs", auth.Track, small, a.logOutputs},
		{"POST", run + "set-tag", auth.Track, small, a.setTag},
		{"POST", run + "delete-tag", auth.Track, small, a.deleteTag},
		{"GET", "/2.0/mlflow/metrics/get-history", auth.Read, 0, a.getHistory},
		{"GET", "/2.0/mlflow/metrics/get-history-bulk", auth.Read, 0, a.getHistoryBulk},
		{"GET", "/2.0/mlflow/metrics/get-history-bulk-interval", auth.Read, 0,
			a.getHistoryBulkInterval},

		{"GET", "/2.0/mlflow/artifacts/list", auth.Read, 0, a.listRunArtifacts},
		{"GET", proxy, auth.Read, 0, a.listArtifacts},
		{"GET", file, auth.Read, 0, a.getArtifact},
		{"PUT", file, auth.Track, auth.Unlimited, a.putArtifact},
		{"DELETE", file, auth.Track, small, a.deleteArtifact},
		{"POST", mpu + "create/{path...}", auth.Track, small, a.createUpload},
		{"PUT", uploadPart + "{upload_id}/{part}", auth.Public, part, a.putPart},
		{"POST", mpu + "complete/{path...}", auth.Track, large, a.completeUpload},
		{"POST", mpu + "abort/{path...}", auth.Track, small, a.abortUpload},
		{"POST", "/2.0/mlflow/upload-artifact", auth.Track, note, a.uploadArtifact},

		{"POST", logged, auth.Track, small, a.createLoggedModel},
		{"POST", logged + "/search", auth.Read, small, a.searchLoggedModels},
		{"GET", one, auth.Read, 0, a.getLoggedModel},
		{"PATCH", one, auth.Track, small, a.finalizeLoggedModel},
		{"DELETE", one, auth.Track, small, a.deleteLoggedModel},
		{"PATCH", one + "/tags", auth.Track, small, a.setLoggedModelTags},
		{"DELETE", one + "/tags/{tag_key}", auth.Track, small, a.deleteLoggedModelTag},
		{"POST", one + "/params", auth.Track, small, a.logLoggedModelParams},
		{"GET", one + "/artifacts/directories", auth.Read, 0, a.listLoggedModelArtifacts},
		{"GET", one + "/artifacts/files", auth.Read, 0, a.getLoggedModelArtifact},

		{"POST", model + "create", auth.Track, small, a.createModel},
		{"GET", model + "get", auth.Read, 0, a.getModel},
		{"GET", model + "search", auth.Read, 0, a.searchModels},
		{"PATCH", model + "update", auth.Track, small, a.updateModel},
		{"POST", model + "rename", auth.Track, small, a.renameModel},
		{"DELETE", model + "delete", auth.Track, small, a.deleteModel},
		{"POST", model + "set-tag", auth.Track, small, a.setModelTag},
		{"DELETE", model + "delete-tag", auth.Track, small, a.deleteModelTag},
		{"GET", model + "alias", auth.Read, 0, a.getByAlias},
		{"POST", model + "alias", auth.Track, small, a.setAlias},
		{"DELETE", model + "alias", auth.Track, small, a.deleteAlias},
		{"GET", model + "get-latest-versions", auth.Read, 0, a.getLatestVersions},
		{"POST", model + "get-latest-versions", auth.Read, small, a.getLatestVersions},

		{"POST", vers + "create", auth.Track, small, a.createVersion},
		{"GET", vers + "get", auth.Read, 0, a.getVersion},
		{"GET", vers + "search", auth.Read, 0, a.searchVersions},
		{"PATCH", vers + "update", auth.Track, small, a.updateVersion},
		{"DELETE", vers + "delete", auth.Track, small, a.deleteVersion},
		{"POST", vers + "set-tag", auth.Track, small, a.setVersionTag},
		{"DELETE", vers + "delete-tag", auth.Track, small, a.deleteVersionTag},
		{"GET", vers + "get-download-uri", auth.Read, 0, a.getDownloadURI},
		{"POST", vers + "transition-stage", auth.Track, small, a.transitionStage},

		{"POST", hooks, auth.Administer, small, a.createWebhook},
		{"GET", hooks, auth.Administer, 0, a.listWebhooks},
		{"GET", hook, auth.Administer, 0, a.getWebhook},
		{"PATCH", hook, auth.Administer, small, a.updateWebhook},
		{"DELETE", hook, auth.Administer, small, a.deleteWebhook},
		{"POST", hook + "/test", auth.Administer, small, a.testWebhook},
	}
}

// Routes lists all routes, each under /api and, for MLflow's own pages and older
// tools, under /ajax-api. Errors are in MLflow's form.
func (a *API) Routes() []auth.Route {
	routes := []auth.Route{
		{Method: "GET", Path: "/health", Permission: auth.Public, Handle: health, Fail: fail},
		{Method: "GET", Path: "/version", Permission: auth.Public, Handle: version, Fail: fail},
	}
	add := func(prefix string, e entry) {
		routes = append(routes, auth.Route{Method: e.method, Path: prefix + e.path,
			Permission: e.permission, BodyLimit: e.limit, Streams: e.limit == note || e.limit == part,
			Handle: a.serve(e), Fail: fail})
	}
	for _, e := range a.entries() {
		add("/api", e)
		add("/ajax-api", e)
	}
	add("", entry{"GET", "/get-artifact", auth.Read, 0, a.getRunArtifact})
	add("", entry{"GET", "/model-versions/get-artifact", auth.Read, 0, a.getVersionArtifact})
	return slices.Concat(routes, a.workspaceRoutes(), leftOutRoutes())
}

// serve turns an entry into the route's function.
func (a *API) serve(e entry) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		c := &call{w: w, r: r}
		c.p, _ = fairlead.ProjectIn(r.Context())
		if e.permission != auth.Public && c.p.K == 0 {
			return fairlead.Errorf(fairlead.NotFound, "there is no project %q; apply its fairlead.yaml, "+
				"or name another in the address (/p/…) or as workspace", c.p.Name)
		}
		if e.method == http.MethodPost && e.limit != note {
			if err := checkJSON(r.Header.Get("Content-Type")); err != nil {
				return err
			}
		}
		if !e.unread() {
			if err := c.parse(); err != nil {
				return err
			}
		}
		return e.handle(c)
	}
}

// checkJSON refuses a body of another type, as MLflow does. A page of another site cannot
// make a browser send JSON without asking first.
func checkJSON(contentType string) error {
	kind, _, _ := strings.Cut(contentType, ";")
	switch {
	case kind == "":
		return fairlead.Errorf(fairlead.Invalid, "Bad Request. Content-Type header is missing.")
	case !strings.EqualFold(strings.TrimSpace(kind), "application/json"):
		return fairlead.Errorf(fairlead.Invalid,
			"Bad Request. Content-Type must be one of ['application/json'].")
	}
	return nil
}

func health(w http.ResponseWriter, _ *http.Request) error {
	_, err := w.Write([]byte("OK"))
	return err
}

func version(w http.ResponseWriter, _ *http.Request) error {
	_, err := w.Write([]byte(Version))
	return err
}

// serverInfo tells the client what it may use: uploads in parts, and workspaces, which
// are projects; downloads are streamed in one request, which takes ranges.
func (a *API) serverInfo(c *call) error {
	return c.reply(map[string]any{
		"store_type": "SqlStore", "workspaces_enabled": true, "trace_archival_enabled": false,
		"multipart_uploads_enabled": true, "multipart_downloads_enabled": false,
		"presigned_upload_run_id_supported": false, "presigned_upload_model_id_supported": false,
		"features_enabled": map[string]bool{"gateway": false},
	})
}
