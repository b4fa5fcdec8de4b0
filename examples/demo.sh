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
listen: 127.0.0.1:${PORT:-0}
store: sqlite://$dir/pullrun.db
tokens:
  - name: demo
    token_file: $dir/token
    scopes: [admin]
CONFIG
export PULLRUN_SERVER_TOKEN_FILE="$dir/token"

"$pullrun" server --config "$dir/server.yaml" --log-format json 2>"$dir/server.log" &
server=$!
# Without PORT the server takes a free one, and says which.
addr=
while [ -z "$addr" ]; do
  kill -0 "$server" 2>/dev/null || { cat "$dir/server.log" >&2; exit 1; }
  sleep 0.1
  addr=$(sed -n 's/.*"msg":"serving".*"addr":"\([^"]*\)".*/\1/p' "$dir/server.log")
done
export PULLRUN_SERVER_URL="http://$addr"
"$pullrun" worker --name demo --outbox-dir "$dir/outbox" --log-level warn "$examples" &
worker=$!

"$pullrun" run url_check --set "server=\"$PULLRUN_SERVER_URL\""
