package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// predicting is a server with one endpoint, which answers what it was asked.
func predicting(t *testing.T) (url string, asked *[]string) {
	t.Helper()
	asked = new([]string)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/projects/x/endpoints/m/form", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"inputs": [{"name": "v", "kind": "double"}, {"name": "n", "kind": "long"},
			{"name": "code", "kind": "string"}]}`)
	})
	answer := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*asked = append(*asked, r.URL.Path+" "+string(body))
		json.NewEncoder(w).Encode(predicted{Version: "3", ID: "rq_1",
			Outputs: []tensor{{Name: "y", Data: []any{1.5, "low"}}}})
	}
	mux.HandleFunc("POST /p/x/v2/models/m/infer", answer)
	mux.HandleFunc("POST /p/x/v2/models/m/versions/2/infer", answer)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestPredict_SendsRowsAsTheModelTakesThem(t *testing.T) {
	url, asked := predicting(t)
	got := command(t, "predict", "m", "-p", "x", "--server", url,
		`[{"v": 1, "n": 9007199254740993, "code": 7}, {"v": null, "odd": true}]`)
	want := `/p/x/v2/models/m/infer {"inputs":[` +
		`{"name":"code","shape":[2],"datatype":"BYTES","data":["7",null]},` +
		`{"name":"n","shape":[2],"datatype":"INT64","data":[9007199254740993,null]},` +
		`{"name":"odd","shape":[2],"datatype":"BYTES","data":[null,"true"]},` +
		`{"name":"v","shape":[2],"datatype":"FP64","data":[1,null]}]}`
	if len(*asked) != 1 || strings.TrimSpace((*asked)[0]) != want {
		t.Errorf("asked %q\nwant %q", *asked, want)
	}
	if got.status != 0 || !strings.Contains(got.out, "low") ||
		!strings.Contains(got.out, "version 3 answered request rq_1") {
		t.Errorf("%+v", got)
	}
}

func TestPredict_AsksAVersionAndLeavesNoTrace(t *testing.T) {
	url, asked := predicting(t)
	command(t, "predict", "m", "-p", "x", "--server", url, "--version", "2", "--trial", `{"v": 1}`)
	if len(*asked) != 1 || !strings.HasPrefix((*asked)[0], "/p/x/v2/models/m/versions/2/infer") ||
		!strings.Contains((*asked)[0], `"parameters":{"trial":true}`) {
		t.Errorf("asked %q", *asked)
	}
}

func TestPredict_RefusesWhatAreNoRows(t *testing.T) {
	url, asked := predicting(t)
	for _, rows := range []string{"", "[]", "[1]", `{"v": 1} x`, "v=1"} {
		got := command(t, "predict", "m", "-p", "x", "--server", url, rows)
		if got.status == 0 || !strings.Contains(got.stderr, "the rows must be JSON") {
			t.Errorf("%q: %+v", rows, got)
		}
	}
	if len(*asked) != 0 {
		t.Errorf("asked %q", *asked)
	}
}
