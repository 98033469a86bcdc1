# One image for every process: the command chooses which one it is.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/ ./starter && \
    CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/interlock-worker ./worker

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/ /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/starter"]
