#!/usr/bin/env bash
# Checks what set-up and build need from the system, or (`needs.sh tests`) what only some
# tests do. What is missing is installed through apt where that is allowed; otherwise a
# line says what it is. Tests that miss something are left out, and say so themselves.
set -uo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3} go=${GO:-go} updated='' status=0

get() { # get PACKAGE WHAT CHECK…: true when it is there, or has been installed
  local package=$1 what=$2
  shift 2
  "$@" >/dev/null 2>&1 && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "needs: installing $package through apt, for $what" >&2
    [ -n "$updated" ] || apt-get update -qq >/dev/null 2>&1
    updated=yes
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null 2>&1
    hash -r
    "$@" >/dev/null 2>&1 && return
  fi
  return 1
}

need() {
  get "$@" && return
  echo "MISSING: $2; install it (Debian's package: $1) and start again" >&2
  status=1
}

newest_of() { printf '%s\n' "$@" | sort -V | tail -n 1; }
has_go() { # at least the version that go.mod names
  local wanted version
  wanted=$(sed -n 's/^go //p' go.mod)
  version=$("$go" env GOVERSION) && [ "$(newest_of "go$wanted" "$version")" = "$version" ]
}
has_python() { "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'; }
has_node() { [ "$(newest_of v20.19.0 "$(node --version)")" = "$(node --version)" ]; }
has_cc() { echo 'int main(void) { return 0; }' | "${CC:-gcc}" -x c -o /dev/null - -lstdc++; }

if [ "${1:-}" = tests ]; then
  get curl "documented sessions that use curl" command -v curl
  get chromium "the pages in a browser" command -v chromium
  exit 0
fi
need git "Git" command -v git
need make "make" command -v make
need build-essential "a C compiler with the C++ library" has_cc
need golang-go "Go $(sed -n 's/^go //p' go.mod) or later" has_go
need nodejs "Node 20.19 or later, which builds the web interface" has_node
need npm "npm, which fetches the web interface's libraries" command -v npm
need python3-venv "Python 3.11 or later with venv" has_python
exit $status
