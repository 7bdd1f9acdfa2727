package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/store/powercut"
)

// pragmaVar makes the victim a worse program.
const pragmaVar = "FAIRLEAD_TEST_PRAGMA"

func TestMain(m *testing.M) { powercut.Main(m, victim) }

const (
	victimWriters = 4
	victimWrites  = 30 // of each writer in a session
)

var victimSchema = schema(`create table note (
	k {{pk}}, writer bigint not null, n bigint not null, text text not null, seq bigint)`,
	"create index note_writer on note (writer, n)",
	"create table total (writer bigint primary key, notes bigint not null)")

func openVictim(ctx context.Context, dir string) (*store.DB, error) {
	return store.Open(ctx, store.Options{Path: filepath.Join(dir, "f.db"), Readers: 1,
		Reserve: 64 << 10}, victimSchema)
}

// victim writes from several goroutines, and says each write that is acknowledged. The
// log of writes is often moved into the database file.
func victim(dir string, session int) error {
	db, err := openVictim(context.Background(), dir)
	if err != nil {
		return err
	}
	for _, text := range append(strings.Fields(os.Getenv(pragmaVar)), "wal_autocheckpoint=40") {
		if err := db.Pragma(text); err != nil {
			return err
		}
	}
	var group errgroup.Group
	for writer := range victimWriters {
		group.Go(func() error {
			for n := session * victimWrites; n < (session+1)*victimWrites; n++ {
				err := db.Write(context.Background(), store.Lane(writer%3), victimWrite(writer, n))
				if err != nil {
					return err
				}
				fmt.Println(writer, n)
			}
			return nil
		})
	}
	return errors.Join(group.Wait(), db.Close())
}

// victimRows is how many rows a write has.
func victimRows(writer, n int) int { return 1 + (7*n+writer)%11*((n+writer)%3) }

func victimText(writer, n, row int) string {
	sum := sha256.Sum256(fmt.Append(nil, writer, n, row))
	return strings.Repeat(hex.EncodeToString(sum[:]), 1+(n+row)%9)
}

func victimWrite(writer, n int) func(tx *store.Tx) error {
	return func(tx *store.Tx) error {
		tx.AtEnd("number", number)
		for row := range victimRows(writer, n) {
			_, err := tx.Exec("insert into note (writer, n, text) values (?, ?, ?)", writer, n,
				victimText(writer, n, row))
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(`insert into total (writer, notes) values (?, ?)
			on conflict (writer) do update set notes = notes + excluded.notes`, writer,
			victimRows(writer, n))
		return err
	}
}

// cuts is how many power cuts a log is tried with.
const cuts = 250

// checkVictim looks for each acknowledged write in the database, and for halves.
func checkVictim(dir string, acks []string) error {
	ctx := context.Background()
	db, err := openVictim(ctx, dir)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.CheckIntegrity(ctx); err != nil {
		return err
	}
	rows, totals := map[[2]int][]string{}, map[int]int{}
	err = db.Read(ctx, func(tx *store.Tx) error {
		found, err := tx.Query("select writer, n, text from note where seq = k order by k")
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			var writer, n int
			var text string
			if err := found.Scan(&writer, &n, &text); err != nil {
				return err
			}
			rows[[2]int{writer, n}] = append(rows[[2]int{writer, n}], text)
		}
		return found.Err()
	})
	if err != nil {
		return err
	}
	for write, texts := range rows {
		if len(texts) != victimRows(write[0], write[1]) {
			return fmt.Errorf("of write %v %d rows of %d are there", write, len(texts),
				victimRows(write[0], write[1]))
		}
		for row, text := range texts {
			if text != victimText(write[0], write[1], row) {
				return fmt.Errorf("row %d of write %v is %q", row, write, text)
			}
		}
		totals[write[0]] += len(texts)
	}
	for _, line := range acks {
		var write [2]int
		if _, err := fmt.Sscan(line, &write[0], &write[1]); err != nil {
			return err
		}
		if rows[write] == nil {
			return fmt.Errorf("write %v was acknowledged and is lost", write)
		}
	}
	return db.Read(ctx, func(tx *store.Tx) error {
		for writer, want := range totals {
			var got int
			err := tx.QueryRow("select notes from total where writer = ?", writer).Scan(&got)
			if err != nil || got != want {
				return fmt.Errorf("writer %d has a total of %d, want %d: %w", writer, got, want, err)
			}
		}
		return nil
	})
}

func TestPowerCut_KeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	log := powercut.Victim(t)
	for _, err := range log.Cut(t, cuts, checkVictim) {
		t.Error(err)
	}
	if n := len(log.Acks(log.Len() - 1)); n != 2*victimWriters*victimWrites {
		t.Errorf("%d writes were acknowledged", n)
	}
}

// A model that finds nothing wrong proves nothing: with fewer syncs it must.
func TestPowerCut_FindsWhatIsNotSynced(t *testing.T) {
	for _, pragma := range []string{"synchronous=normal", "synchronous=off"} {
		t.Run(pragma, func(t *testing.T) {
			t.Parallel()
			wrong := powercut.Victim(t, pragmaVar+"="+pragma).Cut(t, cuts, checkVictim)
			if len(wrong) < cuts/5 {
				t.Errorf("only %d of %d power cuts did damage", len(wrong), cuts)
			}
		})
	}
}
