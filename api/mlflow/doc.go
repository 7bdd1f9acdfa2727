// Package mlflow speaks MLflow's REST protocol, so that an unmodified mlflow
// client tracks, registers and loads models here: with the server's address as
// tracking URI, or with /p/<project> behind it. The edge has resolved the project
// before a handler is called; handlers find it in the context.
//
// A handler decodes, calls one method of package tracking or registry, and
// encodes; it holds no rules. Names, errors and defaults are those of mlflow
// 3.17.2; what its client really sends, and how its server answers, is recorded in
// testdata/recording.jsonl and replayed. Server side code of models is never unpickled.
//
// Start reading in route.go (the table of all routes), then call.go (how requests
// are read and answered).
package mlflow
