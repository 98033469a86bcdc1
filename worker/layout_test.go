package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// imports lists what a package reaches, tests left out.
func imports(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "interlock/"+pkg).Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

func TestImportsPointInward(t *testing.T) {
	adapters := []string{"internal/analyst", "internal/postgres", "internal/bitvavo/orders", "internal/bitvavo/market", "internal/paper", "internal/devstack", "internal/earlier", "internal/notify"}
	forbidden := map[string][]string{
		"internal/trade":          append([]string{"go.temporal.io/sdk/workflow", "github.com/jackc/pgx/v5", "net/http", "os/exec"}, prefixed(adapters)...),
		"workflows":               prefixed(adapters),
		"activities/proposals":    prefixed(adapters),
		"activities/orders":       prefixed(adapters),
		"activities/scans":        prefixed(adapters),
		"activities/notify":       prefixed(adapters),
		"internal/notify":         prefixed(adapters[:6]),
		"internal/outbox":         append([]string{"go.temporal.io/sdk/workflow", "net/http", "os/exec"}, prefixed(adapters)...),
		"internal/paper":          {"interlock/internal/trade", "interlock/internal/postgres"},
		"internal/postgres":       prefixed(append([]string{"internal/analyst"}, adapters[2:]...)),
		"internal/bitvavo/orders": {"interlock/internal/postgres", "interlock/internal/paper", "github.com/bitvavo/go-bitvavo-api"},
		"internal/bitvavo/market": {"interlock/internal/postgres", "interlock/internal/paper", "interlock/internal/bitvavo/orders"},
		"internal/api":            {"interlock/internal/bitvavo/orders", "interlock/internal/bitvavo/market", "interlock/internal/paper", "interlock/internal/devstack"},
		"internal/doctor":         prefixed([]string{"internal/analyst", "internal/bitvavo/orders", "internal/bitvavo/market", "internal/paper", "internal/devstack"}),
		"internal/identity":       append([]string{"go.temporal.io/sdk/workflow", "interlock/internal/api"}, prefixed(adapters)...),
		"internal/budget":         append([]string{"go.temporal.io/sdk/workflow", "net/http"}, prefixed(adapters)...),
		"internal/prompt":         append([]string{"go.temporal.io/sdk/workflow", "net/http"}, prefixed(adapters)...),
		"internal/audit":          append([]string{"go.temporal.io/sdk/workflow", "net/http", "os/exec"}, prefixed(adapters)...),
		"internal/handover":       append([]string{"go.temporal.io/sdk/workflow", "github.com/jackc/pgx/v5", "net/http", "os/exec"}, prefixed(adapters)...),
		"internal/earlier":        prefixed(adapters[:6]),
		"internal/scan":           append([]string{"go.temporal.io/sdk/workflow", "net/http"}, prefixed(adapters)...),
		"internal/analyst":        prefixed(adapters[1:]),
		"internal/schedules":      prefixed(adapters),
		"internal/demoanalyst":    append([]string{"interlock/internal/trade", "interlock/internal/prompt"}, prefixed(adapters)...),
		"starter/chaos/forgery":   append([]string{"github.com/jackc/pgx/v5"}, prefixed(adapters)...),
		"internal/devstack":       {"interlock/internal/trade", "interlock/internal/postgres"},
	}
	for pkg, banned := range forbidden {
		reached := imports(t, pkg)
		for _, b := range banned {
			require.NotContains(t, reached, b, "%s must not reach %s", pkg, b)
		}
	}
}

func prefixed(packages []string) []string {
	var full []string
	for _, p := range packages {
		full = append(full, "interlock/"+p)
	}
	return full
}
