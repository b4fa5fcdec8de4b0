#!/bin/sh
# Runs a command that needs the proxies and namespaces of the network tests:
# nginx, squid and iproute2. What is missing is installed where root and apt are
# there; otherwise the tests say what they miss. A namespace takes root, so
# everybody else leaves those tests out, as PULLRUN_TEST_NETNS=none does.
#
#     sh tools/network.sh go test ./cmd/pullrun
set -eu

PATH=$PATH:/usr/sbin:/sbin
export PATH

missing=
command -v nginx >/dev/null || missing="$missing nginx"
command -v squid >/dev/null || missing="$missing squid"
command -v ip >/dev/null || missing="$missing iproute2"

if [ "$(id -u)" != 0 ]; then
	: "${PULLRUN_TEST_NETNS=none}"
	export PULLRUN_TEST_NETNS
	echo "tools/network.sh: not root, so the tests in a network namespace are left out" >&2
elif [ -n "$missing" ] && command -v apt-get >/dev/null; then
	# Nothing of it is to run but what the tests start.
	export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive
	install="apt-get install -y --no-install-recommends $missing"
	{ $install || { apt-get update && $install; }; } >&2 || true
	unset RUNLEVEL DEBIAN_FRONTEND
fi

exec "$@"
