#!/bin/sh
# Starts a server and a worker on this machine, runs the URL check through them
# and ends. "make demo" calls it with the program to use.
set -eu

pullrun=$1
examples=$(dirname "$0")
dir=$(mktemp -d)
server=
worker=
cleanup() {
  [ -z "$worker" ] || kill "$worker" 2>/dev/null || true
  [ -z "$worker" ] || wait "$worker" 2>/dev/null || true
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  rm -rf "$dir"
}
trap cleanup EXIT

# One token for everything here; it goes from file to file, never by flag.
(umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$dir/token")
cat >"$dir/server.yaml" <<CONFIG
listen: 127.0.0.1:${PORT:-18080}
store: sqlite://$dir/pullrun.db
tokens:
  - name: demo
    token_file: $dir/token
    scopes: [admin]
CONFIG
url=http://127.0.0.1:${PORT:-18080}
export PULLRUN_SERVER_URL="$url" PULLRUN_SERVER_TOKEN_FILE="$dir/token"

"$pullrun" server --config "$dir/server.yaml" --log-level warn &
server=$!
"$pullrun" health --wait 10s >/dev/null
"$pullrun" worker --name demo --outbox-dir "$dir/outbox" --log-level warn "$examples" &
worker=$!

"$pullrun" run url_check --set "server=\"$url\""
