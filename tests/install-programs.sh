#!/bin/sh
# Install the outside programs that tests use, if this machine lets us; say so if not.
# Usage: install-programs.sh PROGRAM...   (each is a command and a Debian package of that name, or
# command=package; one with a question mark behind it is installed only where the packages have it)
set -u
missing=""
optional=""
for program in "$@"; do
    name="${program%\?}"
    package="${name#*=}"
    if command -v "${name%%=*}" >/dev/null 2>&1; then
        continue
    elif [ "$name" = "$program" ]; then
        missing="$missing $package"
    else
        optional="$optional $package"
    fi
done
[ -n "$missing$optional" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    # The lists are read anew only for what must be there: that takes seconds, every time.
    [ -z "$missing" ] || apt-get update -qq
    chosen="$missing"
    for name in $optional; do
        if apt-cache show "$name" >/dev/null 2>&1; then
            chosen="$chosen $name"
        fi
    done
    [ -n "$chosen" ] || exit 0
    echo "==> installing$chosen"
    # shellcheck disable=SC2086 # one word a package
    if DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $chosen; then
        exit 0
    fi
fi
[ -n "$missing" ] || exit 0
echo "==> not installed, so tests that need them are skipped:$missing"
[ "${CI:-}" != true ] || exit 1
