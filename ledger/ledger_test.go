package ledger_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

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
		"body removed":    "update event set body = null, salt = null where seq = 3",
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

// Of what waits for a subscriber some is handled in one transaction, not all.
func TestSubscribe_HandlesSomeTogether(t *testing.T) {
	db, led := open(t, filepath.Join(t.TempDir(), "f.db"))
	in := map[*store.Tx]int{}
	led.Subscribe(ledger.Subscription{Name: "count", Types: []string{event.AliasMovedType},
		Handle: func(_ context.Context, tx *store.Tx, _ *ledger.Record) error {
			in[tx]++
			return nil
		}})
	appendMany(t, db, led, 32)
	if err := led.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitIdle(t, led)
	led.Stop()
	if len(in) != 2 {
		t.Errorf("%d transactions for 32 events: %v", len(in), in)
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

// refusing subscribes a handler that fails the second event with err for as long as it
// is asked, and returns what it has handled and how often it was asked for the second.
func refusing(led *ledger.Ledger, err error) (handled *[]int64, asked *int) {
	handled, asked = new([]int64), new(int)
	led.Subscribe(ledger.Subscription{Name: "refusing", Types: []string{event.AliasMovedType},
		Handle: func(_ context.Context, _ *store.Tx, r *ledger.Record) error {
			if r.Seq == 2 {
				*asked++
				return err
			}
			*handled = append(*handled, r.Seq)
			return nil
		}})
	return handled, asked
}

func TestSubscribe_SkipsWhatItCanNeverHandleAndSaysSo(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		tries int
		code  string
	}{
		"refused":  {fairlead.Errorf(fairlead.NotFound, "no such rollout"), 3, "not_found"},
		"a defect": {errors.New("broken"), 30, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db, led := open(t, filepath.Join(t.TempDir(), "f.db"))
				handled, asked := refusing(led, tt.err)
				appendMany(t, db, led, 3)
				if err := led.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				waitIdle(t, led)
				led.Stop()
				// The first is handled again, without the others that it was handled with.
				if !slices.Equal(*handled, []int64{1, 1, 3}) || *asked != 1+tt.tries {
					t.Errorf("handled %v, asked %d times for the second", *handled, *asked)
				}
				found, err := led.List(t.Context(),
					ledger.Filter{Types: []string{event.DeliverySkippedType}})
				if err != nil || len(found) != 1 {
					t.Fatalf("%d events say so, error %v", len(found), err)
				}
				var skipped event.DeliverySkipped
				if err := found[0].Decode(&skipped); err != nil {
					t.Fatal(err)
				}
				want := event.DeliverySkipped{Subscriber: "refusing", Seq: 2,
					Event: event.AliasMovedType, Code: tt.code, Reason: fairlead.MessageOf(tt.err)}
				if skipped != want || found[0].ProjectK != project.K || found[0].Subject != "m" {
					t.Errorf("%+v about %s", skipped, found[0].Subject)
				}
				if rep, err := led.Verify(t.Context()); err != nil || rep.Skipped != 1 {
					t.Errorf("report %+v, error %v", rep, err)
				}
				all, err := led.Progress(t.Context())
				if err != nil || len(all) != 1 || all[0] != (ledger.Progress{Subscriber: "refusing", Skipped: 1}) {
					t.Errorf("progress %+v, error %v", all, err)
				}
			})
		})
	}
}

func TestSubscribe_TriesForEverWhatADiskCanMend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, led := open(t, filepath.Join(t.TempDir(), "f.db"))
		handled, _ := refusing(led, fairlead.Errorf(fairlead.Exhausted, "the disk is full"))
		appendMany(t, db, led, 3)
		if err := led.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // of the bubble
		all, err := led.Progress(t.Context())
		if err != nil || all[0].Skipped != 0 || all[0].Lag != 2 || all[0].Failing < 59*time.Minute {
			t.Errorf("progress %+v, error %v; handled %v", all, err, *handled)
		}
	})
}

// What a disk has held up for long leaves no fewer tries for what comes after it.
func TestSubscribe_CountsEachKindOfFailureByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, led := open(t, filepath.Join(t.TempDir(), "f.db"))
		calls := 0
		led.Subscribe(ledger.Subscription{Name: "recovering",
			Handle: func(context.Context, *store.Tx, *ledger.Record) error {
				switch calls++; {
				case calls <= 40:
					return fairlead.Errorf(fairlead.Unavailable, "the disk is away")
				case calls == 41:
					return errors.New("broken")
				}
				return nil
			}})
		appendMany(t, db, led, 1)
		if err := led.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		waitIdle(t, led)
		all, err := led.Progress(t.Context())
		if err != nil || all[0].Skipped != 0 || calls != 42 {
			t.Errorf("progress %+v, error %v, after %d calls", all, err, calls)
		}
	})
}

// A subscriber that takes all events and handles none comes to an end all the same.
func TestSubscribe_SkipsDoNotBreedSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, led := open(t, filepath.Join(t.TempDir(), "f.db"))
		led.Subscribe(ledger.Subscription{Name: "never",
			Handle: func(context.Context, *store.Tx, *ledger.Record) error {
				return fairlead.Errorf(fairlead.Invalid, "never")
			}})
		appendMany(t, db, led, 3)
		if err := led.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		waitIdle(t, led)
		if rep, err := led.Verify(t.Context()); err != nil || rep.Events != 6 || rep.Skipped != 3 {
			t.Errorf("report %+v, error %v", rep, err)
		}
	})
}

func waitIdle(t *testing.T, led *ledger.Ledger) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute) // mostly of a synctest bubble
	for time.Now().Before(deadline) {
		if ok, err := led.Idle(t.Context()); err != nil {
			t.Fatal(err)
		} else if ok {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("subscribers did not catch up")
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

func TestOpenSigner_KeepsItsKeyAndRefusesADamagedOne(t *testing.T) {
	dir := t.TempDir()
	one, err := ledger.OpenSigner(dir)
	if err != nil {
		t.Fatal(err)
	}
	two, err := ledger.OpenSigner(dir)
	if err != nil || two.PublicKey() != one.PublicKey() {
		t.Errorf("another key %v, error %v", two, err)
	}
	name := filepath.Join(dir, "ledger.key")
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 10, len(b) / 2, len(b) - 10} {
		if err := os.WriteFile(name, b[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.OpenSigner(dir); !fairlead.Is(err, fairlead.Precondition) {
			t.Errorf("a key cut to %d bytes: %v", n, err)
		}
	}
}

// slowClock is later each time that it is looked at.
type slowClock struct {
	*fairlead.FakeClock
	each time.Duration
}

func (c *slowClock) Now() time.Time {
	c.Advance(c.each)
	return c.FakeClock.Now()
}

// A search that finds little comes back, and goes on where it was.
func TestSearch_LooksAtABoundedNumberAndGoesOn(t *testing.T) {
	db, _ := open(t, filepath.Join(t.TempDir(), "f.db"))
	clock := &slowClock{FakeClock: fairlead.NewFakeClock(time.UnixMilli(1_700_000_000_000))}
	led := ledger.New(db, clock, slog.New(slog.DiscardHandler))
	const events = 45_000
	other := fairlead.Project{K: 2, Name: "other"}
	err := db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		for i := range events {
			p, subject := project, "m"
			switch {
			case i%1000 == 7:
				p = other
			case i == 3 || i == events-1:
				subject = "rare"
			}
			_, err := led.Append(t.Context(), tx, p, subject, time.Time{}, event.AliasMoved{To: int64(i)})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		newest := i%2 == 0
		rounds := 3 // each takes all the time that there is
		if clock.each = 100 * time.Millisecond; i >= 2 {
			clock.each, rounds = 0, 1
		}
		f := ledger.Filter{ProjectK: project.K, Subject: "rare", Newest: newest, Limit: 10}
		var found []int64
		calls := 0
		for {
			records, next, err := led.Search(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				found = append(found, r.Seq)
			}
			if calls++; next == 0 {
				break
			}
			f.After = next
		}
		want := []int64{4, events}
		if newest {
			slices.Reverse(want)
		}
		if !slices.Equal(found, want) || calls != rounds {
			t.Errorf("newest %v: found %v in %d calls", newest, found, calls)
		}
	}
}

func TestSearch_FindsByTimeAlsoWhereTheClockWasSetBack(t *testing.T) {
	day := func(d, h int) time.Time { return time.Date(2026, 3, d, h, 0, 0, 0, time.UTC) }
	clock := fairlead.NewFakeClock(day(1, 0))
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "f.db")}, ledger.Schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	led := ledger.New(db, clock, slog.New(slog.DiscardHandler))
	for i, at := range []time.Time{day(1, 0), day(2, 0), day(5, 12), day(5, 0), day(6, 0), day(9, 0)} {
		clock.Advance(at.Sub(clock.Now()))
		actor := fairlead.WithActor(t.Context(), fairlead.Actor{Kind: "user", Name: fmt.Sprint("u", i%2)})
		err := db.Write(actor, store.Control, func(tx *store.Tx) error {
			_, err := led.Append(actor, tx, project, fmt.Sprintf("model/m/%d", i), day(20-i, 0),
				event.AliasMoved{To: int64(i)})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		f    ledger.Filter
		want []int64
	}{
		"since":             {ledger.Filter{From: day(5, 6)}, []int64{3, 5, 6}},
		"until":             {ledger.Filter{Until: day(5, 6)}, []int64{1, 2, 4}},
		"between":           {ledger.Filter{From: day(2, 0), Until: day(5, 12)}, []int64{2, 4}},
		"stream time":       {ledger.Filter{From: day(17, 0), Until: day(20, 0), Clock: ledger.Stream}, []int64{2, 3, 4}},
		"actor":             {ledger.Filter{Actor: "user:u1"}, []int64{2, 4, 6}},
		"beginning":         {ledger.Filter{Subject: "model/m/*", Until: day(2, 1)}, []int64{1, 2}},
		"no such beginning": {ledger.Filter{Subject: "model/n*"}, nil},
		"after all":         {ledger.Filter{From: day(28, 0)}, nil},
	} {
		for _, newest := range []bool{false, true} {
			tt.f.Newest = newest
			records, next, err := led.Search(t.Context(), tt.f)
			if err != nil || next != 0 {
				t.Fatalf("%s: next %d, error %v", name, next, err)
			}
			var got []int64
			for _, r := range records {
				got = append(got, r.Seq)
			}
			if newest {
				slices.Reverse(got)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s, newest %v: %v, want %v", name, newest, got, tt.want)
			}
		}
	}
}

// What a proof says can be checked by who knows the key alone: the body by the leaf's
// digest, and the tree by the signed head.
func TestProve_SignsTheHeadAndCarriesTheBody(t *testing.T) {
	dir := t.TempDir()
	db, led := open(t, filepath.Join(dir, "f.db"))
	signer, err := ledger.OpenSigner(dir)
	if err != nil {
		t.Fatal(err)
	}
	led.SignWith(signer)
	appendMany(t, db, led, 5)
	p, err := led.Prove(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	var leaf struct{ Digest string }
	if err := json.Unmarshal(p.Leaf, &leaf); err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, p.Salt)
	mac.Write(p.Body)
	if hex.EncodeToString(mac.Sum(nil)) != leaf.Digest {
		t.Errorf("the leaf's digest %s is not that of %s", leaf.Digest, p.Body)
	}
	verifier, err := note.NewVerifier(p.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open([]byte(p.Checkpoint), note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("fairlead.ledger\n5\n%s\n", base64.StdEncoding.EncodeToString(unhex(t, p.Root)))
	if n.Text != want {
		t.Errorf("signed is %q, want %q", n.Text, want)
	}
	if bare := p.WithoutBody(); bare.Body != nil || bare.Salt != nil || bare.Root != p.Root || p.Body == nil {
		t.Errorf("without its body: %+v", bare)
	}
}
