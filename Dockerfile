# A static program on an image that has certificates, time zones and nothing
# else. It runs as a worker unless told otherwise:
#
#   docker run -v ./pipelines:/pipelines:ro -v pullrun:/var/lib/pullrun -e PULLRUN_NAME=edge-1 \
#     -e PULLRUN_SERVER_URL=https://... -e PULLRUN_SERVER_TOKEN_FILE=/run/secrets/token pullrun
#   docker run pullrun server --config /etc/pullrun/server.yaml
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN mkdir /state
RUN CGO_ENABLED=0 go build -trimpath -tags grpcnotrace -ldflags="-s -w" -o /pullrun ./cmd/pullrun

FROM gcr.io/distroless/static-debian13:nonroot
COPY --from=build /pullrun /usr/local/bin/pullrun
COPY --from=build --chown=nonroot:nonroot --chmod=700 /state /var/lib/pullrun
ENV PULLRUN_PIPELINES_DIRS=/pipelines PULLRUN_OUTBOX_DIR=/var/lib/pullrun/outbox
VOLUME /var/lib/pullrun
WORKDIR /var/lib/pullrun
USER nonroot
ENTRYPOINT ["/usr/local/bin/pullrun"]
CMD ["worker"]
