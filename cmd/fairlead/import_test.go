package main

import "testing"

// What signs in here is not sent to another server.
func TestImportSource_SignsInWithWhatIsForThatServer(t *testing.T) {
	const there = "http://mlflow.example:5000"
	for name, tt := range map[string]struct {
		env  map[string]string
		want string // the token
	}{
		"ours":      {map[string]string{"FAIRLEAD_IMPORT_TOKEN": "a", "MLFLOW_TRACKING_TOKEN": "b"}, "a"},
		"elsewhere": {map[string]string{"MLFLOW_TRACKING_URI": "http://127.0.0.1:4747", "MLFLOW_TRACKING_TOKEN": "b"}, ""},
		"nowhere":   {map[string]string{"MLFLOW_TRACKING_TOKEN": "b"}, ""},
		"there":     {map[string]string{"MLFLOW_TRACKING_URI": there + "/", "MLFLOW_TRACKING_TOKEN": "b"}, "b"},
		"not mixed": {map[string]string{"MLFLOW_TRACKING_URI": there, "MLFLOW_TRACKING_TOKEN": "b",
			"FAIRLEAD_IMPORT_USERNAME": "ann"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, name := range []string{"FAIRLEAD_IMPORT_USERNAME", "FAIRLEAD_IMPORT_PASSWORD",
				"FAIRLEAD_IMPORT_TOKEN", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"} {
				t.Setenv(name, tt.env[name])
			}
			in, err := importSource(there, "")
			if err != nil || in["token"] != tt.want || in["from"] != there {
				t.Errorf("%v, %v; want the token %q", in, err, tt.want)
			}
		})
	}
}
