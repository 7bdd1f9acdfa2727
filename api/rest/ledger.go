package rest

import (
	"context"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
)

// EventsInput selects events.
type EventsInput struct {
	InProject
	Waiting
	Page    string `query:"page" doc:"the next of the page before; only with the same filter"`
	After   int64  `query:"after" minimum:"0" doc:"sequence number to continue after"`
	Types   string `query:"types" doc:"comma-separated event types; empty for all"`
	Subject string `query:"subject" doc:"what they are about, such as model/flights/7; empty for all"`
	Newest  bool   `query:"newest" doc:"the newest first; after is then a number to go on before"`
	Limit   int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

func (a *API) ledgerOperations() {
	register(a, op{id: "list-events", method: "GET", path: "/events",
		summary: "The project's events in order; with wait, once there is one", may: auth.Read}, a.events)
	registerServer(a, op{id: "verify-ledger", method: "POST", path: "/audit/verify",
		summary: "Check the whole ledger", may: auth.Read},
		func(ctx context.Context, _ *struct{}) (*ledger.Report, error) { return a.Ledger.Verify(ctx) })
	registerServer(a, op{id: "prove-event", method: "GET", path: "/audit/proofs/{seq}",
		summary: "The inclusion proof of an event (RFC 6962)", may: auth.Read},
		func(ctx context.Context, in *struct {
			Seq int64 `path:"seq" minimum:"1"`
		}) (*ledger.Proof, error) {
			return a.Ledger.Prove(ctx, in.Seq)
		})
}

func (a *API) events(ctx context.Context, p fairlead.Project, in *EventsInput) (
	out fairlead.Page[*ledger.Record], err error) {
	f := ledger.Filter{ProjectK: p.K, After: in.After, Subject: in.Subject, Newest: in.Newest,
		Limit: in.Limit}
	if in.Types != "" {
		f.Types = strings.Split(in.Types, ",")
	}
	filter := list(p, "events", in.Types, in.Subject, in.Newest)
	if err := fairlead.DecodeCursor(in.Page, filter, &f.After); err != nil {
		return out, err
	}
	err = a.until(ctx, in.Waiting, func() (bool, error) {
		records, err := a.Ledger.List(ctx, f)
		if n := len(records); n == in.Limit {
			out.Next = fairlead.EncodeCursor(filter, records[n-1].Seq)
		}
		out.Items = visibleTo(auth.CallerFrom(ctx), records)
		return len(out.Items) > 0 || out.Next != "", err
	})
	if out.Items == nil {
		out.Items = []*ledger.Record{}
	}
	return out, err
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
