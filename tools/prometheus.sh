#!/bin/sh
# Runs a command that needs Prometheus and promtool, which are installed where
# root and apt are there. Otherwise the tests say what they miss.
#
#     sh tools/prometheus.sh go test -run Alert ./cmd/pullrun
set -eu

if ! command -v prometheus >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	# Nothing of it is to run but what the tests start.
	export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive
	install="apt-get install -y --no-install-recommends prometheus"
	{ $install || { apt-get update && $install; }; } >&2 || true
	unset RUNLEVEL DEBIAN_FRONTEND
fi

exec "$@"
