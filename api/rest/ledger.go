package rest

import (
	"context"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

// Event is an entry of the ledger, with what it tells.
type Event struct {
	*ledger.Record
	Text string `json:"text" doc:"what it tells, in one sentence"`
}

func told(records []*ledger.Record) []Event {
	out := make([]Event, len(records))
	for i, r := range records {
		out[i] = Event{r, event.Sentence(r.Type, r.Body)}
	}
	return out
}

// EventsInput selects events.
type EventsInput struct {
	InProject
	Waiting
	Page    string    `query:"page" doc:"the next of the page before; only with the same filter"`
	After   int64     `query:"after" minimum:"0" doc:"sequence number to continue after"`
	Types   string    `query:"types" doc:"comma-separated event types; empty for all"`
	Subject string    `query:"subject" doc:"what they are about, such as model/flights/7, or model/flights* for all that begin so; empty for all"`
	Actor   string    `query:"actor" doc:"who made them, such as user:ada or system:loop; empty for all"`
	From    time.Time `query:"from" doc:"RFC 3339, of the clock"`
	Until   time.Time `query:"until" doc:"RFC 3339, of the clock, exclusive"`
	Clock   string    `query:"clock" enum:"wall,stream" default:"wall" doc:"which of an event's two times from and until mean"`
	Newest  bool      `query:"newest" doc:"the newest first; after is then a number to go on before"`
	Limit   int       `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

// filter is the events that are asked for, and what a cursor is bound to.
func (in *EventsInput) filter(p fairlead.Project) (f ledger.Filter, name string, err error) {
	f = ledger.Filter{ProjectK: p.K, After: in.After, Subject: in.Subject, Actor: in.Actor,
		From: in.From, Until: in.Until, Newest: in.Newest, Limit: in.Limit}
	if in.Clock == string(ledger.Stream) {
		f.Clock = ledger.Stream
	}
	f.Types, err = typesOf(in.Types)
	return f, list(p, "events", in.Types, in.Subject, in.Actor, in.From, in.Until, in.Clock, in.Newest), err
}

func (a *API) ledgerOperations() {
	register(a, op{id: "list-events", method: "GET", path: "/events",
		summary: "The project's events in order; with wait, once there is one. A page may hold few of a " +
			"rare kind, or none, and name a next one: each looks at a bounded number", may: auth.Read},
		a.events)
	register(a, op{id: "prove-project-event", method: "GET", path: "/events/{seq}/proof",
		summary: "The inclusion proof of one of the project's events (RFC 6962), with its body and the " +
			"signed head", may: auth.Read}, a.proof)
	registerServer(a, op{id: "verify-ledger", method: "POST", path: "/audit/verify",
		summary: "Check the whole ledger", may: auth.Read},
		func(ctx context.Context, _ *struct{}) (*ledger.Report, error) { return a.Ledger.Verify(ctx) })
	registerServer(a, op{id: "prove-event", method: "GET", path: "/audit/proofs/{seq}",
		summary: "The inclusion proof of an event of any project (RFC 6962), without its body",
		may:     auth.Read},
		func(ctx context.Context, in *struct {
			Seq int64 `path:"seq" minimum:"1"`
		}) (*ledger.Proof, error) {
			p, err := a.Ledger.Prove(ctx, in.Seq)
			if err != nil {
				return nil, err
			}
			return p.WithoutBody(), nil
		})
	a.documentStream()
}

func (a *API) events(ctx context.Context, p fairlead.Project, in *EventsInput) (
	out fairlead.Page[Event], err error) {
	f, filter, err := in.filter(p)
	if err != nil {
		return out, err
	}
	if err := fairlead.DecodeCursor(in.Page, filter, &f.After); err != nil {
		return out, err
	}
	err = a.until(ctx, in.Waiting, func() (bool, error) {
		records, next, err := a.Ledger.Search(ctx, f)
		if next != 0 {
			out.Next = fairlead.EncodeCursor(filter, next)
		}
		out.Items = told(visibleTo(auth.CallerFrom(ctx), records))
		return len(out.Items) > 0 || out.Next != "", err
	})
	return out, err
}

// proof proves an event to somebody who sees it in the list.
func (a *API) proof(ctx context.Context, p fairlead.Project, in *struct {
	InProject
	Seq int64 `path:"seq" minimum:"1"`
}) (*ledger.Proof, error) {
	r, err := read(ctx, a, func(tx *store.Tx) (*ledger.Record, error) {
		return a.Ledger.Event(tx, in.Seq)
	})
	if err != nil {
		return nil, err
	}
	shown := visibleTo(auth.CallerFrom(ctx), []*ledger.Record{r})
	if r.ProjectK != p.K || len(shown) == 0 {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no event %d in project %s", in.Seq, p.Name)
	}
	return a.Ledger.Prove(ctx, in.Seq)
}

// visibleTo leaves out what is about the accounts of the whole server, which the project
// default keeps, unless the caller administers it.
func visibleTo(c *auth.Caller, records []*ledger.Record) []*ledger.Record {
	if c.May(fairlead.Project{}, auth.Administer) {
		return records
	}
	return slices.DeleteFunc(records, func(r *ledger.Record) bool {
		var e event.AccessChanged
		return r.Type == event.AccessChangedType && (r.Decode(&e) != nil || e.Everywhere)
	})
}
