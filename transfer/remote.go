package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

// remote is an MLflow server, asked as its own client asks it. It leads nowhere else: a
// redirection is an error.
type remote struct {
	base string // without a slash at its end
	from Source
	http *http.Client
	met  bool // it has answered before

	leave func(format string, args ...any)
}

// Bounds of what a server may do to us.
const (
	maxAnswer  = 256 << 20 // bytes of a JSON answer
	answerMax  = 5 * time.Minute
	maxDepth   = 64 // of directories of artifacts
	runsPage   = 50
	pointsPage = 10_000
	listPage   = 1000
)

func (s *Service) openRemote(u *url.URL, from Source) (*remote, error) {
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fairlead.Errorf(fairlead.Invalid, "write the server's address as http://host:5000, and "+
			"its user as FAIRLEAD_IMPORT_USERNAME")
	}
	dialer := net.Dialer{Timeout: connectMax}
	base := strings.TrimRight(u.String(), "/")
	return &remote{base: base, from: from, leave: s.leave, http: &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext,
			TLSHandshakeTimeout: connectMax, ResponseHeaderTimeout: answerMax,
			DisableCompression: true}, // files come as they are
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (c *remote) close() error {
	c.http.CloseIdleConnections()
	return nil
}

// refusal is an answer that is an error of the server's.
type refusal struct {
	status  int
	message string
}

func (e *refusal) Error() string { return fmt.Sprintf("%d: %s", e.status, e.message) }

// A request that a busy or restarting server does not take is sent again, after growing
// times: nothing there is changed by it.
const (
	askTimes  = 5
	askPause  = 200 * time.Millisecond
	pauseGrow = 3
)

// open sends a request, again where that helps, and returns the body of an answer that is
// no error.
func (c *remote) open(ctx context.Context, path string, query url.Values, in any) (io.ReadCloser,
	error) {
	for n, wait := 1, askPause; ; n, wait = n+1, pauseGrow*wait {
		body, err := c.ask(ctx, path, query, in)
		r := (*refusal)(nil)
		busy := errors.As(err, &r) && slices.Contains([]int{http.StatusTooManyRequests,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, r.status)
		gone := c.met && fairlead.Is(err, fairlead.Unavailable)
		if !busy && !gone || n == askTimes {
			return body, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// ask sends a request once.
func (c *remote) ask(ctx context.Context, path string, query url.Values, in any) (io.ReadCloser,
	error) {
	method, body := http.MethodGet, io.Reader(nil)
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		method, body = http.MethodPost, bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path+"?"+query.Encode(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	switch { // as MLflow's client: a user wins over a token
	case c.from.Username != "" && c.from.Password != "":
		req.SetBasicAuth(c.from.Username, c.from.Password)
	case c.from.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.from.Token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable, "%s cannot be asked: %w", c.base, err)
	}
	c.met = true
	if res.StatusCode == http.StatusOK {
		return res.Body, nil
	}
	defer res.Body.Close()
	return nil, c.refused(res)
}

func (c *remote) refused(res *http.Response) error {
	switch res.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fairlead.Errorf(fairlead.Precondition, "%s answers %d: set FAIRLEAD_IMPORT_USERNAME and "+
			"FAIRLEAD_IMPORT_PASSWORD, or FAIRLEAD_IMPORT_TOKEN, to those of an account that may read all",
			c.base, res.StatusCode)
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return fairlead.Errorf(fairlead.Invalid, "%s redirects to %.200q; name the server itself", c.base,
			res.Header.Get("Location"))
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return fairlead.Errorf(fairlead.Unavailable, "%s cannot be asked: %w", c.base, err)
	}
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &said) != nil || said.Message == "" {
		said.Message = string(text)
	}
	return &refusal{res.StatusCode, fmt.Sprintf("%.300s", said.Message)}
}

// call asks for JSON.
func (c *remote) call(ctx context.Context, path string, query url.Values, in, out any) error {
	body, err := c.open(ctx, path, query, in)
	if r := (*refusal)(nil); errors.As(err, &r) {
		code := fairlead.Unavailable
		if r.status == http.StatusNotFound {
			code = fairlead.NotFound
		}
		return fairlead.Errorf(code, "%s answers %s with %v", c.base, path, r)
	}
	if err != nil {
		return err
	}
	defer body.Close()
	limited := &io.LimitedReader{R: body, N: maxAnswer}
	err = json.NewDecoder(limited).Decode(out)
	switch {
	case err == nil:
		return nil
	case limited.N == 0:
		return fairlead.Errorf(fairlead.Unavailable, "%s answers %s with more than %d MB", c.base, path,
			maxAnswer>>20)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fairlead.Errorf(fairlead.Unavailable, "%s does not answer as an MLflow server does (%s): %w",
		c.base, path, err)
}

const api = "/api/2.0/mlflow/"

// pages asks for page after page, until ask returns no token.
func pages(ask func(token string) (next string, err error)) error {
	for token := ""; ; {
		next, err := ask(token)
		if err != nil || next == "" {
			return err
		}
		if next == token {
			return fairlead.Errorf(fairlead.Unavailable, "the server gives the same page again and again")
		}
		token = next
	}
}

// integer is a number that may come as text.
type integer int64

// UnmarshalJSON reads 1 and "1".
func (n *integer) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	if string(b) == "null" {
		err = nil
	}
	*n = integer(v)
	return err
}

// real is a number that may come as text, as those do that are no JSON.
type real float64

// UnmarshalJSON reads 1.5, "1.5", "NaN" and "Infinity".
func (x *real) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	if math.IsInf(v, 0) || string(b) == "null" {
		err = nil
	}
	*x = real(v)
	return err
}

// Forms of MLflow's API.
type (
	metricForm struct {
		Key           string
		Value         real
		Timestamp     integer
		Step          integer
		RunID         string `json:"run_id"`
		DatasetName   string `json:"dataset_name"`
		DatasetDigest string `json:"dataset_digest"`
	}
	runForm struct {
		Info struct {
			RunID     string  `json:"run_id"`
			Name      string  `json:"run_name"`
			User      string  `json:"user_id"`
			Status    string  `json:"status"`
			Start     integer `json:"start_time"`
			End       integer `json:"end_time"`
			State     string  `json:"lifecycle_stage"`
			Artifacts string  `json:"artifact_uri"`
		}
		Data struct {
			Metrics []metricForm
			Params  []tracking.Param
			Tags    []tracking.Tag
		}
		Inputs struct {
			Datasets []tracking.DatasetInput `json:"dataset_inputs"`
			Models   []struct {
				ID string `json:"model_id"`
			} `json:"model_inputs"`
		}
		Outputs struct {
			Models []struct {
				ID   string `json:"model_id"`
				Step integer
			} `json:"model_outputs"`
		}
	}
	modelForm struct {
		Info struct {
			ID        string  `json:"model_id"`
			Name      string  `json:"name"`
			Type      string  `json:"model_type"`
			RunID     string  `json:"source_run_id"`
			Status    string  `json:"status"`
			Created   integer `json:"creation_timestamp_ms"`
			Updated   integer `json:"last_updated_timestamp_ms"`
			Artifacts string  `json:"artifact_uri"`
			Tags      []tracking.Tag
		}
		Data struct {
			Params  []tracking.Param
			Metrics []metricForm
		}
	}
)

func (m *metricForm) metric() tracking.Metric {
	return tracking.Metric{Key: m.Key, Value: float64(m.Value), TimestampMS: int64(m.Timestamp),
		Step: int64(m.Step), RunID: m.RunID, DatasetName: m.DatasetName, DatasetDigest: m.DatasetDigest}
}

func (c *remote) experiments(ctx context.Context) (all []experiment, err error) {
	var deleted []experiment
	err = pages(func(token string) (string, error) {
		var page struct {
			Experiments []struct {
				ID      string  `json:"experiment_id"`
				Name    string  `json:"name"`
				State   string  `json:"lifecycle_stage"`
				Created integer `json:"creation_time"`
				Updated integer `json:"last_update_time"`
				Tags    []tracking.Tag
			}
			Next string `json:"next_page_token"`
		}
		err := c.call(ctx, api+"experiments/search", nil, map[string]any{"view_type": "ALL",
			"max_results": listPage, "page_token": token, "order_by": []string{"creation_time ASC"}}, &page)
		for _, e := range page.Experiments {
			x := experiment{Experiment: tracking.Experiment{ID: e.ID, Name: e.Name, State: e.State,
				CreatedMS: int64(e.Created), UpdatedMS: int64(e.Updated), Tags: e.Tags}}
			if x.State == tracking.Deleted {
				x.DeletedMS = max(x.UpdatedMS, 1)
				deleted = append(deleted, x)
			} else {
				all = append(all, x)
			}
		}
		return page.Next, err
	})
	return append(all, deleted...), err
}

func (c *remote) runs(ctx context.Context, exp string, each func(*run) error) error {
	return pages(func(token string) (string, error) {
		var page struct {
			Runs []runForm
			Next string `json:"next_page_token"`
		}
		// new runs come last, so that pages do not shift
		err := c.call(ctx, api+"runs/search", nil, map[string]any{"experiment_ids": []string{exp},
			"run_view_type": "ALL", "max_results": runsPage, "page_token": token,
			"order_by": []string{"attribute.start_time ASC"}}, &page)
		if err != nil {
			return "", err
		}
		for i := range page.Runs {
			r, err := c.run(ctx, page.Runs[i].Info.RunID)
			if fairlead.Is(err, fairlead.NotFound) { // it was removed meanwhile
				continue
			}
			if err == nil {
				err = each(r)
			}
			if err != nil {
				return "", err
			}
		}
		return page.Next, nil
	})
}

// run asks for a run by itself: searches leave out which logged models it read.
func (c *remote) run(ctx context.Context, id string) (*run, error) {
	var answer struct{ Run runForm }
	err := c.call(ctx, api+"runs/get", url.Values{"run_id": {id}}, nil, &answer)
	return answer.Run.run(), err
}

func (f *runForm) run() *run {
	i := &f.Info
	r := &run{Artifacts: i.Artifacts, Run: tracking.Run{ID: i.RunID, Name: i.Name, User: i.User,
		Status: i.Status, State: i.State, StartMS: int64(i.Start), EndMS: int64(i.End),
		Params: f.Data.Params, Tags: f.Data.Tags, Datasets: f.Inputs.Datasets}}
	if r.State == tracking.Deleted { // when is not told
		r.DeletedMS = max(r.StartMS, r.EndMS, 1)
	}
	for j := range f.Data.Metrics {
		r.Metrics = append(r.Metrics, f.Data.Metrics[j].metric())
	}
	for _, m := range f.Inputs.Models {
		r.ModelInputs = append(r.ModelInputs, m.ID)
	}
	for _, m := range f.Outputs.Models {
		r.ModelOutputs = append(r.ModelOutputs, tracking.ModelOutput{ModelID: m.ID, Step: int64(m.Step)})
	}
	return r
}

// points asks for the history of each metric. A server over a store of files gives a point
// as often as it was written, and one whose history grows may give it on two pages; it takes
// 8 bytes a point of a metric to count the different ones.
func (c *remote) points(ctx context.Context, _ string, r *run,
	each func(tracking.Metric) error) (n int, err error) {
	for _, latest := range r.Metrics {
		var seen []uint64
		query := url.Values{"run_id": {r.ID}, "metric_key": {latest.Key},
			"max_results": {strconv.Itoa(pointsPage)}}
		err := pages(func(token string) (string, error) {
			var page struct {
				Metrics []metricForm
				Next    string `json:"next_page_token"`
			}
			if token != "" {
				query.Set("page_token", token)
			}
			if err := c.call(ctx, api+"metrics/get-history", query, nil, &page); err != nil {
				return "", err
			}
			for i := range page.Metrics {
				m := page.Metrics[i].metric()
				seen = append(seen, identity(&m))
				if err := each(m); err != nil {
					return "", err
				}
			}
			return page.Next, nil
		})
		if err != nil {
			return n, err
		}
		n += different(seen)
	}
	return n, nil
}

func (c *remote) models(ctx context.Context, exp string, each func(*model) error) error {
	return pages(func(token string) (string, error) {
		var page struct {
			Models []modelForm
			Next   string `json:"next_page_token"`
		}
		err := c.call(ctx, api+"logged-models/search", nil, map[string]any{
			"experiment_ids": []string{exp}, "max_results": runsPage, "page_token": token,
			"order_by": []any{map[string]any{"field_name": "creation_time", "ascending": true}}}, &page)
		if token == "" && fairlead.Is(err, fairlead.NotFound) { // a server of MLflow 2 has none
			c.leave("logged models: %s", fairlead.MessageOf(err))
			return "", nil
		}
		if err != nil {
			return "", err
		}
		for i := range page.Models {
			if err := each(page.Models[i].model()); err != nil {
				return "", err
			}
		}
		return page.Next, nil
	})
}

func (f *modelForm) model() *model {
	i := &f.Info
	m := &model{Artifacts: i.Artifacts, LoggedModel: tracking.LoggedModel{ID: i.ID, RunID: i.RunID,
		Name: i.Name, Type: i.Type, State: tracking.Active, CreatedMS: int64(i.Created),
		UpdatedMS: int64(i.Updated), Tags: i.Tags, Params: f.Data.Params}}
	switch i.Status {
	case "LOGGED_MODEL_READY":
		m.Status = tracking.ModelReady
	case "LOGGED_MODEL_UPLOAD_FAILED":
		m.Status = tracking.ModelFailed
	default:
		m.Status = tracking.ModelPending
	}
	for j := range f.Data.Metrics {
		m.Metrics = append(m.Metrics, f.Data.Metrics[j].metric())
	}
	return m
}

func (c *remote) measured(_ context.Context, _ string, m *model,
	each func(tracking.Metric) error) (int, error) {
	var seen []uint64
	for _, x := range m.Metrics {
		seen = append(seen, identity(&x))
		if err := each(x); err != nil {
			return 0, err
		}
	}
	return different(seen), nil
}
