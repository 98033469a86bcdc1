package analyst

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/sashabaranov/go-openai"
)

var (
	// ErrKey says that the server does not take the key, or wants one.
	ErrKey = errors.New("the model server does not take the key")

	// ErrNoList says that the server answers and lists no models: what it has
	// cannot be known without a call that may cost money.
	ErrNoList = errors.New("the model server lists no models")
)

// Models lists the names of the server's models, which no server bills. ErrKey
// and ErrNoList say what they say; any other error is a server that cannot be
// reached or does not answer.
func (a *Analyst) Models(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	seen := &wire{transport: a.transport}
	cfg := openai.DefaultConfig(a.cfg.Key)
	cfg.BaseURL = strings.TrimSuffix(a.cfg.BaseURL, "/")
	cfg.HTTPClient = &http.Client{
		Transport:     seen,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	list, err := contain(func() (openai.ModelsList, error) { return openai.NewClientWithConfig(cfg).ListModels(ctx) })
	switch status := seen.status; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return nil, fmt.Errorf("%w: HTTP %d: %s", ErrKey, status, a.clean(explain(err)))
	case status >= 500 || status == http.StatusTooManyRequests:
		return nil, fmt.Errorf("HTTP %d: %s", status, a.clean(explain(err)))
	case status != 0 && (status != http.StatusOK || err != nil || len(list.Models) == 0):
		return nil, fmt.Errorf("%w: HTTP %d", ErrNoList, status)
	case err != nil:
		return nil, errors.New(a.clean(explain(err)))
	}
	names := make([]string, len(list.Models))
	for i, m := range list.Models {
		names[i] = m.ID
	}
	slices.Sort(names)
	return names, nil
}
