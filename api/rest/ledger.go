package rest

import (
	"context"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/ledger"
)

func (a *API) ledgerOperations() {
	register(a, op{"list-events", "GET", "/events", "The project's events in order", auth.Read, 0},
		func(ctx context.Context, in *struct {
			InProject
			After int64  `query:"after" doc:"sequence number to continue after"`
			Types string `query:"types" doc:"comma-separated event types; empty for all"`
			Limit int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
		}) (out fairlead.Page[*ledger.Record], err error) {
			p, err := existing(ctx)
			if err != nil {
				return out, err
			}
			f := ledger.Filter{ProjectK: p.K, After: in.After, Limit: in.Limit}
			if in.Types != "" {
				f.Types = strings.Split(in.Types, ",")
			}
			out.Items, err = a.Ledger.List(ctx, f)
			return out, err
		})
	register(a, op{"verify-ledger", "POST", "//audit/verify", "Check the whole ledger", auth.Read, 1 << 10},
		func(ctx context.Context, _ *struct{}) (*ledger.Report, error) { return a.Ledger.Verify(ctx) })
	register(a, op{"prove-event", "GET", "//audit/proofs/{seq}", "The inclusion proof of an event (RFC 6962)", auth.Read, 0},
		func(ctx context.Context, in *struct {
			Seq int64 `path:"seq" minimum:"1"`
		}) (*ledger.Proof, error) {
			return a.Ledger.Prove(ctx, in.Seq)
		})
}
