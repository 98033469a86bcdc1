# One image for every process: the command says which one it is.
FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/ ./starter ./worker

# A shell and wget are for the health checks and the exchange's key file.
FROM alpine:3.22
RUN apk add --no-cache ca-certificates tzdata && adduser -D -u 10001 interlock && \
    install -d -o interlock -g interlock /state
COPY --from=build /out/ /usr/local/bin/
USER interlock
