package devstack

import (
	"context"
	"errors"
	"io"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// open starts the server and returns when it answers.
func (p *Postgres) open(ctx context.Context) error {
	if err := stopPredecessor(ctx, p.data(), p.cfg.Progress); err != nil {
		return err
	}
	if err := onFreePorts(ctx, "PostgreSQL", p.cfg.Progress, func() error { return p.openOnce(ctx) }); err != nil {
		return err
	}
	return p.createDatabase(ctx)
}

func (p *Postgres) openOnce(ctx context.Context) error {
	port, err := p.cfg.ports.choose(p.cfg.Port, "PostgreSQL")
	if err != nil {
		return err
	}
	// On our death the server aborts at once: quicker than an orderly end,
	// and as safe, since what was committed is in the log.
	child, err := start(p.command("postgres", p.data(), syscall.SIGQUIT, p.serverArgs(port)))
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.process, p.port = child, port
	p.mu.Unlock()
	if err := child.awaitReady(ctx, postgresReady, 25*time.Millisecond, p.ping); err != nil {
		if port == p.cfg.Port && errors.Is(err, syscall.EADDRINUSE) {
			err = &PortTakenError{Port: port, For: "PostgreSQL"}
		}
		return errors.Join(err, child.kill(), stopPredecessor(context.WithoutCancel(ctx), p.data(), io.Discard))
	}
	return nil
}

func (p *Postgres) serverArgs(port int) []string {
	settings := [][2]string{
		{"listen_addresses", "127.0.0.1"},
		{"port", strconv.Itoa(port)},
		{"unix_socket_directories", ""}, // a socket's path may not be longer than 107 bytes
		{"timezone", "UTC"},
		{"log_timezone", "UTC"},
	}
	if p.cfg.Fast {
		// Many stacks of one test process share such a server.
		settings = append(settings, [][2]string{{"fsync", "off"}, {"full_page_writes", "off"}, {"max_connections", "1000"}}...)
	} else {
		settings = append(settings, [][2]string{{"fsync", "on"}, {"synchronous_commit", "on"}, {"max_connections", "200"}}...)
	}
	args := []string{"-D", p.data()}
	for _, s := range settings {
		args = append(args, "-c", s[0]+"="+s[1])
	}
	return args
}

func (p *Postgres) ping(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.urlOf("postgres")+"&connect_timeout=2")
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func (p *Postgres) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.urlOf("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	const existsSQL = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`
	if err := conn.QueryRow(ctx, existsSQL, database).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+database)
	return err
}
