package mlflow

import (
	"net/http"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

// leftOut is a part of MLflow's protocol that is not spoken here: the path, and all
// below it.
type leftOut struct{ method, path, what string }

// Sentences about what is left out.
const (
	noTraces = "traces are not kept here; send them to a tracing backend by OpenTelemetry " +
		"(OTEL_EXPORTER_OTLP_ENDPOINT), or call mlflow.tracing.disable()"
	noGateway = "there is no gateway for language models here; call the provider itself"
	noGenAI   = "the evaluation of generative applications is not part of this server; " +
		"log its results as metrics, tables and tags of a run"
	noPresigned = "files go through this server, which has no bucket to sign addresses of; " +
		"use /api/2.0/mlflow-artifacts/artifacts"
	noWorkspaceEdit = "a workspace is a project, which its fairlead.yaml describes, and which " +
		"cannot be deleted yet"
	noPages = "this is a call of MLflow's own pages, which are not served here"
)

// leftOuts lists what is left out below /api and /ajax-api.
var leftOuts = []leftOut{
	{auth.AnyMethod, "/2.0/mlflow/traces", noTraces},
	{auth.AnyMethod, "/3.0/mlflow/traces", noTraces},
	{auth.AnyMethod, "/2.0/mlflow/unified-traces", noTraces},
	{auth.AnyMethod, "/2.0/mlflow/get-online-trace-details", noTraces},
	{auth.AnyMethod, "/2.0/mlflow/get-trace-artifact", noTraces},
	{auth.AnyMethod, "/3.0/mlflow/get-trace-artifact", noTraces},
	{auth.AnyMethod, "/2.0/mlflow/gateway-proxy", noGateway},
	{auth.AnyMethod, "/3.0/mlflow/gateway", noGateway},
	{auth.AnyMethod, "/3.0/mlflow/datasets", noGenAI},
	{auth.AnyMethod, "/3.0/mlflow/demo", noGenAI},
	{auth.AnyMethod, "/3.0/mlflow/genai", noGenAI},
	{auth.AnyMethod, "/3.0/mlflow/issues", noGenAI},
	{auth.AnyMethod, "/3.0/mlflow/jobs", noGenAI},
	{auth.AnyMethod, "/3.0/mlflow/label-schemas", noGenAI},
	{auth.AnyMethod, "/3.0/mlflow/prompt-optimization", noGenAI},
	{auth.AnyMethod, "/3.0/mlflow/review-queues", noGenAI},
	{auth.AnyMethod, "/3.0/mlflow/scorer", noGenAI},
	{auth.AnyMethod, "/3.0/mlflow/scorers", noGenAI},
	{auth.AnyMethod, "/2.0/mlflow/runs/create-promptlab-run", noGenAI},
	{auth.AnyMethod, "/2.0/mlflow-artifacts/presigned", noPresigned},
	{auth.AnyMethod, "/2.0/mlflow/artifacts/presigned-download-url", noPresigned},
	{auth.AnyMethod, "/2.0/mlflow/artifacts/presigned-upload-url", noPresigned},
	{"PATCH", "/3.0/mlflow/workspaces/{workspace_name}", noWorkspaceEdit},
	{"DELETE", "/3.0/mlflow/workspaces/{workspace_name}", noWorkspaceEdit},
	{auth.AnyMethod, "/3.0/mlflow/ui-telemetry", noPages},
}

// rootedLeftOuts are those that do not stand below /api.
var rootedLeftOuts = []leftOut{
	{auth.AnyMethod, "/graphql", noPages},
	{auth.AnyMethod, "/ajax-api/graphql", noPages},
	{auth.AnyMethod, "/v1/traces", noTraces},
}

// leftOutRoutes are the routes that say what is left out, in MLflow's error form: a
// client that asks for it learns more than from a path that nothing answers.
func leftOutRoutes() (routes []auth.Route) {
	add := func(prefix string, l leftOut) {
		route := auth.Route{Method: l.method, Path: prefix + l.path, Permission: auth.Public,
			BodyLimit: small, Fail: fail, Handle: func(http.ResponseWriter, *http.Request) error {
				return fairlead.Errorf(fairlead.Unimplemented, "%s", l.what)
			}}
		routes = append(routes, route)
		if l.method == auth.AnyMethod {
			route.Path += "/{rest...}"
			routes = append(routes, route)
		}
	}
	for _, l := range leftOuts {
		add("/api", l)
		add("/ajax-api", l)
	}
	for _, l := range rootedLeftOuts {
		add("", l)
	}
	return routes
}
