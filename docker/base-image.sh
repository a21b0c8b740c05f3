#!/bin/sh
# Make a stand-in for the base image out of Debian's packages, where no image registry can be
# reached: a Debian 13 with its Python 3.13, under the name that Dockerfile.tools asks for.
# Usage, as root:   sh docker/base-image.sh [NAME]
# Needs podman and debootstrap. DEBIAN_MIRROR names another mirror.
set -eu
name="${1:-docker.io/library/python:3.13-slim}"
mirror="${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
root="$work/root"
# What debootstrap mounts is gone with the namespace, however it ends.
unshare --mount --propagation private debootstrap --variant=minbase \
    --include=ca-certificates,python3,python3-pip,python3-venv trixie "$root" "$mirror" \
    >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
ln -s /usr/bin/python3 "$root/usr/local/bin/python"
# Of this machine, nothing goes along.
: >"$root/etc/resolv.conf"
echo localhost >"$root/etc/hostname"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*
tar -C "$root" -c . | podman import --change 'CMD ["python"]' - "$name"
