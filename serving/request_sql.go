package serving

import (
	"database/sql"
	"errors"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// insertRows stores the rows from up to to of a request with its scores, and returns
// those that were stored before; they are left as they are.
func insertRows(tx *store.Tx, e *entry, from, to int) (known []int, err error) {
	for i := from; i < to; i++ {
		row := &e.rows[i]
		err := tx.QueryRow(`insert into request (project_k, endpoint, id, at_ms, received_ms, features, served_n, answer)
			values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing returning k`,
			e.endpoint.project.K, e.endpoint.name, row.id, e.atMS, e.receivedMS,
			row.features, e.served, row.answer).Scan(&row.k)
		if errors.Is(err, store.ErrNoRows) {
			row.k = 0
			known = append(known, i)
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := insertScores(tx, row.k, e.scores, i); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// insertOnce stores a new request. One that is stored already changes nothing, and
// gives what was answered then; Conflict when it had other inputs.
func insertOnce(tx *store.Tx, e *entry) (*answered, error) {
	known, err := insertRows(tx, e, 0, len(e.rows))
	if err != nil || len(known) == 0 {
		return nil, err
	}
	before := &answered{}
	same, kept := len(known) == len(e.rows), true
	for _, i := range known {
		var at int64
		var features, answer string
		err := tx.QueryRow(`select at_ms, features, served_n, answer from request
			where project_k = ? and endpoint = ? and id = ?`, e.endpoint.project.K, e.endpoint.name, e.rows[i].id).Scan(
			&at, &features, &before.version, &answer)
		if err != nil {
			return nil, err
		}
		same = same && features == e.rows[i].features && (!e.explicit || at == e.atMS)
		kept = kept && answer != ""
		before.rows = append(before.rows, answer)
	}
	if !same {
		return nil, fairlead.Errorf(fairlead.Conflict,
			"the id %q was used before, for a request with other inputs; an id names one request, "+
				"to which its ground truth is joined: send a new one, or none", e.id)
	}
	if !kept { // the log was not durable then
		return nil, nil
	}
	return before, nil
}

// insertScores stores what the versions said about a row. A score that is there already
// is left: a write that failed may have been one that was done.
func insertScores(tx *store.Tx, requestK int64, scores []score, row int) error {
	for _, sc := range scores {
		var value sql.NullFloat64
		var failure sql.NullString
		if sc.err != nil {
			failure = sql.NullString{String: fairlead.MessageOf(sc.err), Valid: true}
		} else {
			value.Float64, value.Valid = firstNumber(sc.outputs, row)
		}
		_, err := tx.Exec(`insert into prediction (request_k, model_n, role, value, error)
			values (?, ?, ?, ?, ?) on conflict do nothing`,
			requestK, sc.version, sc.role, value, failure)
		if err != nil {
			return err
		}
	}
	return nil
}

// Query selects requests of one endpoint by event time, From inclusive and To
// exclusive; the zero time is open.
type Query struct {
	From, To time.Time
	Versions []int64 // predictions of these versions only; empty: all
	Served   int64   // only requests that this version answered; 0: all
}

func (q Query) where(p fairlead.Project, endpoint string) (string, []any) {
	cond, args := " where r.project_k = ? and r.endpoint = ?", []any{p.K, endpoint}
	and := func(c string, v any) { cond, args = cond+" and "+c, append(args, v) }
	if !q.From.IsZero() {
		and("r.at_ms >= ?", q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		and("r.at_ms < ?", q.To.UnixMilli())
	}
	if q.Served != 0 {
		and("r.served_n = ?", q.Served)
	}
	if len(q.Versions) > 0 {
		cond += " and v.model_n in (" + store.Placeholders(len(q.Versions)) + ")"
		for _, n := range q.Versions {
			args = append(args, n)
		}
	}
	return cond, args
}

// Prediction is one version's score of one request: the model's first numeric output,
// booleans as 0 and 1. Failed tells that there is none: the version was asked and
// could not score the request, hangs and was left out for that, answered text alone, or
// nothing finite. A version that was not asked has no Prediction: it was not loaded,
// could not keep up, or the server stopped.
type Prediction struct {
	RequestID string
	AtMS      int64 // event time
	Served    int64 // the version that answered
	Version   int64
	Role      string
	Value     float64
	Failed    bool
}

// Predictions returns the scores of the selected requests in order of event time, id
// and version, whatever the order they came in.
func (s *Service) Predictions(tx *store.Tx, p fairlead.Project, endpoint string, q Query) (out []Prediction, err error) {
	err = s.EachPrediction(tx, p, endpoint, q, func(v Prediction) { out = append(out, v) })
	return out, err
}

// EachPrediction calls fn with what Predictions returns, one after the other.
func (s *Service) EachPrediction(tx *store.Tx, p fairlead.Project, endpoint string, q Query,
	fn func(Prediction)) error {
	cond, args := q.where(p, endpoint)
	rows, err := tx.Query(`select r.id, r.at_ms, r.served_n, v.model_n, v.role, v.value
		from request r join prediction v on v.request_k = r.k`+cond+
		" order by r.at_ms, r.id, v.model_n", args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var v Prediction
		var value sql.NullFloat64
		if err := rows.Scan(&v.RequestID, &v.AtMS, &v.Served, &v.Version, &v.Role, &value); err != nil {
			return err
		}
		v.Value, v.Failed = value.Float64, !value.Valid
		fn(v)
	}
	return rows.Err()
}

// LoggedRequest is one request as it was logged.
type LoggedRequest struct {
	ID       string
	AtMS     int64  // event time
	Features string // JSON object
	Served   int64
}

// Requests returns the selected requests in order of event time and id.
func (s *Service) Requests(tx *store.Tx, p fairlead.Project, endpoint string, q Query) (out []LoggedRequest, err error) {
	err = s.EachRequest(tx, p, endpoint, q, func(r LoggedRequest) error {
		out = append(out, r)
		return nil
	})
	return out, err
}

// EachRequest calls fn with what Requests returns, one after the other, until it fails.
func (s *Service) EachRequest(tx *store.Tx, p fairlead.Project, endpoint string, q Query,
	fn func(LoggedRequest) error) error {
	q.Versions = nil
	cond, args := q.where(p, endpoint)
	rows, err := tx.Query("select r.id, r.at_ms, r.features, r.served_n from request r"+cond+
		" order by r.at_ms, r.id", args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r LoggedRequest
		if err := rows.Scan(&r.ID, &r.AtMS, &r.Features, &r.Served); err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// CountRequests returns how many requests have event times in [from, to).
func (s *Service) CountRequests(tx *store.Tx, p fairlead.Project, endpoint string,
	from, to time.Time) (n int, err error) {
	err = tx.QueryRow(`select count(*) from request where project_k = ? and endpoint = ?
		and at_ms >= ? and at_ms < ?`, p.K, endpoint, from.UnixMilli(), to.UnixMilli()).Scan(&n)
	return n, err
}

// RequestTimes returns the event time of each of the ids that was logged.
func (s *Service) RequestTimes(tx *store.Tx, p fairlead.Project, endpoint string, ids []string) (map[string]int64, error) {
	out := make(map[string]int64, len(ids))
	for len(ids) > 0 {
		part := ids[:min(500, len(ids))]
		ids = ids[len(part):]
		args := []any{p.K, endpoint}
		for _, id := range part {
			args = append(args, id)
		}
		rows, err := tx.Query("select id, at_ms from request where project_k = ? and endpoint = ? and id in ("+
			store.Placeholders(len(part))+")", args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var id string
			var at int64
			if err := rows.Scan(&id, &at); err != nil {
				rows.Close()
				return nil, err
			}
			out[id] = at
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
