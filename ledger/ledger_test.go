package ledger_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

var project = fairlead.Project{K: 1, Name: "default"}

func open(t *testing.T, path string) (*store.DB, *ledger.Ledger) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: path}, ledger.Schema())
	if err != nil {
		t.Fatal(err)
	}
	led := ledger.New(db, fairlead.WallClock{}, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { led.Stop(); db.Close() })
	return db, led
}

func appendAlias(db *store.DB, led *ledger.Ledger, to int64) error {
	ctx := context.Background()
	return db.Write(ctx, store.Control, func(tx *store.Tx) error {
		_, err := led.Append(ctx, tx, project, "m", time.Time{}, event.AliasMoved{Model: "m", Alias: "live", To: to})
		return err
	})
}

func appendMany(t *testing.T, db *store.DB, led *ledger.Ledger, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := appendAlias(db, led, int64(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestAppend_NumbersWithoutGapsAlsoWhenWritesFail(t *testing.T) {
	db, led := open(t, filepath.Join(t.TempDir(), "f.db"))
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx := context.Background()
			db.Write(ctx, store.Control, func(tx *store.Tx) error {
				if _, err := led.Append(ctx, tx, project, "m", time.Time{}, event.AliasMoved{To: int64(i)}); err != nil {
					return err
				}
				if i%3 == 0 {
					return fmt.Errorf("write %d fails", i)
				}
				return nil
			})
		})
	}
	wg.Wait()
	rep, err := led.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if rep.Events != 133 {
		t.Errorf("%d events, want 133", rep.Events)
	}
}

func TestVerify_FindsTampering(t *testing.T) {
	for name, sql := range map[string]string{
		"body changed":    "update event set body = '{\"to\":9}' where seq = 3",
		"actor changed":   "update event set actor = 'user:eve' where seq = 3",
		"event removed":   "delete from event where seq = 3",
		"leaf changed":    "update leaf_hash set hash = zeroblob(32) where ix = 0",
		"subtree changed": "update leaf_hash set hash = zeroblob(32) where ix = 6",
	} {
		t.Run(name, func(t *testing.T) {
			db, led := open(t, filepath.Join(t.TempDir(), "f.db"))
			appendMany(t, db, led, 8)
			if _, err := led.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
				_, err := tx.Exec(sql)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := led.Verify(t.Context()); !fairlead.Is(err, fairlead.Conflict) {
				t.Errorf("verify after %s: %v", name, err)
			}
		})
	}
}

func TestVerify_AcceptsAnErasedBody(t *testing.T) {
	db, led := open(t, filepath.Join(t.TempDir(), "f.db"))
	appendMany(t, db, led, 5)
	err := db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		_, err := tx.Exec("update event set body = null, salt = null where seq = 2")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rep, err := led.Verify(t.Context())
	if err != nil || rep.Erased != 1 {
		t.Errorf("report %+v, error %v", rep, err)
	}
}

// The exported proof must be understood by an implementation that is not ours.
func TestProve_IsAcceptedByTransparencyDevMerkle(t *testing.T) {
	db, led := open(t, filepath.Join(t.TempDir(), "f.db"))
	appendMany(t, db, led, 77)
	for _, seq := range []int64{1, 2, 64, 65, 77} {
		p, err := led.Prove(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		var path [][]byte
		for _, h := range p.Path {
			path = append(path, unhex(t, h))
		}
		leaf := rfc6962.DefaultHasher.HashLeaf(p.Leaf)
		err = proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(seq-1), uint64(p.Size), leaf, path, unhex(t, p.Root))
		if err != nil {
			t.Errorf("event %d: %v", seq, err)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSubscribe_DeliversEachEventOnceAcrossRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.db")
	got := map[int64]int{}
	for round := range 3 {
		db, led := open(t, path)
		led.Subscribe(ledger.Subscription{Name: "count", Types: []string{event.AliasMovedType},
			Handle: func(_ context.Context, _ *store.Tx, r *ledger.Record) error {
				got[r.Seq]++
				return nil
			}})
		if err := led.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		appendMany(t, db, led, 20)
		waitIdle(t, led)
		led.Stop()
		db.Close()
		if len(got) != 20*(round+1) {
			t.Fatalf("round %d: %d events seen", round, len(got))
		}
	}
	for seq, n := range got {
		if n != 1 {
			t.Errorf("event %d delivered %d times", seq, n)
		}
	}
}

func TestSubscribe_RetriesAfterAnError(t *testing.T) {
	db, led := open(t, filepath.Join(t.TempDir(), "f.db"))
	calls := 0
	led.Subscribe(ledger.Subscription{Name: "flaky",
		Handle: func(context.Context, *store.Tx, *ledger.Record) error {
			if calls++; calls < 3 {
				return fmt.Errorf("call %d fails", calls)
			}
			return nil
		}})
	if err := led.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendMany(t, db, led, 1)
	waitIdle(t, led)
	if calls != 3 {
		t.Errorf("%d calls, want 3", calls)
	}
}

func waitIdle(t *testing.T, led *ledger.Ledger) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if ok, err := led.Idle(t.Context()); err != nil {
			t.Fatal(err)
		} else if ok {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("subscribers did not catch up in 10 s")
}

// Somebody with the database file can cut the newest events off and recompute the
// tree; the signed checkpoint shows it.
func TestVerify_SignedCheckpointShowsACutLedger(t *testing.T) {
	dir := t.TempDir()
	db, led := open(t, filepath.Join(dir, "f.db"))
	signer, err := ledger.OpenSigner(dir)
	if err != nil {
		t.Fatal(err)
	}
	led.SignWith(signer)
	if err := led.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendMany(t, db, led, 8)
	led.Stop()
	rep, err := led.Verify(t.Context())
	if err != nil || rep.Checkpoints != 1 || rep.PublicKey != signer.PublicKey() {
		t.Fatalf("report %+v, error %v", rep, err)
	}
	err = db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		if _, err := tx.Exec("delete from event where seq > 6"); err != nil {
			return err
		}
		_, err := tx.Exec("delete from leaf_hash where ix >= 10")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := led.Verify(t.Context()); !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("verify after the cut: %v", err)
	}
}
