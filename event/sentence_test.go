package event_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/event"
)

// Each type that is named in event.go has a sentence of its own.
func TestSentence_KnowsEveryType(t *testing.T) {
	source, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile(`Type += "([a-z.]+)"`).FindAllStringSubmatch(string(source), -1) {
		want = append(want, m[1])
	}
	slices.Sort(want)
	if got := event.Types(); !slices.Equal(got, want) {
		t.Errorf("sentences for %v, types %v", got, want)
	}
}

func TestSentence_ReadsAsPeopleSpeak(t *testing.T) {
	value := "team-a"
	for _, tt := range []struct {
		payload event.Payload
		want    string
	}{
		{event.AliasMoved{Model: "bikes", Alias: "live", From: 3, To: 4},
			"Alias live moved from version 3 to version 4 of bikes"},
		{event.AliasMoved{Model: "bikes", Alias: "live", From: 3},
			"Alias live no longer names version 3 of bikes"},
		{event.AliasMoved{Model: "bikes", Alias: "live", To: 1}, "Alias live now names version 1 of bikes"},
		{event.DatasetVersionCreated{Dataset: "history", N: 2, Rows: 12_345, Source: "split"},
			"Version 2 of dataset history was made: 12,345 rows from all but the holdout"},
		{event.DatasetVersionCreated{Dataset: "d", N: 1, Rows: 1, Source: "file"},
			"Version 1 of dataset d was made: 1 row from files"},
		{event.GateDecided{Model: "bikes", Version: 5, Result: "failed", Failed: []string{"fair", "good"}},
			"The gate stopped version 5 of bikes: fair, good"},
		{event.GateDecided{Model: "bikes", Version: 5, Result: "undecided", Reason: "no room"},
			"The gate could not decide about version 5 of bikes: no room"},
		{event.Rollout{Name: event.RolloutFinishedType, Model: "bikes", To: 8, Environment: "production",
			Outcome: "rolledback", Reason: "worse"},
			"The rollout of version 8 of bikes to production ended, rolled back: worse"},
		{event.WindowClosed{Endpoint: "bikes@production", Version: 3, Kind: "drift", State: "red",
			Value: 0.41234, Limit: 0.25},
			"The drift window of bikes@production, version 3, was judged red: 0.412, limit 0.25"},
		{event.WindowClosed{Endpoint: "e", Version: 3, Kind: "performance", State: "unknown"},
			"The performance window of e, version 3, was judged unknown"},
		{event.Case{Name: event.CaseClosedType, Model: "bikes", Version: 4, Outcome: "promoted"},
			"The case of bikes closed, promoted with version 4"},
		{event.LoopPaused{Model: "bikes", Paused: true, Reason: "audit"}, "The loop of bikes was paused: audit"},
		{event.Model{Name: event.ModelUpdatedType, Model: "bikes", Renamed: "bicycles"},
			"Model bicycles was renamed to bikes"},
		{event.Model{Name: event.ModelUpdatedType, Model: "bikes", Version: 2, Tag: "owner", Value: &value},
			"Version 2 of bikes was tagged owner=team-a"},
		{event.ModelVersionTagged{Model: "bikes", Version: 2, Key: "owner"},
			"Tag owner was removed from version 2 of bikes"},
		{event.ProjectConfigured{}, "What is deleted is now kept for as long as the server says"},
		{event.ProjectConfigured{KeepDeleted: "30d"}, "What is deleted is now kept for 30d"},
		{event.AccessChanged{Change: "role.granted", User: "bob", Role: "viewer", Everywhere: true},
			"bob was granted the role viewer everywhere"},
		{event.DataPurged{Kind: "logged_model", ID: "m-1234567890abc", Files: 1_000_000},
			"Logged model m-12345678 was removed for good, with 1,000,000 files"},
	} {
		body, err := json.Marshal(tt.payload)
		if err != nil {
			t.Fatal(err)
		}
		if got := event.Sentence(tt.payload.Type(), body); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.payload.Type(), got, tt.want)
		}
	}
}

// What cannot be read is told by its type, and never fails.
func TestSentence_TellsWhatItCannotRead(t *testing.T) {
	for _, kind := range append(event.Types(), "new.thing", "odd") {
		for _, body := range []string{"", "null", "{}", `{"version":"x"}`, `{"model":1}`} {
			if text := event.Sentence(kind, []byte(body)); text == "" || strings.Contains(text, "%!") {
				t.Errorf("%s of %q: %q", kind, body, text)
			}
		}
	}
	if text := event.Sentence("alias.moved", []byte("x")); text != "alias moved" {
		t.Errorf("%q", text)
	}
}
