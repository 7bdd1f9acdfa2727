// Package govern looks at all stages of a project and changes none: where each model
// stands in the loop and what waits for a human (overview.go), what the six phases of
// CRISP-DM have and lack (phases.go), and what has a name (find.go).
//
// It owns no tables and appends no events: what it says is composed of what the stages
// answer, in one reading.
//
// Start reading in govern.go.
package govern
