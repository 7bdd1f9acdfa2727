package mlflow

import (
	"math"
	"net/http"

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

// getHistory returns the points of a metric: as many as are asked for, or else all.
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
	if limit == 0 {
		limit = math.MaxInt64
	}
	page, err := a.tracking.MetricHistory(c.ctx(), c.p, id, key, onePage(limit), token)
	if err != nil {
		return err
	}
	b := make([]byte, 0, 96*len(page.Items)+64)
	if limit -= int64(len(page.Items)); page.Next == "" || limit <= 0 {
		return c.replyJSON(appendPage(b, "metrics", page.Items, page.Next, appendMetric))
	}
	// More than one page is sent as it is read: it may be millions of points.
	c.w.Header().Set("Content-Type", "application/json")
	b = append(b, `{"metrics":`...)
	for open := byte('['); ; open = ',' {
		from := len(b)
		b = appendList(b, page.Items, appendMetric)
		b[from] = open
		if page.Next == "" || limit <= 0 {
			break
		}
		if _, err := c.w.Write(b[:len(b)-1]); err != nil {
			return nil // a client that left cannot be told
		}
		page, err = a.tracking.MetricHistory(c.ctx(), c.p, id, key, onePage(limit), page.Next)
		if err != nil {
			panic(http.ErrAbortHandler) // cut off, so that nobody takes it for whole
		}
		limit -= int64(len(page.Items))
		b = b[:0]
	}
	if page.Next != "" {
		b = appendText(append(b, `,"next_page_token":`...), page.Next)
	}
	c.w.Write(append(b, '}'))
	return nil
}

// onePage is how many of so many points are read at once.
func onePage(limit int64) int { return int(min(limit, tracking.HistoryPage)) }
