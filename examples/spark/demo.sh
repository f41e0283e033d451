#!/usr/bin/env bash
# The main job on one bare machine: a Spark image from its Dockerfile to its golden tag, then its verification.
# Everything is kept under HALLMARK_DEMO_CACHE and HALLMARK_HOME, so that the next time takes a fraction.
set -euo pipefail
cd "$(dirname "$0")/../.."
export GOEXPERIMENT=jsonv2
hallmark=$PWD/bin/hallmark
cache=${HALLMARK_DEMO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hallmark/demo}
export HALLMARK_DEMO_CACHE=$cache

# A Debian base and a Spark distribution, in place of the base image that a team pulls from a registry of its own.
mapfile -t contexts < <(go run ./examples/spark/setup)
[ "${#contexts[@]}" -gt 0 ] || exit 1

# A key of the demo's own. Its password lies beside it: enough here, and nowhere else.
if [ ! -e "$cache/demo.key" ]; then
	(umask 077 && head -c 24 /dev/urandom | base64 >"$cache/demo.password")
	"$hallmark" key new --out "$cache/demo" --password "file:$cache/demo.password" >/dev/null
fi

# The small database that Hallmark's own project wrote: the same findings everywhere, with or without a network. It is no
# assessment, and every output says so. HALLMARK_DEMO_DATABASE=ghcr.io/aquasecurity/trivy-db:2 takes the public one, which
# knows of fixable HIGH vulnerabilities in every Spark release: expect the scan gate to stop the image.
"$hallmark" run examples/spark "${contexts[@]}" \
	--set "sign.key=file:$cache/demo.key" --set "sign.password=file:$cache/demo.password" \
	--set "scan.database.from=${HALLMARK_DEMO_DATABASE:-demo}" "$@"

echo
echo "\$ hallmark verify --key $cache/demo.pub spark:golden"
"$hallmark" verify --progress quiet --key "$cache/demo.pub" spark:golden
echo
echo "The program is $hallmark. Next, in a repository of yours: hallmark init, and then hallmark run (README.md, \"Use it\")."
