# syntax=docker/dockerfile:1
# Hallmark for CI systems whose jobs run in images: GitLab's and others' `image:`. It has a shell and git, as such jobs
# need, and runs as nobody in particular: builds go to a BuildKit elsewhere (BUILDKIT_HOST) or to a Docker socket that the
# job is given. With --user 0 and --privileged the embedded engine works as well.
#
# Named contexts take the place of what it would fetch or compile:
#   program                a folder with the file hallmark, made before, and a release's SHA256SUMS: nothing is compiled then
#   debian:bookworm-slim   another base image
# Both tags below move, for the sake of Debian's and Go's mended faults. What a build took, its provenance names by digest.
ARG GO=golang:1.26-bookworm
ARG BASE=debian:bookworm-slim

FROM ${GO} AS compiled
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libseccomp-dev
WORKDIR /source
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=dev
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build <<'SHELL'
set -eu
pipeline/engine/runtime/build.sh
GOEXPERIMENT=jsonv2 CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /hallmark ./cmd/hallmark
SHELL

FROM scratch AS program
COPY --from=compiled /hallmark /hallmark

FROM ${BASE}
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked <<'SHELL'
set -eu
rm -f /etc/apt/apt.conf.d/docker-clean
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates git >/dev/null
# Whoever a job runs as may write here: some systems choose a user of their own.
install -d -m 1777 /home/hallmark
useradd --uid 65532 --gid 0 --no-log-init --no-create-home --home-dir /home/hallmark --shell /bin/bash hallmark
# A user's repository, checked out by another one, is what git sees in every job.
git config --system --add safe.directory '*'
rm -rf /var/log/* /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old /etc/*- /tmp/* /var/tmp/*
SHELL
COPY --from=program --chmod=0755 hallmark /usr/local/bin/hallmark
# Of a release: the checksums of all its programs, which the image's signature vouches for. The pattern allows for none.
COPY --from=program SHA256SUM[S] /usr/share/hallmark/
ENV HOME=/home/hallmark LANG=C.UTF-8
LABEL org.opencontainers.image.title="hallmark" \
      org.opencontainers.image.description="Build, check, scan, sign, stage, launch and promote container images" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/hallmark-ci/hallmark" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"
USER 65532:0
WORKDIR /work
# It waits for what a job, or a launch, runs in it.
CMD ["sleep", "infinity"]
