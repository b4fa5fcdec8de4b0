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
# What is found in the standard library belongs to the Go release that builds
# the program, and goes away with the next one: it is listed, with the release
# that has the remedy, and is no failure of this code. Nor is what
# tools/vuln-accepted.txt explains.
#
# Exit status: 0 nothing found, 3 vulnerabilities found in the modules in use,
# anything else nothing checked.
set -eu

cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- ./...

vulncheck() { go tool -modfile=tools/go.mod govulncheck "$@"; }

# found lists the findings, "ID place remedy" a line, from what govulncheck says.
found() {
	awk '
		/^Vulnerability #/ { id = $3 }
		/Found in: /       { place = $3 }
		/Fixed in: /       { print id, place, $3 }
	' "$report" | sort -u
}

# unaccepted drops the findings that tools/vuln-accepted.txt explains.
unaccepted() {
	while read -r id rest; do
		grep -q "^$id " tools/vuln-accepted.txt || echo "$id $rest"
	done
}

# finish ends the script; only what was checked was checked against something.
finish() {
	case $status in
	0) ;;
	3)
		if found | grep -v '@go[0-9]' | unaccepted | grep -q .; then
			cat "$report"
		else
			echo "vulncheck: these are mended by a newer Go release, or explained in tools/vuln-accepted.txt:"
			found | awk '{ print "  " $1, $2, "->", $3 }'
			status=0
		fi
		;;
	*) cat "$report" "$errors" >&2 && exit "$status" ;;
	esac
	echo "vulncheck: database: $1"
	exit "$status"
}

errors=$(mktemp)
report=$(mktemp)
trap 'rm -f "$errors" "$report"' EXIT

status=0
vulncheck "$@" >"$report" 2>"$errors" || status=$?
if ! grep -q '^govulncheck: fetching vulnerabilities:' "$errors"; then
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
vulncheck -db "file://$dir/data/osv" "$@" >"$report" 2>"$errors" || status=$?
finish "module ${dir##*/}"
