# syntax=docker/dockerfile:1
# An image of a function folder, or of any program of this module:
#
#   docker build -t orders:1 .                                            the functions
#   docker build -t fairlead:1 --build-arg PACKAGE=./cmd/fairlead .       the command, for "source" and "scaler"
#
# The program is static and runs as a user who is not root; it writes only beside
# its configuration, if it can. For IBM MQ see Dockerfile.mq.

ARG GO_VERSION=1.26

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS build
ARG PACKAGE=.
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ENV CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOFLAGS=-trimpath
# A package with New gets a main around it, as "fairlead run" does it.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    if [ "$(go list -f '{{.Name}}' "$PACKAGE")" = main ]; then target="$PACKAGE"; else \
      mkdir -p .image && target=.image/main.go && \
      printf 'package main\n\nimport app "%s"\n\nfunc main() { app.New().Main() }\n' "$(go list "$PACKAGE")" > "$target"; \
    fi && \
    go build -ldflags="-s -w" -o /out/app "$target" && \
    mkdir -p /out/work && if [ -f fairlead.yaml ]; then cp fairlead.yaml /out/work/; fi

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/app /app
COPY --from=build --chown=65532:65532 /out/work /work
WORKDIR /work
USER 65532:65532
EXPOSE 8080
ENV PORT=8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/app"]
