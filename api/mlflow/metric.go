package mlflow

import (
	"encoding/json"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

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
	if id, m, ok := (&cursor{s: string(b)}).metric(); ok {
		return id, m, nil
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
	if id, batch, ok := (&cursor{s: string(b)}).batch(); ok {
		return id, batch, nil
	}
	q, err := parseArgs(b)
	if err != nil {
		return "", tracking.Batch{}, err
	}
	id, batch := q.runID(), q.batch()
	return id, batch, q.err
}

// batch reads the metrics, params and tags of a request.
func (a *args) batch() tracking.Batch {
	b := tracking.Batch{Params: a.params("params"), Tags: a.tags("tags")}
	a.each("metrics", func(m *args) { b.Metrics = append(b.Metrics, m.metric()) })
	return b
}

// getHistory returns one page of a metric's points.
func (a *API) getHistory(c *call) error {
	id, key, limit := c.runID(), c.need("metric_key"), c.int("max_results")
	token := c.str("page_token")
	if c.has("max_results") && limit <= 0 {
		c.fail(fairlead.Errorf(fairlead.Invalid, "Invalid value %d for parameter 'max_results' "+
			"supplied. It must be a positive integer.", limit))
	}
	if c.err != nil {
		return c.err
	}
	page, err := a.tracking.MetricHistory(c.ctx(), c.p, id, key, int(limit), token)
	if err != nil {
		return err
	}
	if len(page.Items) == 0 {
		return c.done(nil)
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
