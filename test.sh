#!/usr/bin/env bash
# Runs all tests. What they need from the system is installed through apt when
# that is allowed; otherwise one visible line says what is left out.
set -euo pipefail
need() { # need COMMAND PACKAGE WHAT
  command -v "$1" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq >/dev/null 2>&1 && apt-get install -y -qq "$2" >/dev/null 2>&1 && return
  fi
  echo "LEFT OUT: $3 (needs $2, which could not be installed)"
}
need git git "tests with a real Git repository"
go vet ./...
go test -timeout 20m ./...
