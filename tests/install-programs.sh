#!/bin/sh
# Install the outside programs that tests use, if this machine lets us; say so if not.
# Usage: install-programs.sh PROGRAM...   (each is a command and a Debian package of that name)
set -u
missing=""
for program in "$@"; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "==> installing$missing"
    # shellcheck disable=SC2086 # one word a package
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing; then
        exit 0
    fi
fi
echo "==> not installed, so tests that need them are skipped:$missing"
[ "${CI:-}" != true ] || exit 1
