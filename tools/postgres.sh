#!/bin/sh
# Runs a command with a PostgreSQL server of its own and puts its address into
# PULLRUN_TEST_POSTGRES. The server lives in a temporary directory, listens on
# a free port of this machine, syncs what it commits, and is gone afterwards.
# Where PULLRUN_TEST_POSTGRES is set already, that server is used instead.
#
#     sh tools/postgres.sh go test ./server/...
set -eu

if [ -n "${PULLRUN_TEST_POSTGRES-}" ]; then exec "$@"; fi

# The newest server that is installed here. Debian keeps them out of the path.
programs() {
	for dir in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null | sort -rV); do
		if [ -x "$dir/initdb" ]; then echo "$dir" && return; fi
	done
	if initdb=$(command -v initdb); then dirname "$initdb"; fi
}

bin=$(programs)
if [ -z "$bin" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	{ apt-get install -y postgresql || { apt-get update && apt-get install -y postgresql; }; } >&2
	bin=$(programs)
fi
if [ -z "$bin" ]; then
	echo "no PostgreSQL server is installed: install the package postgresql, or set PULLRUN_TEST_POSTGRES to the address of one" >&2
	exit 1
fi

dir=$(mktemp -d)
# The server refuses to run as root.
as=
if [ "$(id -u)" = 0 ]; then
	user=$(id -un postgres 2>/dev/null || echo nobody)
	chown "$user" "$dir"
	as="setpriv --reuid=$user --regid=$(id -gn "$user") --clear-groups"
fi

stop() {
	status=$?
	trap - EXIT
	trap '' HUP INT TERM
	(cd "$dir" && $as "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1) || true
	rm -rf "$dir"
	exit "$status"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

(cd "$dir" && $as "$bin/initdb" -D "$dir/data" -U pullrun -A trust -E UTF8 --locale=C >"$dir/log" 2>&1) || { cat "$dir/log" >&2; exit 1; }
cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
max_connections = 400
fsync = on
CONF

# A free port is found by taking it, so that another test run may start at once.
port= tries=0
while [ -z "$port" ]; do
	tries=$((tries + 1))
	try=$(($(od -An -N2 -tu2 /dev/urandom) % 40000 + 20000))
	if (cd "$dir" && $as "$bin/pg_ctl" -D "$dir/data" -o "-p $try" -l "$dir/data/server.log" -w start >/dev/null 2>&1); then
		port=$try
	elif [ "$tries" = 5 ]; then
		cat "$dir/data/server.log" >&2
		exit 1
	fi
done

PULLRUN_TEST_POSTGRES="postgres://pullrun@127.0.0.1:$port/postgres" "$@"
