package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// What an operator is alerted by is in /metrics, with no name that a user chose.
func TestMetrics_TellOfWritesJobsWebhooksAndSignIns(t *testing.T) {
	a, _ := household(t)
	err := a.DB.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		for _, key := range []string{"a", "b"} {
			_, _, err := a.Jobs.Enqueue(tx, job.Task{Project: spec.Default, Kind: "test", Key: key})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 7 {
		ask(a, "GET", "/api/v1/me", func(r *http.Request) {
			r.SetBasicAuth("stranger", "guess of a password")
		})
	}
	owner, err := auth.ReadOwner(a.Dir())
	if err != nil {
		t.Fatal(err)
	}
	body := ask(a, "GET", "/metrics", token(owner)).Body.String()
	for _, line := range []string{
		`fairlead_sign_ins_total{outcome="refused"} 5`, `fairlead_sign_ins_total{outcome="slowed"} 2`,
		`fairlead_sign_ins_total{outcome="passed"} 0`, `fairlead_jobs{kind="test",state="queued"} 2`,
		`fairlead_store_queued_writes{lane="control"} 0`, `fairlead_store_queued_writes{lane="bulk"} 0`,
		`fairlead_store_commit_seconds_count `, `fairlead_store_commit_writes_bucket{le="256"} `,
		`fairlead_webhook_attempts_total{outcome="failed"} 0`, "fairlead_webhook_deliveries_waiting 0",
		"fairlead_webhooks_disabled 0",
	} {
		if !strings.Contains(body, "\n"+line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	if strings.Contains(body, "stranger") {
		t.Error("/metrics tells a name that somebody has typed")
	}
}
