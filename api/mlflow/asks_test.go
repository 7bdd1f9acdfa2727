package mlflow_test

import (
	"fmt"
	"strings"
)

// table is what clients ask rarely, and what they get wrong.
func table() (all []ask) {
	for _, part := range [][]ask{experimentAsks, runAsks, metricAsks(), paramAndTagAsks(),
		historyAsks, inputAsks, artifactAsks, searchAsks, orderAsks(), lifecycleAsks, loggedModelAsks,
		modelAsks,
		versionAsks} {
		all = append(all, part...)
	}
	return all
}

// Why an answer here is not MLflow's.
const (
	untyped = "a value of a wrong type is refused, where MLflow takes it as not given or breaks"
	wording = "the message says more: what is taken instead, what is known, where it stands, or " +
		"nothing of the database"
	tokens  = "a page token has another form"
	usual   = "a list without a limit has a usual one, and each list has the same rules for it"
	noRun   = "a run that is not there is not found, where MLflow shows an empty history"
	slash   = "MLflow's own path lacks a slash, so that its server does not find it"
	resumed = "a run that goes on has no end"
	reuse   = "the name of a deleted experiment is free"
	broken  = "MLflow answers with an internal error"
	lengths = "names have a limit, which MLflow leaves to its database"
	gone    = "what is deleted is not found"
	numbers = "numbers are taken as numbers and as text everywhere"
	bySteps = "a history is by step, by which charts are drawn, and within a step by time"
	notJSON = "NaN is a text, as in all other answers; MLflow's answer is no JSON"
	badAsk  = "the code of a bad request is INVALID_PARAMETER_VALUE everywhere"
)

var long = strings.Repeat("x", 260)

var experimentAsks = []ask{
	{call: "POST experiments/create", body: `{}`},
	{call: "POST experiments/create", body: ``},
	{call: "POST experiments/create", body: `{"name":31}`},
	{call: "POST experiments/create", body: `{"name":null}`},
	{call: "POST experiments/create", body: `{"name":""}`},
	{call: "POST experiments/create", body: `{"name":["a"]}`},
	{call: "POST experiments/create", body: `{"name":"` + strings.Repeat("x", 501) + `"}`},
	{call: "POST experiments/create", body: `{"name":"a","tags":[{"key":"t","value":"1"}]}`},
	{call: "POST experiments/create", body: `{"name":"a"}`, ours: wording},
	{call: "POST experiments/create", body: `"{\"name\":\"b\"}"`},
	{call: "POST experiments/create", body: `{"name":"Ünïcode / 😀","unknown":1}`},
	{call: "POST experiments/create", body: `{"name":"c","tags":{}}`},
	{call: "GET experiments/get"},
	{call: "GET experiments/get?experiment_id=abc"},
	{call: "GET experiments/get?experiment_id=99"},
	{call: "GET experiments/get?experiment_id=1"},
	{call: "GET experiments/get?experiment_id=0"},
	{call: "GET experiments/get-by-name"},
	{call: "GET experiments/get-by-name?experiment_name=none"},
	{call: "GET experiments/get-by-name?experiment_name=a"},
	{call: "POST experiments/search", body: `{}`, ours: usual},
	{call: "GET experiments/search", ours: usual},
	{call: "POST experiments/search", body: `{"max_results":2}`},
	{call: "POST experiments/search", body: `{"max_results":"2"}`},
	{call: "GET experiments/search?max_results=2&order_by=name&order_by=experiment_id"},
	{call: "POST experiments/search", body: `{"max_results":2}`, keep: "page=next_page_token"},
	{call: "POST experiments/search", body: `{"max_results":2,"page_token":"{page}"}`},
	{call: "POST experiments/search", body: `{"max_results":0}`},
	{call: "POST experiments/search", body: `{"max_results":-1}`},
	{call: "POST experiments/search", body: `{"max_results":50001}`, ours: wording},
	{call: "POST experiments/search", body: `{"max_results":"x"}`},
	{call: "POST experiments/search", body: `{"max_results":1.5}`, ours: untyped},
	{call: "POST experiments/search", body: `{"max_results":2,"page_token":"nonsense"}`,
		ours: tokens},
	{call: "POST experiments/search", body: `{"max_results":2,"view_type":"ALL"}`},
	{call: "POST experiments/search", body: `{"max_results":2,"view_type":3}`},
	{call: "POST experiments/search", body: `{"max_results":2,"view_type":"SOME"}`, ours: untyped},
	{call: "POST experiments/search", body: `{"max_results":9,"filter":"name LIKE 'A%'"}`},
	{call: "POST experiments/search", body: `{"max_results":9,"filter":"name ILIKE 'A%'"}`},
	{call: "POST experiments/search", body: `{"max_results":9,"filter":"tags.t = '1'"}`},
	{call: "POST experiments/search", body: `{"max_results":9,"order_by":["name DESC"]}`},
	{call: "POST experiments/search", body: `{"max_results":9,"order_by":["color"]}`,
		ours: wording},
	{call: "POST experiments/update", body: `{"experiment_id":"1"}`},
	{call: "POST experiments/update", body: `{"new_name":"x"}`},
	{call: "POST experiments/update", body: `{"experiment_id":"99","new_name":"x"}`},
	{call: "POST experiments/update", body: `{"experiment_id":"1","new_name":"b"}`, ours: wording},
	{call: "POST experiments/update", body: `{"experiment_id":"1","new_name":"a2"}`},
	{call: "POST experiments/set-experiment-tag", body: `{"experiment_id":"1","key":"u","value":"2"}`},
	{call: "POST experiments/set-experiment-tag", body: `{"experiment_id":"1","value":"2"}`},
	{call: "POST experiments/set-experiment-tag",
		body: `{"experiment_id":"99","key":"u","value":"2"}`},
	{call: "POST experiments/set-experiment-tag",
		body: `{"experiment_id":"1","key":"` + long + `","value":"2"}`},
	{call: "POST experiments/set-experiment-tag",
		body: `{"experiment_id":"1","key":"a#","value":"2"}`},
	{call: "POST experiments/set-experiment-tag",
		body: `{"experiment_id":"1","key":"u","value":"` + strings.Repeat("x", 20_001) + `"}`},
	{call: "POST experiments/delete-experiment-tag", body: `{"experiment_id":"1","key":"u"}`},
	{call: "POST experiments/delete-experiment-tag", body: `{"experiment_id":"1","key":"u"}`},
	{call: "POST experiments/delete-experiment-tag", body: `{"experiment_id":"1"}`},
	{call: "GET experiments/get?experiment_id=1"},
}

var runAsks = []ask{
	{call: "POST runs/create", body: `{"experiment_id":"99"}`},
	{call: "POST runs/create", body: `{"experiment_id":"abc"}`},
	{call: "POST runs/create", body: `{"experiment_id":1}`},
	{call: "POST runs/create", body: `{"experiment_id":"1","start_time":"soon"}`},
	{call: "POST runs/create", body: `{"experiment_id":"0","start_time":1.5}`, ours: untyped},
	{call: "POST runs/create", body: `{"experiment_id":"0","tags":"t"}`, ours: untyped},
	{call: "POST runs/create", body: `{"experiment_id":"0","tags":[{"key":1}]}`, ours: untyped},
	{call: "POST runs/create", body: `{"experiment_id":"1","run_name":"a",` +
		`"tags":[{"key":"mlflow.runName","value":"b"}]}`},
	{call: "POST runs/create", body: `{"experiment_id":"1","run_name":"first","start_time":"1000",` +
		`"user_id":"ann","tags":[{"key":"t","value":"1"}]}`, keep: "run=run.info.run_id"},
	{call: "POST runs/create", body: `{"experiment_id":"1","start_time":2000,` +
		`"tags":[{"key":"mlflow.runName","value":"second"}]}`, keep: "two=run.info.run_id"},
	{call: "POST runs/create", body: `{"experiment_id":"0","run_name":"odd"}`,
		keep: "odd=run.info.run_id"},
	{call: "GET runs/get"},
	{call: "GET runs/get?run_id=none"},
	{call: "GET runs/get?run_id={run}"},
	{call: "GET runs/get?run_uuid={run}"},
	{call: "GET runs/get?run_id={run}&run_uuid={run}"},
	{call: "POST runs/update", body: `{"run_id":"{run}"}`},
	{call: "POST runs/update", body: `{"run_id":31}`},
	{call: "POST runs/update", body: `{"run_id":"none","status":"FINISHED"}`},
	{call: "POST runs/update", body: `{"run_id":"{odd}","status":"DONE"}`, ours: untyped},
	{call: "POST runs/update", body: `{"run_id":"{run}","status":3,"end_time":"3000"}`},
	{call: "POST runs/update", body: `{"run_id":"{odd}","status":3,"end_time":"3000"}`},
	{call: "POST runs/update", body: `{"run_id":"{odd}","status":"RUNNING"}`, ours: resumed},
	{call: "POST runs/update", body: `{"run_id":"{odd}","end_time":"later"}`},
	{call: "POST runs/update", body: `{"run_id":"{run}","run_name":"renamed"}`},
	{call: "POST runs/update", body: `{"run_id":"{run}","run_name":""}`},
	{call: "GET runs/get?run_id={run}"},
}

func metricAsks() (all []ask) {
	post := func(rest string) {
		all = append(all, ask{call: "POST runs/log-metric", body: `{"run_id":"{run}",` + rest + `}`})
	}
	typed := func(rest string) { // is stored by MLflow's server, so in a run apart
		all = append(all, ask{call: "POST runs/log-metric", body: `{"run_id":"{odd}",` + rest + `}`,
			ours: untyped})
	}
	for _, value := range []string{`"NaN"`, `"Infinity"`, `"-Infinity"`, `"1.5"`, `2`, `-0.0`, `"x"`,
		`null`, `""`} {
		post(`"key":"m","value":` + value + `,"timestamp":10`)
	}
	for _, timestamp := range []string{`"11"`, `12.0`, `-1`, `"x"`, `null`, `0`} {
		post(`"key":"m","value":1,"timestamp":` + timestamp)
	}
	for _, step := range []string{`"3"`, `4`, `-5`, `"x"`, `null`, `9223372036854775807`} {
		post(`"key":"m","value":1,"timestamp":20,"step":` + step)
	}
	typed(`"key":"m","value":true,"timestamp":10`)
	all = append(all, ask{call: "POST runs/log-metric",
		body: `{"run_id":"{odd}","key":"m","value":1e400,"timestamp":10}`}) // MLflow stores 0
	typed(`"key":"m","value":[1],"timestamp":10`)
	typed(`"key":"m","value":1,"timestamp":12.5`)
	typed(`"key":"m","value":1,"timestamp":20,"step":1.5`)
	typed(`"key":"m","value":1,"timestamp":20,"step":9223372036854775808`)
	for _, key := range []string{`""`, `null`, `1`, `"a#b"`, `"../a"`, `"a/../b"`, `"/a"`, `"a//b"`,
		`"a/b"`, `"a b"`, `"a:b"`, `"é"`, `"."`, `"` + long + `"`} {
		post(`"key":` + key + `,"value":1,"timestamp":30`)
	}
	post(`"value":1,"timestamp":30`)
	post(`"key":"m","timestamp":30`)
	post(`"key":"m","value":1`)
	return append(all,
		ask{call: "POST runs/log-metric", body: `{"key":"m","value":1,"timestamp":30}`},
		ask{call: "POST runs/log-metric", body: `{"run_id":31,"key":"m","value":1,"timestamp":30}`},
		ask{call: "POST runs/log-metric",
			body: `{"run_id":"none","key":"m","value":1,"timestamp":30}`},
		ask{call: "POST runs/log-metric",
			body: `{"run_uuid":"{run}","key":"by uuid","value":1,"timestamp":30}`},
		ask{call: "GET runs/get?run_id={run}"},
	)
}

func paramAndTagAsks() []ask {
	list := func(n int, item string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf(item, i)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return []ask{
		{call: "POST runs/log-parameter", body: `{"run_id":"{run}","key":"p","value":"1"}`},
		{call: "POST runs/log-parameter", body: `{"run_id":"{run}","key":"p","value":"1"}`},
		{call: "POST runs/log-parameter", body: `{"run_id":"{run}","key":"p","value":"2"}`},
		{call: "POST runs/log-parameter", body: `{"run_id":"{run}","key":"p","value":2}`},
		{call: "POST runs/log-parameter", body: `{"run_id":"{run}","key":"q"}`},
		{call: "POST runs/log-parameter", body: `{"run_id":"{run}","key":"r","value":""}`},
		{call: "POST runs/log-parameter", body: `{"run_id":"{run}","value":"1"}`},
		{call: "POST runs/log-parameter", body: `{"run_id":"{run}","key":"a#","value":"1"}`},
		{call: "POST runs/log-parameter", body: `{"run_id":"{run}","key":"` + long + `","value":"1"}`},
		{call: "POST runs/log-parameter",
			body: `{"run_id":"{run}","key":"long","value":"` + strings.Repeat("x", 6001) + `"}`},
		{call: "POST runs/log-parameter", body: `{"run_id":"none","key":"p","value":"1"}`},
		{call: "POST runs/set-tag", body: `{"run_id":"{run}","key":"t","value":"2"}`},
		{call: "POST runs/set-tag", body: `{"run_id":"{run}","key":"t","value":3}`},
		{call: "POST runs/set-tag", body: `{"run_id":"{run}","key":"u"}`},
		{call: "POST runs/set-tag", body: `{"run_id":"{run}","value":"2"}`},
		{call: "POST runs/set-tag", body: `{"run_id":"{run}","key":"a#","value":"2"}`},
		{call: "POST runs/set-tag", body: `{"run_id":"{run}","key":"` + long + `","value":"2"}`},
		{call: "POST runs/set-tag",
			body: `{"run_id":"{run}","key":"long","value":"` + strings.Repeat("x", 8001) + `"}`},
		{call: "POST runs/set-tag", body: `{"run_id":"none","key":"t","value":"2"}`},
		{call: "POST runs/set-tag", body: `{"run_id":"{run}","key":"mlflow.runName","value":"tagged"}`},
		{call: "POST runs/delete-tag", body: `{"run_id":"{run}","key":"long"}`},
		{call: "POST runs/delete-tag", body: `{"run_id":"{run}","key":"long"}`},
		{call: "POST runs/delete-tag", body: `{"run_id":"{run}"}`},
		{call: "POST runs/delete-tag", body: `{"run_id":"none","key":"t"}`},
		{call: "POST runs/log-batch", body: `{}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}"}`},
		{call: "POST runs/log-batch", body: `{"run_id":"none"}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","metrics":"m"}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","metrics":[{"key":"m"}]}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","metrics":[{"key":"m","value":1}]}`},
		{call: "POST runs/log-batch",
			body: `{"run_id":"{odd}","metrics":[{"key":"m","value":"x","timestamp":1,"step":0}]}`,
			ours: untyped},
		{call: "POST runs/log-batch",
			body: `{"run_id":"{two}","metrics":[{"key":"a#","value":1,"timestamp":1,"step":0}]}`},
		{call: "POST runs/log-batch",
			body: `{"run_id":"{two}","metrics":[{"key":"m","value":1,"timestamp":-1,"step":0}]}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","params":[{"value":"1"}]}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","params":[{"key":"p"}]}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","params":[{"key":"a#","value":"1"}]}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","params":` +
			`[{"key":"same","value":"1"},{"key":"same","value":"1"}]}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","params":` +
			`[{"key":"other","value":"1"},{"key":"other","value":"2"}]}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{run}","params":` +
			`[{"key":"new","value":"1"},{"key":"p","value":"2"}]}`, ours: wording},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","tags":[{"value":"1"}]}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","tags":[{"key":"a#","value":"1"}]}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","tags":` +
			`[{"key":"twice","value":"1"},{"key":"twice","value":"2"}]}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","metrics":` +
			list(1001, `{"key":"m%d","value":1,"timestamp":1,"step":0}`) + `}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","params":` +
			list(101, `{"key":"p%d","value":"1"}`) + `}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","tags":` +
			list(101, `{"key":"t%d","value":"1"}`) + `}`},
		{call: "POST runs/log-batch", body: `{"run_id":"{two}","metrics":` +
			list(950, `{"key":"m%d","value":1,"timestamp":1,"step":0}`) + `,"params":` +
			list(51, `{"key":"p%d","value":"1"}`) + `}`},
		{call: "GET runs/get?run_id={two}"},
		{call: "GET runs/get?run_id={run}"},
	}
}

var historyAsks = []ask{
	{call: "GET metrics/get-history"},
	{call: "GET metrics/get-history?run_id={run}"},
	{call: "GET metrics/get-history?run_id=none&metric_key=m", ours: noRun},
	{call: "GET metrics/get-history?run_id={run}&metric_key=none"},
	{call: "GET metrics/get-history?run_id={run}&metric_key=m",
		ours: bySteps},
	{call: "GET metrics/get-history?run_id={run}&metric_key=m&max_results=0"},
	{call: "GET metrics/get-history?run_id={run}&metric_key=m&max_results=x", ours: untyped},
	{call: "GET metrics/get-history?run_id={run}&metric_key=m&max_results=3",
		keep: "page=next_page_token",
		ours: bySteps},
	{call: "GET metrics/get-history?run_id={run}&metric_key=m&max_results=3&page_token={page}",
		ours: bySteps},
	{call: "GET metrics/get-history?run_id={run}&metric_key=m&max_results=3&page_token=x",
		ours: tokens},
	{call: "GET /ajax-api/2.0/mlflow/metrics/get-history-bulk"},
	{call: "GET /ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id={run}"},
	{call: "GET /ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id={run}&metric_key=a/b"},
	{call: "GET /ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id={run}&metric_key=m&max_results=4",
		ours: notJSON},
	{call: "GET /ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id=none&metric_key=m"},
	{call: "GET metrics/get-history-bulk-interval"},
	{call: "GET metrics/get-history-bulk-interval?run_ids={run}"},
	{call: "GET metrics/get-history-bulk-interval?run_ids={run}&metric_key=a/b"},
	{call: "GET metrics/get-history-bulk-interval?run_ids={run}&metric_key=m&max_results=3"},
	{call: "GET metrics/get-history-bulk-interval?run_ids={run}&metric_key=m&max_results=1"},
	{call: "GET metrics/get-history-bulk-interval?run_ids={run}&metric_key=m&max_results=0"},
	{call: "GET metrics/get-history-bulk-interval?run_ids={run}&metric_key=m&max_results=2501"},
	{call: "GET metrics/get-history-bulk-interval?run_ids={run}&metric_key=m&start_step=1"},
	{call: "GET metrics/get-history-bulk-interval?run_ids={run}&metric_key=m&start_step=4&end_step=1"},
	{call: "GET metrics/get-history-bulk-interval?run_ids={run}&metric_key=m&start_step=1&end_step=4"},
	{call: "GET metrics/get-history-bulk-interval?run_ids=none&metric_key=m", ours: noRun},
	{call: "GET metrics/get-history-bulk-interval?run_ids={run}&run_ids={two}&metric_key=none"},
}

var inputAsks = []ask{
	{call: "POST runs/log-inputs", body: `{}`},
	{call: "POST runs/log-inputs", body: `{"run_id":"none"}`},
	{call: "POST runs/log-inputs", body: `{"run_id":"{odd}","datasets":[{}]}`, ours: untyped},
	{call: "POST runs/log-inputs", body: `{"run_id":"{odd}","datasets":[{"dataset":{"name":"d"}}]}`,
		ours: untyped},
	{call: "POST runs/log-inputs", body: `{"run_id":"{run}","datasets":[{"dataset":{"name":"d",` +
		`"digest":"1","source_type":"local","source":"s"},` +
		`"tags":[{"key":"mlflow.data.context","value":"training"}]}]}`},
	{call: "POST runs/log-inputs", body: `{"run_id":"{run}","datasets":[{"dataset":{"name":"e",` +
		`"digest":"2","source_type":"local","source":"s","schema":"{}","profile":"{}"}}]}`},
	{call: "POST runs/log-inputs", body: `{"run_id":"{run}","datasets":[{"dataset":{"name":"` +
		strings.Repeat("x", 501) + `","digest":"1","source_type":"local","source":"s"}}]}`,
		ours: wording},
	{call: "POST runs/outputs", body: `{"run_id":"{run}"}`},
	{call: "POST /api/2.0mlflow/experiments/search-datasets", body: `{}`, ours: slash},
	{call: "POST /api/2.0mlflow/experiments/search-datasets", body: `{"experiment_ids":["1","99"]}`,
		ours: slash},
	{call: "POST /ajax-api/2.0/mlflow/experiments/search-datasets", body: `{"experiment_ids":["1"]}`},
	{call: "POST /ajax-api/2.0/mlflow/experiments/search-datasets", body: `{"experiment_ids":[` +
		strings.Repeat(`"1",`, 20) + `"1"]}`},
	{call: "GET runs/get?run_id={run}"},
	{call: "POST runs/log-model", body: `{"run_id":"{odd}"}`},
	{call: "POST runs/log-model", body: `{"run_id":"{odd}","model_json":"{"}`},
	{call: "POST runs/log-model", body: `{"run_id":"{odd}","model_json":` +
		`"{\"artifact_path\":\"m\",\"flavors\":{},\"utc_time_created\":\"t\"}"}`},
	{call: "POST runs/log-model", body: `{"run_id":"{odd}","model_json":"{\"artifact_path\":\"m\",` +
		`\"flavors\":{\"f\":{\"a\":1,\"config\":2}},\"utc_time_created\":\"t\",\"run_id\":\"{odd}\",` +
		`\"model_uuid\":\"u\"}"}`},
	{call: "GET metrics/get-history?run_id={two}&metric_key=m0"},
}

var artifactAsks = []ask{
	{call: "GET artifacts/list"},
	{call: "GET artifacts/list?run_id=none"},
	{call: "GET artifacts/list?run_id={run}"},
	{call: "PUT /api/2.0/mlflow-artifacts/artifacts/1/{run}/artifacts/model/MLmodel",
		body: `flavors: {}`},
	{call: "PUT /api/2.0/mlflow-artifacts/artifacts/1/{run}/artifacts/a%20b.txt", body: `text`},
	{call: "POST /ajax-api/2.0/mlflow/upload-artifact", body: `text`},
	{call: "POST /ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}", body: `text`},
	{call: "POST /ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=up/loaded.txt", body: ``},
	{call: "POST /ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=up/loaded.txt",
		body: `text`},
	{call: "POST /ajax-api/2.0/mlflow/upload-artifact?run_uuid=none&path=up/loaded.txt", body: `text`},
	{call: "POST /ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=../up.txt", body: `text`,
		ours: wording},
	{call: "GET artifacts/list?run_id={run}"},
	{call: "GET artifacts/list?run_id={run}&path=model"},
	{call: "GET artifacts/list?run_id={run}&path=none"},
	{call: "GET artifacts/list?run_id={run}&path=../x", ours: wording},
	{call: "GET artifacts/list?run_id={run}&path=/etc", ours: wording},
	{call: "GET /api/2.0/mlflow-artifacts/artifacts?path=1/{run}/artifacts"},
	{call: "GET /api/2.0/mlflow-artifacts/artifacts?path=../x", ours: wording},
	{call: "GET /api/2.0/mlflow-artifacts/artifacts/1/{run}/artifacts/none.txt", ours: wording},
	{call: "GET /api/2.0/mlflow-artifacts/artifacts/1/{run}/artifacts/a%20b.txt"},
	{call: "GET /get-artifact?run_id={run}&path=up/loaded.txt"},
	{call: "GET /get-artifact?run_id={run}&path=none.txt", ours: wording},
	{call: "GET /get-artifact?run_id=none&path=a", ours: wording},
	{call: "GET /get-artifact?run_id={run}&path=../../a", ours: wording},
	{call: "DELETE /api/2.0/mlflow-artifacts/artifacts/1/{run}/artifacts/up/loaded.txt"},
}

var searchAsks = []ask{
	{call: "POST runs/search", body: `{}`},
	{call: "POST runs/search", body: `{"experiment_ids":["1"],"max_results":1}`,
		keep: "page=next_page_token"},
	{call: "POST runs/search", body: `{"experiment_ids":["1"],"max_results":1,"page_token":"{page}"}`},
	{call: "POST runs/search", body: `{"experiment_ids":["1"],"max_results":1,"page_token":"x"}`,
		ours: tokens},
	{call: "POST runs/search", body: `{"experiment_ids":["1"],"max_results":0}`},
	{call: "POST runs/search", body: `{"experiment_ids":["1"],"max_results":50001}`, ours: wording},
	{call: "POST runs/search", body: `{"experiment_ids":["1"],"run_view_type":"NO"}`,
		ours: untyped},
	{call: "POST runs/search", body: `{"experiment_ids":"1"}`},
	{call: "POST runs/search", body: `{"experiment_ids":["1"],"filter":"metrics.m > 'x'"}`,
		ours: wording},
	{call: "POST runs/search", body: `{"experiment_ids":["99"]}`},
}

// orderAsks are about runs whose metric is NaN, infinite, the same, or not there.
func orderAsks() []ask {
	all := []ask{{call: "POST experiments/create", body: `{"name":"order"}`,
		keep: "exp=experiment_id"}}
	for i, value := range []string{`"NaN"`, `1`, `"Infinity"`, ``, `"-Infinity"`, `1`, `-3.5`} {
		run := fmt.Sprintf("ordered%d", i)
		all = append(all, ask{call: "POST runs/create", keep: run + "=run.info.run_id",
			body: fmt.Sprintf(`{"experiment_id":"{exp}","run_name":"%d","start_time":%d}`, i, 100+i)})
		if value != "" {
			all = append(all, ask{call: "POST runs/log-metric", body: fmt.Sprintf(
				`{"run_id":"{%s}","key":"o","value":%s,"timestamp":1}`, run, value)})
		}
		if i%2 == 0 {
			all = append(all, ask{call: "POST runs/log-parameter", body: fmt.Sprintf(
				`{"run_id":"{%s}","key":"p","value":"%d"}`, run, 9-i)})
		}
	}
	for _, order := range []string{`"metrics.o"`, `"metrics.o DESC"`,
		`"metrics.o ASC","start_time ASC"`, `"params.p"`, `"params.p DESC"`, `"metrics.none"`,
		`"start_time ASC"`, `"attributes.run_name DESC"`,
		`"status","start_time"`} {
		all = append(all, ask{call: "POST runs/search",
			body: `{"experiment_ids":["{exp}"],"order_by":[` + order + `]}`})
	}
	for _, order := range []string{`color`, `metrics.o sideways`, ``} {
		all = append(all, ask{call: "POST runs/search", ours: wording,
			body: `{"experiment_ids":["{exp}"],"order_by":["` + order + `"]}`})
	}
	for _, filter := range []string{"metrics.o > 0", "metrics.o != 1", "metrics.o <= 1",
		"params.p = '9'", "params.p != '9'", "params.p LIKE '%'", "attributes.start_time > 102",
		"run_name = '1'", "tags.mlflow.runName = '1'", "tags.`mlflow.runName` = '1'",
		"status = 'RUNNING'",
		"metrics.o = 1 and params.p = '9'"} {
		all = append(all, ask{call: "POST runs/search",
			body: `{"experiment_ids":["{exp}"],"filter":"` + filter + `"}`})
	}
	for _, filter := range []string{"color = 1", "metrics.o", "params.p > 1", "="} {
		all = append(all, ask{call: "POST runs/search", ours: wording,
			body: `{"experiment_ids":["{exp}"],"filter":"` + filter + `"}`})
	}
	return all
}

var lifecycleAsks = []ask{
	{call: "POST runs/delete", body: `{}`},
	{call: "POST runs/delete", body: `{"run_id":"none"}`},
	{call: "POST runs/restore", body: `{"run_id":"{two}"}`},
	{call: "POST runs/delete", body: `{"run_id":"{two}"}`},
	{call: "POST runs/delete", body: `{"run_id":"{two}"}`},
	{call: "POST runs/log-metric", body: `{"run_id":"{two}","key":"m","value":1,"timestamp":1}`},
	{call: "POST runs/log-parameter", body: `{"run_id":"{two}","key":"late","value":"1"}`},
	{call: "POST runs/set-tag", body: `{"run_id":"{two}","key":"t","value":"1"}`},
	{call: "POST runs/log-batch", body: `{"run_id":"{two}","tags":[{"key":"t","value":"1"}]}`},
	{call: "POST runs/update", body: `{"run_id":"{two}","status":"FAILED"}`},
	{call: "POST runs/restore", body: `{"run_id":"{two}"}`},
	{call: "POST runs/restore", body: `{"run_id":"none"}`},
	{call: "POST experiments/create", body: `{"name":"gone"}`, keep: "gone=experiment_id"},
	{call: "POST runs/create", body: `{"experiment_id":"{gone}","run_name":"in gone"}`,
		keep: "three=run.info.run_id"},
	{call: "POST experiments/restore", body: `{"experiment_id":"{gone}"}`},
	{call: "POST experiments/delete", body: `{"experiment_id":"{gone}"}`},
	{call: "POST experiments/delete", body: `{"experiment_id":"{gone}"}`},
	{call: "POST experiments/delete", body: `{}`},
	{call: "POST experiments/delete", body: `{"experiment_id":"99"}`},
	{call: "GET experiments/get?experiment_id={gone}"},
	{call: "GET experiments/get-by-name?experiment_name=gone"},
	{call: "POST experiments/update", body: `{"experiment_id":"{gone}","new_name":"x"}`,
		ours: broken},
	{call: "POST experiments/set-experiment-tag",
		body: `{"experiment_id":"{gone}","key":"k","value":"v"}`},
	{call: "POST runs/create", body: `{"experiment_id":"{gone}"}`},
	{call: "GET runs/get?run_id={three}"},
	{call: "POST experiments/search", body: `{"max_results":9,"view_type":"DELETED_ONLY"}`},
	{call: "POST experiments/restore", body: `{"experiment_id":"{gone}"}`},
	{call: "POST experiments/restore", body: `{"experiment_id":"99"}`},
	{call: "GET runs/get?run_id={three}"},
	{call: "POST experiments/delete", body: `{"experiment_id":"{gone}"}`},
	{call: "POST experiments/create", body: `{"name":"gone"}`, ours: reuse},
}

var loggedModelAsks = []ask{
	{call: "POST logged-models", body: `{}`},
	{call: "POST logged-models", body: `{"experiment_id":"99","name":"lm"}`},
	{call: "POST logged-models", body: `{"experiment_id":"1","name":"a/b"}`},
	{call: "POST logged-models", body: `{"experiment_id":"1","name":"lm","params":"p"}`},
	{call: "POST logged-models", body: `{"experiment_id":"1","name":"lm","model_type":"t",` +
		`"source_run_id":"{run}","params":[{"key":"p","value":"1"}],"tags":[{"key":"t","value":"1"}]}`,
		keep: "model=model.info.model_id"},
	{call: "GET logged-models/none"},
	{call: "GET logged-models/{model}"},
	{call: "PATCH logged-models/{model}", body: `{"model_id":"{model}"}`},
	{call: "PATCH logged-models/{model}", body: `{"model_id":"{model}","status":"BEST"}`,
		ours: untyped},
	{call: "PATCH logged-models/{model}",
		body: `{"model_id":"{model}","status":"LOGGED_MODEL_READY"}`},
	{call: "PATCH logged-models/none", body: `{"model_id":"none","status":"LOGGED_MODEL_READY"}`},
	{call: "PATCH logged-models/{model}/tags", body: `{"tags":[{"key":"u","value":"2"}]}`},
	{call: "PATCH logged-models/none/tags", body: `{"tags":[{"key":"u","value":"2"}]}`},
	{call: "DELETE logged-models/{model}/tags/u"},
	{call: "DELETE logged-models/{model}/tags/u"},
	{call: "POST logged-models/{model}/params",
		body: `{"model_id":"{model}","params":[{"key":"q","value":"2"}]}`},
	{call: "POST logged-models/none/params",
		body: `{"model_id":"none","params":[{"key":"q","value":"2"}]}`},
	{call: "POST runs/outputs", body: `{"run_id":"{run}","models":[{"model_id":"{model}","step":2}]}`},
	{call: "POST runs/log-metric", body: `{"run_id":"{run}","key":"lmm","value":1,"timestamp":1,` +
		`"model_id":"{model}","dataset_name":"d","dataset_digest":"1"}`},
	{call: "GET logged-models/{model}"},
	{call: "GET logged-models/{model}/artifacts/directories"},
	{call: "GET logged-models/none/artifacts/directories"},
	{call: "GET /ajax-api/2.0/mlflow/logged-models/{model}/artifacts/files", ours: badAsk},
	{call: "GET /ajax-api/2.0/mlflow/logged-models/{model}/artifacts/files?artifact_file_path=none",
		ours: wording},
	{call: "POST logged-models/search", body: `{}`},
	{call: "POST logged-models/search", body: `{"experiment_ids":["1"]}`},
	{call: "POST logged-models/search", body: `{"experiment_ids":["1"],"order_by":[{}]}`,
		ours: wording},
	{call: "POST logged-models/search", body: `{"experiment_ids":["1"],"filter":"color = 'x'"}`,
		ours: broken},
	{call: "DELETE logged-models/{model}"},
	{call: "DELETE logged-models/{model}", ours: gone},
	{call: "GET logged-models/{model}"},
	{call: "POST logged-models/search", body: `{"experiment_ids":["1"]}`},
}

var modelAsks = []ask{
	{call: "POST registered-models/create", body: `{}`},
	{call: "POST registered-models/create", body: `{"name":1}`},
	{call: "POST registered-models/create", body: `{"name":""}`},
	{call: "POST registered-models/create", body: `{"name":"a/b"}`, ours: wording},
	{call: "POST registered-models/create", body: `{"name":"a:b"}`, ours: wording},
	{call: "POST registered-models/create",
		body: `{"name":"m","description":"one","tags":[{"key":"t","value":"1"}]}`},
	{call: "POST registered-models/create", body: `{"name":"m"}`},
	{call: "POST registered-models/create", body: `{"name":"n"}`},
	{call: "GET registered-models/get"},
	{call: "GET registered-models/get?name=none"},
	{call: "GET registered-models/get?name=m"},
	{call: "PATCH registered-models/update", body: `{"name":"m","description":"two"}`},
	{call: "PATCH registered-models/update", body: `{"name":"none","description":"two"}`},
	{call: "PATCH registered-models/update", body: `{"description":"two"}`},
	{call: "POST registered-models/rename", body: `{"name":"n"}`},
	{call: "POST registered-models/rename", body: `{"name":"none","new_name":"o"}`},
	{call: "POST registered-models/rename", body: `{"name":"n","new_name":"m"}`, ours: wording},
	{call: "POST registered-models/rename", body: `{"name":"n","new_name":"a/b"}`, ours: wording},
	{call: "POST registered-models/rename", body: `{"name":"n","new_name":"o"}`},
	{call: "POST registered-models/set-tag", body: `{"name":"m","key":"u","value":"2"}`},
	{call: "POST registered-models/set-tag", body: `{"name":"m","value":"2"}`},
	{call: "POST registered-models/set-tag", body: `{"name":"m","key":"u"}`},
	{call: "POST registered-models/set-tag", body: `{"name":"none","key":"u","value":"2"}`},
	{call: "POST registered-models/set-tag", body: `{"name":"m","key":"` + long + `","value":"2"}`},
	{call: "POST registered-models/set-tag", body: `{"name":"m","key":"a#","value":"2"}`},
	{call: "DELETE registered-models/delete-tag", body: `{"name":"m","key":"u"}`},
	{call: "DELETE registered-models/delete-tag", body: `{"name":"m","key":"u"}`},
	{call: "DELETE registered-models/delete-tag", body: `{"name":"none","key":"u"}`},
	{call: "DELETE registered-models/delete-tag", body: `{"name":"m"}`},
	{call: "GET registered-models/search"},
	{call: "GET registered-models/search?max_results=1", keep: "page=next_page_token"},
	{call: "GET registered-models/search?max_results=1&page_token={page}"},
	{call: "GET registered-models/search?max_results=0", ours: usual},
	{call: "GET registered-models/search?max_results=x"},
	{call: "GET registered-models/search?max_results=1001", ours: wording},
	{call: "GET registered-models/search?max_results=1&page_token=x", ours: tokens},
	{call: "GET registered-models/search?order_by=name%20DESC"},
	{call: "GET registered-models/search?order_by=color", ours: wording},
	{call: "GET registered-models/search?filter=name%20LIKE%20'M%25'"},
	{call: "GET registered-models/search?filter=name%20ILIKE%20'M%25'"},
	{call: "GET registered-models/search?filter=color%20=%20'x'", ours: wording},
	{call: "DELETE registered-models/delete", body: `{}`},
	{call: "DELETE registered-models/delete", body: `{"name":"none"}`},
	{call: "DELETE registered-models/delete", body: `{"name":"o"}`},
	{call: "GET registered-models/get?name=o"},
	{call: "POST registered-models/create", body: `{"name":"` + long + `"}`, ours: lengths},
	{call: "DELETE registered-models/delete", body: `{"name":"` + long + `"}`, ours: lengths},
}

var versionAsks = []ask{
	{call: "POST model-versions/create", body: `{}`},
	{call: "POST model-versions/create", body: `{"name":"m"}`},
	{call: "POST model-versions/create", body: `{"name":"none","source":` +
		`"mlflow-artifacts:/1/{run}/artifacts/model","run_id":"{run}"}`},
	{call: "POST model-versions/create", body: `{"name":"m","source":"/etc"}`, ours: wording},
	{call: "POST model-versions/create", body: `{"name":"m","source":"file:///etc"}`,
		ours: wording},
	{call: "POST model-versions/create", body: `{"name":"m","source":` +
		`"mlflow-artifacts:/1/{run}/artifacts/../../x","run_id":"{run}"}`,
		ours: wording},
	{call: "POST model-versions/create", body: `{"name":"m","source":"models:/none/1"}`,
		ours: wording},
	{call: "POST model-versions/create", body: `{"name":"m","source":` +
		`"mlflow-artifacts:/1/{run}/artifacts/model","run_id":"{run}","description":"one",` +
		`"run_link":"http://x","tags":[{"key":"t","value":"1"}]}`},
	{call: "POST model-versions/create", body: `{"name":"m","source":` +
		`"mlflow-artifacts:/1/{run}/artifacts/model","run_id":"{run}"}`},
	{call: "GET model-versions/get?name=m"},
	{call: "GET model-versions/get?name=m&version=x"},
	{call: "GET model-versions/get?name=m&version=9"},
	{call: "GET model-versions/get?name=none&version=1"},
	{call: "GET model-versions/get?name=m&version=1"},
	{call: "PATCH model-versions/update", body: `{"name":"m","version":"1","description":"new"}`},
	{call: "PATCH model-versions/update", body: `{"name":"m","version":1,"description":"new"}`,
		ours: numbers},
	{call: "PATCH model-versions/update", body: `{"name":"m","version":"9","description":"new"}`},
	{call: "POST model-versions/set-tag", body: `{"name":"m","version":"1","key":"u","value":"2"}`},
	{call: "POST model-versions/set-tag", body: `{"name":"m","version":"1","value":"2"}`},
	{call: "POST model-versions/set-tag", body: `{"name":"m","version":"9","key":"u","value":"2"}`},
	{call: "DELETE model-versions/delete-tag", body: `{"name":"m","version":"1","key":"u"}`},
	{call: "DELETE model-versions/delete-tag", body: `{"name":"m","version":"1","key":"u"}`},
	{call: "POST model-versions/transition-stage", body: `{"name":"m","version":"1"}`},
	{call: "POST model-versions/transition-stage", body: `{"name":"m","version":"1","stage":"Best"}`},
	{call: "POST model-versions/transition-stage",
		body: `{"name":"m","version":"1","stage":"staging"}`},
	{call: "POST model-versions/transition-stage",
		body: `{"name":"m","version":"2","stage":"Staging",` +
			`"archive_existing_versions":true}`},
	{call: "POST model-versions/transition-stage",
		body: `{"name":"m","version":"9","stage":"Staging"}`},
	{call: "POST model-versions/transition-stage",
		body: `{"name":"m","version":"2","stage":"archived","archive_existing_versions":true}`,
		ours: broken},
	{call: "POST model-versions/transition-stage",
		body: `{"name":"m","version":"2","stage":"None","archive_existing_versions":true}`,
		ours: broken},
	{call: "GET registered-models/get?name=m"},
	{call: "POST registered-models/get-latest-versions", body: `{"name":"m"}`},
	{call: "POST registered-models/get-latest-versions", body: `{"name":"m","stages":["Archived"]}`},
	{call: "POST registered-models/get-latest-versions", body: `{"name":"none"}`},
	{call: "GET registered-models/get-latest-versions?name=m&stages=Staging&stages=None"},
	{call: "POST registered-models/alias", body: `{"name":"m","alias":"best","version":"1"}`},
	{call: "POST registered-models/alias", body: `{"name":"m","alias":"best","version":"2"}`},
	{call: "POST registered-models/alias", body: `{"name":"m","alias":"latest","version":"1"}`},
	{call: "POST registered-models/alias", body: `{"name":"m","alias":"v1","version":"1"}`},
	{call: "POST registered-models/alias", body: `{"name":"m","alias":"a b","version":"1"}`},
	{call: "POST registered-models/alias", body: `{"name":"m","alias":"x","version":"9"}`},
	{call: "POST registered-models/alias", body: `{"name":"m","alias":"x"}`},
	{call: "POST registered-models/alias", body: `{"name":"none","alias":"x","version":"1"}`},
	{call: "GET registered-models/alias?name=m&alias=best"},
	{call: "GET registered-models/alias?name=m&alias=none"},
	{call: "GET registered-models/alias?name=m"},
	{call: "GET registered-models/alias?name=none&alias=best"},
	{call: "GET registered-models/get?name=m"},
	{call: "DELETE registered-models/alias", body: `{"name":"m","alias":"best"}`},
	{call: "DELETE registered-models/alias", body: `{"name":"m","alias":"best"}`},
	{call: "DELETE registered-models/alias", body: `{"name":"m"}`},
	{call: "GET model-versions/get-download-uri?name=m&version=1"},
	{call: "GET model-versions/get-download-uri?name=m&version=9"},
	{call: "GET /model-versions/get-artifact?name=m&version=1&path=MLmodel"},
	{call: "GET /model-versions/get-artifact?name=m&version=9&path=MLmodel"},
	{call: "GET /model-versions/get-artifact?name=m&version=1&path=../a", ours: wording},
	{call: "GET model-versions/search"},
	{call: "GET model-versions/search?max_results=1", keep: "page=next_page_token"},
	{call: "GET model-versions/search?max_results=1&page_token={page}"},
	{call: "GET model-versions/search?max_results=0", ours: wording},
	{call: "GET model-versions/search?max_results=200001", ours: wording},
	{call: "GET model-versions/search?order_by=version_number%20ASC"},
	{call: "GET model-versions/search?order_by=name%20ASC"},
	{call: "GET registered-models/search?order_by=last_updated_timestamp%20DESC"},
	{call: "GET model-versions/search?order_by=color", ours: wording},
	{call: "GET model-versions/search?filter=run_id%20=%20'{run}'"},
	{call: "GET model-versions/search?filter=version_number%20=%201"},
	{call: "GET model-versions/search?filter=color%20=%20'x'", ours: wording},
	{call: "DELETE model-versions/delete", body: `{"name":"m"}`},
	{call: "DELETE model-versions/delete", body: `{"name":"m","version":"9"}`},
	{call: "DELETE model-versions/delete", body: `{"name":"m","version":"2"}`},
	{call: "GET model-versions/get?name=m&version=2"},
	{call: "DELETE registered-models/delete", body: `{"name":"m"}`},
	{call: "GET model-versions/get?name=m&version=1"},
	// Prompts are models with a tag.
	{call: "POST registered-models/create",
		body: `{"name":"p","tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]}`},
	{call: "POST model-versions/create", body: `{"name":"p","source":"dummy-source","tags":` +
		`[{"key":"mlflow.prompt.is_prompt","value":"true"},{"key":"mlflow.prompt.text","value":"Hi"}]}`},
	{call: "GET registered-models/search"},
	{call: "GET registered-models/search?filter=tags.%60mlflow.prompt.is_prompt%60%20=%20'true'"},
	{call: "GET model-versions/search"},
	{call: "GET model-versions/get-download-uri?name=p&version=1"},
}
