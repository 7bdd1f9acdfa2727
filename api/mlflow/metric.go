package mlflow

import (
	"encoding/json"
	"strconv"

	"github.com/bytedance/sonic"

	"github.com/fairlead-ml/fairlead/tracking"
)

// fast decodes without reflection. Invalid UTF-8 is replaced, as encoding/json does.
var fast = sonic.Config{ValidateString: true}.Froze()

// fastMetric is a metric with the types that clients ordinarily send. Anything
// else in a request sends it through args, which is slower and says what is wrong.
type fastMetric struct {
	Key           string   `json:"key"`
	Value         *float64 `json:"value"`
	Timestamp     *int64   `json:"timestamp"`
	Step          int64    `json:"step"`
	ModelID       string   `json:"model_id"`
	DatasetName   string   `json:"dataset_name"`
	DatasetDigest string   `json:"dataset_digest"`
}

func (m *fastMetric) complete() bool { return m.Key != "" && m.Value != nil && m.Timestamp != nil }

func (m *fastMetric) metric() tracking.Metric {
	return tracking.Metric{Key: m.Key, Value: *m.Value, TimestampMS: *m.Timestamp, Step: m.Step,
		ModelID: m.ModelID, DatasetName: m.DatasetName, DatasetDigest: m.DatasetDigest}
}

// logMetric stores one point.
func (a *API) logMetric(c *call) error {
	b, err := c.body()
	if err != nil {
		return err
	}
	id, m, err := readMetric(b)
	if err != nil {
		return err
	}
	return c.done(a.tracking.LogMetric(c.ctx(), c.p, id, m))
}

func readMetric(b []byte) (string, tracking.Metric, error) {
	var in struct {
		RunID string `json:"run_id"`
		fastMetric
	}
	if fast.Unmarshal(b, &in) == nil && in.RunID != "" && in.complete() {
		return in.RunID, in.metric(), nil
	}
	q, err := parseArgs(b)
	if err != nil {
		return "", tracking.Metric{}, err
	}
	id, m := q.runID(), q.metric()
	return id, m, q.err
}

// metric reads one metric of a request.
func (a *args) metric() tracking.Metric {
	return tracking.Metric{Key: a.need("key"), Value: a.float("value"),
		TimestampMS: a.needInt("timestamp"), Step: a.int("step"), ModelID: a.str("model_id"),
		DatasetName: a.str("dataset_name"), DatasetDigest: a.str("dataset_digest")}
}

// logBatch stores up to 1000 metrics, params and tags.
func (a *API) logBatch(c *call) error {
	b, err := c.body()
	if err != nil {
		return err
	}
	id, batch, err := readBatch(b)
	if err != nil {
		return err
	}
	return c.done(a.tracking.LogBatch(c.ctx(), c.p, id, batch))
}

func readBatch(b []byte) (string, tracking.Batch, error) {
	if id, batch, ok := fastBatch(b); ok {
		return id, batch, nil
	}
	q, err := parseArgs(b)
	if err != nil {
		return "", tracking.Batch{}, err
	}
	id := q.runID()
	batch := tracking.Batch{Params: q.params("params"), Tags: q.tags("tags")}
	q.each("metrics", func(m *args) { batch.Metrics = append(batch.Metrics, m.metric()) })
	return id, batch, q.err
}

// fastBatch decodes a batch whose every value has its ordinary type.
func fastBatch(b []byte) (string, tracking.Batch, bool) {
	var in struct {
		RunID   string           `json:"run_id"`
		Metrics []fastMetric     `json:"metrics"`
		Params  []tracking.Param `json:"params"`
		Tags    []tracking.Tag   `json:"tags"`
	}
	if fast.Unmarshal(b, &in) != nil || in.RunID == "" {
		return "", tracking.Batch{}, false
	}
	batch := tracking.Batch{Params: in.Params, Tags: in.Tags,
		Metrics: make([]tracking.Metric, len(in.Metrics))}
	for i := range in.Metrics {
		if !in.Metrics[i].complete() {
			return "", tracking.Batch{}, false
		}
		batch.Metrics[i] = in.Metrics[i].metric()
	}
	for _, p := range in.Params {
		if p.Key == "" {
			return "", tracking.Batch{}, false
		}
	}
	for _, t := range in.Tags {
		if t.Key == "" {
			return "", tracking.Batch{}, false
		}
	}
	return in.RunID, batch, true
}

// getHistory returns one page of a metric's points.
func (a *API) getHistory(c *call) error {
	id, key, limit := c.runID(), c.need("metric_key"), c.int("max_results")
	token := c.str("page_token")
	if c.err != nil {
		return c.err
	}
	page, err := a.tracking.MetricHistory(c.ctx(), c.p, id, key, int(limit), token)
	if err != nil {
		return err
	}
	name, err := json.Marshal(key)
	if err != nil {
		return err
	}
	b := make([]byte, 0, 96*len(page.Items)+64)
	return c.replyJSON(appendHistory(b, name, page.Items, page.Next))
}

// appendHistory writes the points without reflection: a page has up to 25,000.
func appendHistory(b, name []byte, points []tracking.Metric, next string) []byte {
	b = append(b, `{"metrics":[`...)
	for i := range points {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, `{"key":`...), name...)
		b = appendNumber(append(b, `,"value":`...), points[i].Value)
		b = strconv.AppendInt(append(b, `,"timestamp":`...), points[i].TimestampMS, 10)
		b = strconv.AppendInt(append(b, `,"step":`...), points[i].Step, 10)
		b = append(b, '}')
	}
	b = append(b, ']')
	if next != "" {
		b = append(append(append(b, `,"next_page_token":"`...), next...), '"')
	}
	return append(b, '}')
}
