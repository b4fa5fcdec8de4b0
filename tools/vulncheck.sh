#!/bin/sh
# Looks for known vulnerabilities that the code can reach, and fails if there
# are any.
#
#     tools/vulncheck.sh [package...]        all packages if none is named
#
# govulncheck asks the online database. Where that cannot be reached, as in a
# build without a way out, the newest version of the Go module
# golang.org/x/vulndb stands in for it: the module carries the database's
# entries, one file each, and comes the same way as every other module. The
# last line says which of the two was used.
#
# Exit status: 0 nothing found, 3 vulnerabilities found, anything else nothing
# checked.
set -eu

cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- ./...

vulncheck() { go tool -modfile=tools/go.mod govulncheck "$@"; }

# finish ends the script; only what was checked was checked against something.
finish() {
	case $status in 0 | 3) echo "vulncheck: database: $1" ;; esac
	exit "$status"
}

errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

status=0
vulncheck "$@" 2>"$errors" || status=$?
if ! grep -q '^govulncheck: fetching vulnerabilities:' "$errors"; then
	cat "$errors" >&2
	finish online
fi

# A version that is named does not enter go.mod or go.sum; go still compares
# what it downloads with the checksum database.
module=$(go mod download -json golang.org/x/vulndb@latest) || {
	cat "$errors" >&2
	echo "vulncheck: neither the online database nor its module can be reached" >&2
	exit 1
}
dir=$(printf '%s\n' "$module" | sed -n 's/^.*"Dir": "\(.*\)".*$/\1/p')

# govulncheck makes the indexes by itself for a folder that has only entries.
status=0
vulncheck -db "file://$dir/data/osv" "$@" || status=$?
finish "module ${dir##*/}"
