package monitor

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// keptBins is how many windows of an endpoint keep the counts of their bins: more than a
// year of hourly ones.
const keptBins = 10_000

// drifted is how far one feature of a window was from the reference, as win_bins keeps it:
// 9 bytes instead of the 130 that a window's detail has, so that the windows of a year can
// be drawn at once.
type drifted struct {
	PSI, Limit float32
	Red        uint8
}

const driftedBytes = 9

// appendTo is the inverse of decode.
func (d drifted) appendTo(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(d.PSI))
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(d.Limit))
	return append(b, d.Red)
}

// insertBins keeps what was counted in the window with that key, and forgets the window
// that is too old for it.
func insertBins(tx *store.Tx, p fairlead.Project, k int64, w *Window) error {
	if len(w.counted) == 0 {
		return nil
	}
	var names []string
	var counts [][]uint64
	var drifts []byte
	byName := map[string]FeatureDrift{}
	for _, d := range w.Features {
		byName[d.Name] = d
	}
	for _, f := range w.counted {
		d, ok := byName[f.Name]
		if !ok {
			continue
		}
		names, counts = append(names, f.Name), append(counts, f.counts())
		drifts = drifted{float32(d.PSI), float32(d.Limit), uint8(btoi(d.Red))}.appendTo(drifts)
	}
	nameText, err := json.Marshal(names)
	if err != nil {
		return err
	}
	countText, err := json.Marshal(counts)
	if err != nil {
		return err
	}
	_, err = tx.Exec("insert into win_bins (win_k, names, drifts, counts) values (?, ?, ?, ?)",
		k, string(nameText), drifts, string(countText))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`delete from win_bins where win_k in (select k from win where project_k = ?
		and endpoint = ? and kind = ? order by from_ms desc, k desc limit 10 offset ?)`,
		p.K, w.Endpoint, string(Drift), keptBins)
	return err
}

// readCounts returns what was counted of a feature in the window with that key, false when
// that is not kept.
func readCounts(tx *store.Tx, k int64, feature string) ([]uint64, bool, error) {
	var nameText, countText string
	err := tx.QueryRow("select names, counts from win_bins where win_k = ?", k).
		Scan(&nameText, &countText)
	if errors.Is(err, store.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	var names []string
	var counts [][]uint64
	if err := json.Unmarshal([]byte(nameText), &names); err != nil {
		return nil, false, err
	}
	if err := json.Unmarshal([]byte(countText), &counts); err != nil {
		return nil, false, err
	}
	for i, name := range names {
		if name == feature && i < len(counts) {
			return counts[i], true, nil
		}
	}
	return nil, false, nil
}

// driftRow is a window with the drift of each of its features.
type driftRow struct {
	*Window
	names  []string // may be shared with other rows
	drifts []drifted
}

func (r driftRow) window() *Window { return r.Window }

// eachDrift calls fn with the newest limit windows before a place, the newest first, until it
// returns false. Names are decoded once for windows next to each other that have the same.
func eachDrift(tx *store.Tx, p fairlead.Project, f WindowFilter, before windowCursor, limit int,
	fn func(driftRow) bool) error {
	q := `select w.k, w.model, w.version, w.from_ms, w.to_ms, w.state, w.value, w.limit_value, w.row_count,
		b.names, b.drifts, case when b.win_k is null then w.detail else '' end
		from win w left join win_bins b on b.win_k = w.k
		where w.project_k = ? and w.endpoint = ? and w.kind = ?`
	q, args := f.within(q, "w.", []any{p.K, f.Endpoint, string(Drift)})
	rows, err := tx.Query(q+` and (w.from_ms < ? or w.from_ms = ? and w.k < ?)
		order by w.from_ms desc, w.k desc limit ?`,
		append(args, before.FromMS, before.FromMS, before.K, limit)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var sameText []byte
	var same []string
	for rows.Next() {
		var from, to int64
		var names, drifts sql.RawBytes
		var detail string
		w := &Window{Endpoint: f.Endpoint, Kind: Drift}
		err := rows.Scan(&w.k, &w.Model, &w.Version, &from, &to, &w.State, &w.Value, &w.Limit, &w.Rows,
			&names, &drifts, &detail)
		if err != nil {
			return err
		}
		w.From, w.To = fairlead.FromMS(from), fairlead.FromMS(to)
		row := driftRow{Window: w}
		if names == nil {
			err = row.fromDetail(detail)
		} else {
			if !bytes.Equal(names, sameText) {
				sameText, same = bytes.Clone(names), nil
				if err := json.Unmarshal(names, &same); err != nil {
					return err
				}
			}
			row.names = same
			err = row.decode(drifts)
		}
		if err != nil {
			return fmt.Errorf("window of %s from %s: %w", w.Endpoint, w.From, err)
		}
		if !fn(row) {
			return nil
		}
	}
	return rows.Err()
}

func (r *driftRow) decode(b []byte) error {
	if len(b) != driftedBytes*len(r.names) {
		return fmt.Errorf("%d bytes are kept of %d features", len(b), len(r.names))
	}
	r.drifts = make([]drifted, len(r.names))
	for i := range r.drifts {
		at := b[driftedBytes*i:]
		r.drifts[i] = drifted{math.Float32frombits(binary.LittleEndian.Uint32(at)),
			math.Float32frombits(binary.LittleEndian.Uint32(at[4:])), at[8]}
	}
	return nil
}

// fromDetail takes the features of a window whose bins are not kept.
func (r *driftRow) fromDetail(detail string) error {
	var d windowDetail
	if err := json.Unmarshal([]byte(detail), &d); err != nil {
		return err
	}
	r.Reason = d.Reason
	for _, f := range d.Features {
		r.names = append(r.names, f.Name)
		r.drifts = append(r.drifts,
			drifted{float32(f.PSI), float32(f.Limit), uint8(btoi(f.Red))})
	}
	return nil
}
