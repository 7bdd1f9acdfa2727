// Package ops is what operations ask of the program: health, metrics, version, and
// the forms with which a browser signs in.
//
//	/livez    200 while the process answers; proves who it is to who asks (live.go)
//	/readyz   200 while it should get traffic; else 503 with the reason as text
//	/metrics  Prometheus text; read permission
//
// What /metrics holds: go_* and process_* of the runtime; fairlead_build_info;
// fairlead_http_requests_total{route,status}, fairlead_http_request_seconds{route}
// and fairlead_http_requests_running (route is a pattern of the route table, or
// none); fairlead_ledger_lag{subscriber}, events a subscriber has not handled,
// fairlead_ledger_failing_seconds{subscriber}, for how long it has failed at the same
// one, fairlead_ledger_skipped_total{subscriber}, events it has given up; of the only
// writer of the database fairlead_store_commit_seconds, fairlead_store_commit_writes and
// fairlead_store_queued_writes{lane}; fairlead_jobs{kind,state} that wait or run and
// fairlead_jobs_finished_total{kind,state}; fairlead_webhook_attempts_total{outcome},
// fairlead_webhook_deliveries_waiting and fairlead_webhooks_disabled;
// fairlead_sign_ins_total{outcome}, passwords that were tried; and fairlead_serving_* of
// each endpoint, which package serving describes. No label holds a path, an id or
// anything else that callers choose.
//
// Start reading in ops.go; signin.go has the forms.
package ops
