// Package draft writes a first fairlead.yaml for what a folder holds: tables, scripts,
// requirements. What it writes is right and runs what is there; what it cannot know
// it leaves as comments. It reads files and runs nothing.
//
// Start reading in look.go.
package draft
