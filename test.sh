#!/usr/bin/env bash
# Runs all tests. A line says what was left out, and why: on CI only what no machine
# can be asked for may be (see e2e/leftout).
set -euo pipefail
cd "$(dirname "$0")"
go vet ./...
go build -o bin/leftout ./e2e/leftout
go test -json -timeout 30m "${@:-./...}" | bin/leftout
