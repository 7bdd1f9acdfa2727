package registry_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// told is what the events up to some time say about a model.
type told struct {
	versions map[int64]*toldVersion
	aliases  map[string]int64
	toldWords
}

type toldVersion struct {
	state, stage string
	toldWords
}

// toldWords are what a model or version says about itself.
type toldWords struct {
	tags        map[string]string
	description string
}

func (w *toldWords) tag(key string, value *string) {
	if value == nil {
		delete(w.tags, key)
		return
	}
	w.tags[key] = *value
}

// replay tells the events up to a time, one by one.
func (b *bench) replay(records []*ledger.Record, at time.Time) map[string]*told {
	b.Helper()
	models := map[string]*told{}
	for _, r := range records {
		if r.TimeMS > fairlead.MS(at) {
			continue
		}
		switch r.Type {
		case event.ModelCreatedType, event.ModelUpdatedType, event.ModelDeletedType:
			var e event.Model
			b.must(r.Decode(&e))
			switch {
			case r.Type == event.ModelCreatedType:
				models[e.Model] = &told{versions: map[int64]*toldVersion{}, aliases: map[string]int64{},
					toldWords: words(e.Tags, e.Description)}
			case r.Type == event.ModelDeletedType:
				delete(models, e.Model)
			case e.Renamed != "" && e.Renamed != e.Model:
				models[e.Model] = models[e.Renamed]
				delete(models, e.Renamed)
			case e.Tag != "":
				models[e.Model].tag(e.Tag, e.Value)
			case e.Stage != nil:
				models[e.Model].versions[e.Version].stage = *e.Stage
			case e.Description != nil && e.Version != 0:
				models[e.Model].versions[e.Version].description = *e.Description
			case e.Description != nil:
				models[e.Model].description = *e.Description
			}
		case event.ModelVersionCreatedType:
			var e event.ModelVersionCreated
			b.must(r.Decode(&e))
			models[e.Model].versions[e.Version] = &toldVersion{state: registry.Ready,
				stage: registry.StageNone, toldWords: words(e.Tags, &e.Description)}
		case event.ModelVersionTaggedType:
			var e event.ModelVersionTagged
			b.must(r.Decode(&e))
			models[e.Model].versions[e.Version].tag(e.Key, e.Value)
		case event.ModelVersionRetiredType:
			var e event.ModelVersionRetired
			b.must(r.Decode(&e))
			models[e.Model].versions[e.Version].state = registry.Retired
		case event.ModelVersionDeletedType:
			var e event.ModelVersionDeleted
			b.must(r.Decode(&e))
			delete(models[e.Model].versions, e.Version)
		case event.AliasMovedType:
			var e event.AliasMoved
			b.must(r.Decode(&e))
			if models[e.Model].aliases[e.Alias] = e.To; e.To == 0 {
				delete(models[e.Model].aliases, e.Alias)
			}
		}
	}
	return models
}

// words begin with what something was made with.
func words(tags map[string]string, description *string) toldWords {
	w := toldWords{tags: map[string]string{}}
	maps.Copy(w.tags, tags)
	if description != nil {
		w.description = *description
	}
	return w
}

// String writes it as asOf does.
func (m *told) String() string {
	if m == nil {
		return "no model"
	}
	var out strings.Builder
	for _, n := range slices.Sorted(maps.Keys(m.versions)) {
		v := m.versions[n]
		fmt.Fprintf(&out, "%d %s %s %v %q; ", n, v.state, v.stage, v.tags, v.description)
	}
	return fmt.Sprint(out.String(), m.aliases, m.tags, m.description)
}

// asOf is what the registry says about a name at a time.
func (b *bench) asOf(name string, at time.Time) string {
	b.Helper()
	var out strings.Builder
	err := b.reg.Read(b.Context(), func(tx *store.Tx) error {
		m, err := b.reg.ModelAsOf(tx, project, name, at)
		if err != nil {
			return err
		}
		var versions []*registry.Version
		for more := true; more; { // two by two
			last := int64(0)
			if n := len(versions); n > 0 {
				last = versions[n-1].N
			}
			page, err := b.reg.VersionsAsOf(tx, project, name, at, last, 2)
			if err != nil {
				return err
			}
			versions, more = append(versions, page...), len(page) == 2
		}
		if newest := m.Latest; len(newest) != min(1, len(versions)) ||
			len(newest) == 1 && newest[0].N != versions[len(versions)-1].N {
			b.Errorf("the newest of %d versions is %v", len(versions), newest)
		}
		for _, v := range versions {
			fmt.Fprintf(&out, "%d %s %s %v %q; ", v.N, v.State, v.Stage, tagged(v.Tags), v.Description)
			for _, alias := range v.Aliases {
				if m.Aliases[alias] != v.N {
					b.Errorf("version %d has the alias %s, the model %v", v.N, alias, m.Aliases)
				}
			}
		}
		out.WriteString(fmt.Sprint(m.Aliases, tagged(m.Tags), m.Description))
		return nil
	})
	if fairlead.Is(err, fairlead.NotFound) {
		return "no model"
	}
	b.must(err)
	return out.String()
}

func tagged(tags []registry.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

// change makes one random change; most of those that are refused change nothing.
func (b *bench) change(random *rand.Rand, logged string) error {
	names := []string{"bikes", "rides", "wine"}
	name, n := names[random.IntN(len(names))], 1+random.Int64N(6)
	key, value := fmt.Sprint("k", random.IntN(2)), fmt.Sprint(random.IntN(9))
	return b.write(func(ctx context.Context, tx *store.Tx) error {
		switch random.IntN(17) {
		case 0, 1, 2:
			tags := []registry.Tag{{Key: key, Value: value}}
			_, err := b.reg.Model(tx, project, name)
			if fairlead.Is(err, fairlead.NotFound) {
				_, err = b.reg.CreateModel(ctx, tx, project, name, value, tags)
			}
			if err != nil {
				return err
			}
			_, err = b.reg.CreateVersion(ctx, tx, project, registry.NewVersion{Model: name,
				LoggedModelID: logged, Description: value, Tags: tags})
			return err
		case 12:
			return b.reg.DescribeModel(ctx, tx, project, name, value)
		case 13:
			return b.reg.DescribeVersion(ctx, tx, project, name, n, value)
		case 14:
			return b.reg.SetModelTag(ctx, tx, project, name, registry.Tag{Key: key, Value: value})
		case 15:
			return b.reg.DeleteModelTag(ctx, tx, project, name, key)
		case 16:
			return b.reg.SetStage(ctx, tx, project, name, n, "Staging", random.IntN(2) == 0)
		case 3, 4:
			return b.reg.SetVersionTag(ctx, tx, project, name, n, registry.Tag{Key: key, Value: value})
		case 5:
			return b.reg.DeleteVersionTag(ctx, tx, project, name, n, key)
		case 6, 7:
			return b.reg.SetAlias(ctx, tx, project, name, fmt.Sprint("a", random.IntN(2)), n)
		case 8:
			return b.reg.SetLive(ctx, tx, project, name, random.Int64N(6))
		case 9:
			return b.reg.DeleteVersion(ctx, tx, project, name, n)
		case 10:
			return b.reg.Retire(ctx, tx, project, name, n, "old")
		}
		if random.IntN(3) == 0 {
			return b.reg.DeleteModel(ctx, tx, project, name)
		}
		return b.reg.RenameModel(ctx, tx, project, name, names[random.IntN(len(names))])
	})
}

func TestAsOf_SaysWhatAReplayOfTheEventsSays(t *testing.T) {
	for seed := range uint64(5) {
		b, random := open(t), rand.New(rand.NewPCG(seed, 0))
		begin := b.clock.Now()
		logged := b.model("other", 1)[0]
		made := 0
		for range 200 {
			if b.change(random, logged) == nil {
				made++
			}
			b.clock.Advance(time.Duration(random.IntN(3)) * time.Millisecond)
		}
		if made < 40 {
			t.Fatalf("seed %d: only %d changes were made", seed, made)
		}
		records, err := b.led.List(t.Context(), ledger.Filter{Limit: 1000})
		b.must(err)
		for at := begin.Add(-time.Millisecond); !at.After(b.clock.Now()); at = at.Add(time.Millisecond) {
			models := b.replay(records, at)
			for _, name := range []string{"bikes", "rides", "wine", "other"} {
				if got, want := b.asOf(name, at), models[name].String(); got != want {
					t.Fatalf("seed %d: %s after %v: %s, the events say %s", seed, name, at.Sub(begin), got, want)
				}
			}
		}
	}
}

func TestAliasMoves_GoOnUnderANameThatIsUsedAgain(t *testing.T) {
	b := open(t)
	for range 2 {
		b.model("bikes", 1)
		highest := int64(0)
		b.must(b.reg.Read(t.Context(), func(tx *store.Tx) (err error) {
			highest, err = b.reg.Alias(tx, project, "bikes", "latest")
			return err
		}))
		b.must(b.setAlias("bikes", "best", highest))
		b.clock.Advance(time.Hour)
		b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
			return b.reg.DeleteModel(ctx, tx, project, "bikes")
		}))
		b.clock.Advance(time.Hour)
	}
	var moved []string
	b.must(b.reg.Read(t.Context(), func(tx *store.Tx) error {
		moves, err := b.reg.AliasMoves(tx, project, "bikes", "best")
		for _, m := range moves {
			moved = append(moved, fmt.Sprintf("%d>%d", m.From, m.To))
		}
		return err
	}))
	if got := strings.Join(moved, " "); got != "0>1 1>0 0>2 2>0" {
		t.Errorf("moves %s", got)
	}
	b.must(b.reg.Read(t.Context(), func(tx *store.Tx) error {
		moves, err := b.reg.AliasMoves(tx, project, "bikes", "never")
		if len(moves) > 0 {
			t.Errorf("an alias that there never was: %v", moves)
		}
		return err
	}))
	b.refused(b.reg.Read(t.Context(), func(tx *store.Tx) error {
		_, err := b.reg.AliasMoves(tx, project, "nobody", "best")
		return err
	}), fairlead.NotFound, "nobody")
}

func TestAliasMoves_SayWhoAlsoWhenTheModelIsGone(t *testing.T) {
	b := open(t)
	b.model("bikes", 2)
	b.must(b.setAlias("bikes", "best", 1))
	b.clock.Advance(time.Hour)
	b.must(b.setAlias("bikes", "best", 2))
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.DeleteModel(ctx, tx, project, "bikes")
	}))
	b.must(b.reg.Read(t.Context(), func(tx *store.Tx) error {
		moves, err := b.reg.AliasMoves(tx, project, "bikes", "best")
		if len(moves) != 3 || moves[2].To != 0 || moves[2].Event == "" ||
			moves[1].From != 1 || moves[1].To != 2 || moves[1].Actor != "user:ann" ||
			moves[1].AtMS-moves[0].AtMS != 3600_000 {
			t.Errorf("moves %+v", moves)
		}
		if err != nil {
			return err
		}
		v, err := b.reg.VersionAsOf(tx, project, "bikes", 2, fairlead.FromMS(moves[0].AtMS))
		if err == nil && (v.LoggedModelID == "" || v.User != "ann") {
			t.Errorf("version %+v", v)
		}
		return err
	}))
}
