// Package sink sends what happens here to others: webhooks, and their deliveries.
//
// A subscriber of the ledger stores one delivery for each event and webhook in the
// transaction that moves its cursor, so that an event leads to exactly one delivery.
// A delivery is sent until the receiver answers 2xx or its tries are used up, and
// sent again when the server dies before it has stored the answer: a receiver sees
// it at least once, always under the same id. Waits between tries are wall time.
// Deliveries are not jobs: a replayed stream must not wait for other people's
// servers.
//
// What is sent, and which events there are, a Source says; this package knows no
// stage. Requests leave the machine for public addresses over TLS only, for others
// by the administrator's list; the address is checked where it is dialled, so that
// no name can be resolved to another one after the check. Secrets are encrypted in
// the database, with a key in a file of the data directory, and are never shown.
//
// Start reading in webhook.go (what a webhook is), then dispatch.go (who is sent
// what, and when), send.go (one request) and address.go (where requests may go).
package sink
