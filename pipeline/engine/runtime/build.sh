#!/bin/sh
# Builds upstream runc, static, from the version that go.mod names, and lays it compressed beside this script,
# from where the next build of hallmark embeds it. Needs a C compiler and libseccomp's headers (libseccomp-dev).
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=1 GOEXPERIMENT=jsonv2 go build -trimpath -tags 'seccomp netgo osusergo' \
	-ldflags '-s -w -extldflags=-static' -o "$work/runc" github.com/opencontainers/runc
gzip -9 -n -c "$work/runc" >"$work/runc.gz" # -n: no time stamp, so that the same runc gives the same file
mv "$work/runc.gz" runc.gz
echo "runc.gz: $(wc -c <runc.gz) bytes, $("$work/runc" --version | head -n 1)"
