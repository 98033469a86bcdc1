package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// exchange is the paper exchange's side that only this machine sees.
type exchange struct {
	admin string
	web   *http.Client
}

func newExchange(admin string) *exchange {
	return &exchange{admin: admin, web: &http.Client{Timeout: 30 * time.Second}}
}

// pull moves one lever. What it answers goes into out, unless that is nil.
func (e *exchange) pull(ctx context.Context, method, path string, body, out any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, e.admin+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	reply, err := e.web.Do(request)
	if err != nil {
		return fmt.Errorf("exchange %s: %w", path, err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	switch {
	case err != nil:
		return fmt.Errorf("exchange %s: %w", path, err)
	case reply.StatusCode != http.StatusOK:
		return fmt.Errorf("exchange %s: %s: %s", path, reply.Status, text)
	case out == nil:
		return nil
	}
	return json.Unmarshal(text, out)
}

// arm replaces every fault. The same seed decides the same chances.
func (e *exchange) arm(ctx context.Context, seed uint64, faults []Fault) error {
	return e.pull(ctx, http.MethodPost, "/schedule", map[string]any{"seed": seed, "faults": faults}, nil)
}

// add arms one more fault, after those that there are.
func (e *exchange) add(ctx context.Context, f Fault) error {
	return e.pull(ctx, http.MethodPost, "/faults", f, nil)
}

// struckFault is a fault as the exchange counts it.
type struckFault struct {
	Fault

	ID     string `json:"id"`
	Struck int    `json:"struck"`
}

func (e *exchange) faults(ctx context.Context) ([]struckFault, error) {
	var list []struckFault
	return list, e.pull(ctx, http.MethodGet, "/faults", nil, &list)
}

func (e *exchange) disarm(ctx context.Context) error {
	return e.pull(ctx, http.MethodDelete, "/faults?keep=counts", nil, nil)
}

// offset sets the exchange's clock apart from the machine's.
func (e *exchange) offset(ctx context.Context, by time.Duration) error {
	return e.pull(ctx, http.MethodPost, "/clock", map[string]int64{"offsetMs": by.Milliseconds()}, nil)
}

func (e *exchange) option(ctx context.Context, name string, on bool) error {
	return e.pull(ctx, http.MethodPost, "/options", map[string]bool{name: on}, nil)
}

// prices reads what every market costs, over the exchange's public side.
func prices(ctx context.Context, base string) (map[string]string, error) {
	var list []struct{ Market, Price string }
	public := newExchange(base)
	if err := public.pull(ctx, http.MethodGet, "/ticker/price", nil, &list); err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, row := range list {
		found[row.Market] = row.Price
	}
	return found, nil
}
