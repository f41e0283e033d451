#!/bin/sh
# Builds upstream runc, static, from the version that go.mod names, and lays it compressed into the folder of its
# architecture beside this script, from where the next build of hallmark for that architecture embeds it. Needs a C
# compiler and libseccomp's headers (libseccomp-dev).
# Usage: build.sh [amd64|arm64]; no argument: this machine's.
set -eu
cd "$(dirname "$0")"
here=$(go env GOHOSTARCH)
arch=${1:-$here}
case $arch in
amd64) triple=x86_64-linux-gnu ;;
arm64) triple=aarch64-linux-gnu ;;
*)
	echo "build.sh: hallmark embeds runc for amd64 and arm64, not for $arch" >&2
	exit 2
	;;
esac
if [ "$arch" != "$here" ]; then
	export CC="${CC:-$triple-gcc}" PKG_CONFIG_LIBDIR="${PKG_CONFIG_LIBDIR:-/usr/lib/$triple/pkgconfig}"
	if ! command -v "$CC" >/dev/null 2>&1 || [ ! -e "$PKG_CONFIG_LIBDIR/libseccomp.pc" ]; then
		echo "build.sh: building runc for $arch on $here needs $CC and its libseccomp. On Debian:" >&2
		echo "  dpkg --add-architecture $arch && apt-get update && apt-get install gcc-$triple libseccomp-dev:$arch" >&2
		echo "Or run this script on a machine of that architecture and copy $arch/runc.gz here." >&2
		exit 1
	fi
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GOOS=linux GOARCH=$arch CGO_ENABLED=1 GOEXPERIMENT=jsonv2 go build -trimpath -tags 'seccomp netgo osusergo' \
	-ldflags '-s -w -extldflags=-static' -o "$work/runc" github.com/opencontainers/runc
gzip -9 -n -c "$work/runc" >"$work/runc.gz" # -n: no time stamp, so that the same runc gives the same file
mv "$work/runc.gz" "$arch/runc.gz"
version="not run: it is for another architecture"
[ "$arch" != "$here" ] || version=$("$work/runc" --version | head -n 1)
echo "$arch/runc.gz: $(wc -c <"$arch/runc.gz") bytes, $version"
