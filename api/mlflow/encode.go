package mlflow

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/fairlead-ml/fairlead/tracking"
)

// Runs and points of metrics are written without reflection: an answer has tens of
// thousands of them.

// appendText writes s as encoding/json does; most keys need no escape.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, err := json.Marshal(s)
			if err != nil {
				panic("mlflow: a text is always JSON: " + err.Error())
			}
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendNumber writes a double in protobuf's JSON form, in which NaN is a text.
func appendNumber(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

func appendMetric(b []byte, m *tracking.Metric) []byte {
	b = appendText(append(b, `{"key":`...), m.Key)
	b = appendNumber(append(b, `,"value":`...), m.Value)
	b = strconv.AppendInt(append(b, `,"timestamp":`...), m.TimestampMS, 10)
	b = strconv.AppendInt(append(b, `,"step":`...), m.Step, 10)
	b = appendOptional(b, "run_id", m.RunID)
	b = appendOptional(b, "model_id", m.ModelID)
	b = appendOptional(b, "dataset_name", m.DatasetName)
	b = appendOptional(b, "dataset_digest", m.DatasetDigest)
	return append(b, '}')
}

// appendOptional writes a field that is left out when it is empty.
func appendOptional(b []byte, field, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, `,"`...), field...), `":`...)
	return appendText(b, value)
}

// appendList writes the items in brackets.
func appendList[T any](b []byte, items []T, one func([]byte, *T) []byte) []byte {
	b = append(b, '[')
	for i := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, &items[i])
	}
	return append(b, ']')
}

// appendPage writes one page of a list in MLflow's form, which leaves empty lists out.
func appendPage[T any](b []byte, name string, items []T, next string,
	one func([]byte, *T) []byte) []byte {
	b = append(b, '{')
	if len(items) > 0 {
		b = append(append(append(b, '"'), name...), `":`...)
		b = appendList(b, items, one)
	}
	if next != "" {
		if len(items) > 0 {
			b = append(b, ',')
		}
		b = appendText(append(b, `"next_page_token":`...), next)
	}
	return append(b, '}')
}

// wireMetrics are points in MLflow's form.
type wireMetrics []tracking.Metric

// MarshalJSON implements json.Marshaler.
func (m wireMetrics) MarshalJSON() ([]byte, error) { return appendList(nil, m, appendMetric), nil }

func appendPair(b []byte, key, value string) []byte {
	b = appendText(append(b, `{"key":`...), key)
	return append(appendText(append(b, `,"value":`...), value), '}')
}

// appendData writes the metrics, params and tags of a run, and leaves empty lists out.
func appendData(b []byte, r *tracking.Run) []byte {
	b = append(b, '{')
	empty := len(b)
	field := func(name string, n int) bool {
		if n == 0 {
			return false
		}
		if len(b) > empty {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), name...), `":`...)
		return true
	}
	if field("metrics", len(r.Metrics)) {
		b = appendList(b, r.Metrics, appendMetric)
	}
	if field("params", len(r.Params)) {
		b = appendList(b, r.Params, func(b []byte, p *tracking.Param) []byte {
			return appendPair(b, p.Key, p.Value)
		})
	}
	if field("tags", len(r.Tags)) {
		b = appendList(b, r.Tags, func(b []byte, t *tracking.Tag) []byte {
			return appendPair(b, t.Key, t.Value)
		})
	}
	return append(b, '}')
}

// appendInfo writes what a run is, without its data.
func appendInfo(b []byte, r *tracking.Run) []byte {
	b = appendText(append(b, `{"run_id":`...), r.ID)
	b = appendText(append(b, `,"run_uuid":`...), r.ID)
	b = appendText(append(b, `,"run_name":`...), r.Name)
	b = appendText(append(b, `,"experiment_id":`...), r.ExperimentID)
	b = appendText(append(b, `,"user_id":`...), r.User)
	b = appendText(append(b, `,"status":`...), r.Status)
	b = strconv.AppendInt(append(b, `,"start_time":`...), r.StartMS, 10)
	if r.EndMS != 0 {
		b = strconv.AppendInt(append(b, `,"end_time":`...), r.EndMS, 10)
	}
	b = appendText(append(b, `,"artifact_uri":`...), r.ArtifactURI())
	b = appendText(append(b, `,"lifecycle_stage":`...), r.State)
	return append(b, '}')
}

// appendRun writes a run with its data, and with what it read and made.
func appendRun(b []byte, r *tracking.Run) []byte {
	b = appendNewRun(b, r)
	b = append(b[:len(b)-1], `,"outputs":{`...)
	if len(r.ModelOutputs) > 0 {
		b = appendList(append(b, `"model_outputs":`...), r.ModelOutputs, appendOutput)
	}
	return append(b, "}}"...)
}

// appendNewRun leaves out what a run has made.
func appendNewRun(b []byte, r *tracking.Run) []byte {
	b = appendInfo(append(b, `{"info":`...), r)
	b = appendData(append(b, `,"data":`...), r)
	b = append(b, `,"inputs":{`...)
	if len(r.Datasets) > 0 {
		b = appendList(append(b, `"dataset_inputs":`...), r.Datasets, appendDatasetInput)
	}
	if len(r.ModelInputs) > 0 {
		if len(r.Datasets) > 0 {
			b = append(b, ',')
		}
		b = appendList(append(b, `"model_inputs":`...), r.ModelInputs, func(b []byte, id *string) []byte {
			return append(appendText(append(b, `{"model_id":`...), *id), '}')
		})
	}
	return append(b, "}}"...)
}

func appendOutput(b []byte, m *tracking.ModelOutput) []byte {
	b = appendText(append(b, `{"model_id":`...), m.ModelID)
	return append(strconv.AppendInt(append(b, `,"step":`...), m.Step, 10), '}')
}

func appendDatasetInput(b []byte, d *tracking.DatasetInput) []byte {
	text, err := json.Marshal(d)
	if err != nil {
		panic("mlflow: a dataset is always JSON: " + err.Error())
	}
	return append(b, text...)
}
