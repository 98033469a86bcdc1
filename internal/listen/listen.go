// Package listen opens the addresses that a process serves on, and tells
// whoever started the process which they are: a port that is bound before it
// is told cannot be taken in between. It owns the file in which they are told,
// and refuses to know what is served there.
//
// The file holds a JSON object of host:port by name. It appears whole, and only
// when everything in it is bound. Another start of the same process reads it: a
// port 0 is then the one it had, because others know the address by now. Where
// that one is taken the start fails, and is to be repeated; nothing moves
// silently. Who wants new ports removes the file.
//
// A socket that the starter binds and the process inherits would be simpler and
// was rejected: while the process is down its clients would not be refused but
// wait, and a request that was surely not sent would become one of unknown fate.
package listen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
)

// Variable is the environment variable that names the file.
const Variable = "INTERLOCK_ADDRESS_FILE"

// What our processes serve.
const (
	HTTP    = "http" // the exchange, the analyst or the API
	Metrics = "metrics"
)

// Addresses are host:port by what is served there.
type Addresses map[string]string

// Book opens listeners for one process and tells their addresses.
type Book struct {
	file    string
	earlier Addresses // of an earlier start
	bound   Addresses
}

// In tells in file, and takes what an earlier start has told there. Without a
// file it tells nobody.
func In(file string) (*Book, error) {
	b := &Book{file: file, bound: Addresses{}}
	if file == "" {
		return b, nil
	}
	earlier, err := Read(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b.earlier = earlier
	return b, nil
}

// Listen binds addr for what is called name. Port 0 is any free one, or the
// one of the earlier start. An empty addr is nothing to bind.
func (b *Book) Listen(ctx context.Context, name, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := b.bind(ctx, name, addr)
	if err == nil {
		b.bound[name] = l.Addr().String()
	}
	return l, err
}

func (b *Book) bind(ctx context.Context, name, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port != "0" {
		return new(net.ListenConfig).Listen(ctx, "tcp", addr)
	}
	was, earlier, err := net.SplitHostPort(b.earlier[name])
	if err != nil || was != host {
		return Free(ctx, host)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, earlier))
	if err != nil {
		return nil, fmt.Errorf("%w; it listened there before, and others know the address", err)
	}
	return l, nil
}

// Tell writes the file, once everything is bound.
func (b *Book) Tell() error {
	if b.file == "" {
		return nil
	}
	text, err := json.Marshal(b.bound)
	if err == nil {
		err = os.WriteFile(b.file+".new", append(text, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(b.file+".new", b.file)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", Variable, err)
	}
	return nil
}

// Read is what a process has told in file; fs.ErrNotExist until it has.
func Read(file string) (Addresses, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Variable, err)
	}
	var told Addresses
	if err := json.Unmarshal(text, &told); err != nil {
		return nil, fmt.Errorf("%s: %s is not a JSON object of addresses: remove it: %w", Variable, file, err)
	}
	return told, nil
}
