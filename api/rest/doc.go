// Package rest is the native API: /api/v1/projects/{project}/…, described by the
// OpenAPI 3.1 document at /api/v1/openapi.json. Actions are resources, long work
// answers with what to wait for, lists are {items, next}, errors are RFC 9457
// problems with the program's own code.
//
// A handler decodes, calls one method of a stage, and encodes. Every operation
// states its permission and its body limit in one table (api.go, register); the
// edge refuses one that does not.
//
// Start reading in api.go.
package rest
