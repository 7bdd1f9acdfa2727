package loop

import (
	"errors"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/store"
)

// Answer is what the loop did about an incident when it looked at it, or why it left it.
type Answer struct {
	At   time.Time `json:"at"` // stream time
	Note string    `json:"note"`
}

// Response is all that the loop has done about an incident.
type Response struct {
	Cases   []*Case  `json:"cases"`   // that it opened, the oldest first
	Answers []Answer `json:"answers"` // the oldest first
}

// Responses returns what the loop did about each of the incidents, at most 1,000 of them.
func (s *Service) Responses(tx *store.Tx, p fairlead.Project, incidents []*monitor.Incident) (
	map[string]*Response, error) {
	out := map[string]*Response{}
	args := []any{p.K}
	for _, in := range incidents {
		out[in.ID] = &Response{Cases: []*Case{}, Answers: []Answer{}}
		args = append(args, in.ID)
	}
	if len(incidents) == 0 {
		return out, nil
	}
	named := " where project_k = ? and incident in (" + store.Placeholders(len(incidents)) + ") order by k"
	cases, err := scanCases(tx.Query(caseColumns+named, args...))
	if err != nil {
		return nil, err
	}
	for _, c := range cases {
		out[c.Incident].Cases = append(out[c.Incident].Cases, c)
	}
	rows, err := tx.Query("select incident, at_ms, note from loop_answer"+named, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var at int64
		var a Answer
		if err := rows.Scan(&id, &at, &a.Note); err != nil {
			return nil, err
		}
		a.At = fairlead.FromMS(at)
		out[id].Answers = append(out[id].Answers, a)
	}
	return out, rows.Err()
}

// answered keeps what the loop did about an incident, or why it did nothing; the same
// words again are not kept twice.
func (s *Service) answered(tx *store.Tx, p fairlead.Project, in *monitor.Incident, note string) error {
	var last string
	err := tx.QueryRow(`select note from loop_answer where project_k = ? and incident = ?
		order by k desc limit 1`, p.K, in.ID).Scan(&last)
	if err != nil && !errors.Is(err, store.ErrNoRows) || last == note {
		return err
	}
	at, err := s.Stream.NowOrWall(tx, p, in.Endpoint)
	if err != nil {
		return err
	}
	_, err = tx.Exec("insert into loop_answer (project_k, incident, at_ms, note) values (?, ?, ?, ?)",
		p.K, in.ID, fairlead.MS(at), note)
	return err
}
