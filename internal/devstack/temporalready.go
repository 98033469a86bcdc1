package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

// serves is what the server prints once it has bound all its ports.
var serves = regexp.MustCompile(`(?m)Server: +\S+:(\d+)\s*$`)

// ready asks whether child itself, and not another server that was quicker on
// its port, has come up. The server picks ports of its own for HTTP, metrics,
// history and matching. Without one of those it ends, some way or other; should
// it go on without, it is ended here.
func (t *Temporal) ready(child *process) func(context.Context) error {
	return func(ctx context.Context) error {
		if child.foundInUse("") {
			return errors.Join(errors.New("it lacks one of its ports"), child.kill())
		}
		if !child.servesAt(t.Address()) {
			return errors.New("it has not said that it serves")
		}
		if err := t.check(ctx); err != nil {
			return err
		}
		return t.checkUI(ctx)
	}
}

// mostBeforeServing is how much a server may say before it serves. One that was
// set back to an older copy complains of every task that its database has lost.
const mostBeforeServing = 16 << 20

func (p *process) servesAt(address string) bool {
	said := serves.FindSubmatch(readFrom(p.log, p.logStart, mostBeforeServing))
	return said != nil && strings.HasSuffix(address, ":"+string(said[1]))
}

func (t *Temporal) checkUI(ctx context.Context) error {
	url := t.UIURL()
	if url == "" {
		return nil
	}
	if err := answers(ctx, url); err != nil {
		return fmt.Errorf("web UI: %w", err)
	}
	return nil
}

// check passes when clients can dial the namespace and use its attributes.
func (t *Temporal) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := client.DialContext(ctx, client.Options{
		HostPort: t.Address(), Namespace: t.cfg.Namespace,
		Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.WorkflowService().DescribeNamespace(ctx,
		&workflowservice.DescribeNamespaceRequest{Namespace: t.cfg.Namespace}); err != nil {
		return err
	}
	return RegisterSearchAttributes(ctx, c, t.cfg.Namespace, t.cfg.SearchAttributes)
}

// RegisterSearchAttributes adds what is missing of attributes (name to type)
// and returns when all can be queried. It fails when one exists with another
// type. The server's own flag serves new namespaces only, so a state folder
// from before an attribute was invented needs this.
func RegisterSearchAttributes(ctx context.Context, c client.Client, namespace string, attributes map[string]string) error {
	if len(attributes) == 0 {
		return nil
	}
	have, err := c.OperatorService().ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("list search attributes: %w", err)
	}
	missing, err := missingAttributes(have.GetCustomAttributes(), attributes)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		if _, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: namespace, SearchAttributes: missing,
		}); err != nil {
			return fmt.Errorf("add search attributes: %w", err)
		}
	}
	return awaitQueryable(ctx, c, namespace, attributes)
}

func missingAttributes(have map[string]enumspb.IndexedValueType, want map[string]string) (map[string]enumspb.IndexedValueType, error) {
	missing := map[string]enumspb.IndexedValueType{}
	for name, kind := range want {
		value, err := enumspb.IndexedValueTypeFromString(kind)
		if err != nil {
			return nil, fmt.Errorf("search attribute %s: no type %q", name, kind)
		}
		switch present, ok := have[name]; {
		case !ok:
			missing[name] = value
		case present != value:
			return nil, fmt.Errorf("search attribute %s is %s in Temporal, and %s here", name, present, kind)
		}
	}
	return missing, nil
}

func awaitQueryable(ctx context.Context, c client.Client, namespace string, attributes map[string]string) error {
	var clauses []string
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		clauses = append(clauses, name+" IS NOT NULL")
	}
	request := &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: namespace, Query: strings.Join(clauses, " AND "),
	}
	var last error
	err := poll(ctx, 50*time.Millisecond, func() (bool, error) {
		_, last = c.WorkflowService().CountWorkflowExecutions(ctx, request)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("search attributes: %w", withLast(err, last))
	}
	return nil
}
