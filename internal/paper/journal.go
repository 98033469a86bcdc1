package paper

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// record is one line of the state file: what changed, as it is after the
// change, so that reading a line twice does no harm.
type record struct {
	// Origin is the exchange's birth (ms); only the first line has it.
	Origin   int64                         `json:"origin,omitempty"`
	Orders   []*order                      `json:"orders,omitempty"`
	Accounts map[string]map[string]holding `json:"accounts,omitempty"`
	House    amounts                       `json:"house,omitempty"`
	Fees     amounts                       `json:"fees,omitempty"`
	// Pins holds pinned prices; an empty one is free again.
	Pins map[string]string `json:"pins,omitempty"`
}

func (r record) empty() bool {
	return r.Origin == 0 && len(r.Orders) == 0 && len(r.Accounts) == 0 && len(r.Pins) == 0
}

// journal appends records to the state file. A record is on disk once sync
// returns; one sync serves everyone who waits for it. The first error stays:
// an exchange that cannot write must not go on as if it had.
type journal struct {
	file *os.File

	mu      sync.Mutex
	written int64
	err     error

	syncing sync.Mutex
	synced  int64
}

// openJournal reads the state file and stands at its end. A last line without
// an end is what a kill leaves: its reply never left, so it is cut off.
func openJournal(path string) (*journal, []record, error) {
	if path == "" {
		return &journal{}, nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &journal{}, nil, fmt.Errorf("state file: %w", err)
	}
	records, whole, err := readRecords(data)
	if err != nil {
		return &journal{}, nil, fmt.Errorf("state file %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return &journal{}, nil, fmt.Errorf("state file: %w", err)
	}
	j := &journal{file: file}
	if err := errors.Join(file.Truncate(int64(whole)), syncFolder(path)); err != nil {
		return j, nil, fmt.Errorf("state file: %w", err)
	}
	return j, records, nil
}

// readRecords reads whole lines and says where the last of them ends.
func readRecords(data []byte) (records []record, whole int, err error) {
	orders := int64(0)
	for {
		line, _, found := bytes.Cut(data[whole:], []byte("\n"))
		if !found {
			return records, whole, nil
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", len(records)+1, err)
		}
		if orders, err = r.check(orders); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", len(records)+1, err)
		}
		records = append(records, r)
		whole += len(line) + 1
	}
}

// check refuses what replay cannot use. Orders are numbered without a gap:
// known is the number of the last one before this record.
func (r record) check(known int64) (int64, error) {
	for _, o := range r.Orders {
		if o == nil || o.Seq < 1 || o.Seq > known+1 || o.Market == "" {
			return known, errors.New("an order without market or out of sequence")
		}
		known = max(known, o.Seq)
	}
	for account, holdings := range r.Accounts {
		if holdings == nil {
			return known, fmt.Errorf("account %s: without holdings", account)
		}
	}
	for market, price := range r.Pins {
		if price != "" && !pinnable(price) {
			return known, fmt.Errorf("market %s: pinned at %q", market, price)
		}
	}
	return known, nil
}

// syncFolder makes the file's name as durable as its content.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// append writes a record; it outlives this process at once, and the machine
// after sync.
func (j *journal) append(r record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil || j.err != nil {
		return j.err
	}
	line, err := json.Marshal(r)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	j.err = err
	j.written++
	return err
}

// sync returns when everything appended before the call is on disk.
func (j *journal) sync() error {
	wanted, err := j.position()
	if err != nil || j.file == nil {
		return err
	}
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.synced >= wanted {
		return nil
	}
	upTo, err := j.position()
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.fail(err)
		return err
	}
	j.synced = upTo
	return nil
}

func (j *journal) position() (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.written, j.err
}

func (j *journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil || errors.Is(err, errClosed) {
		j.err = err
	}
}

var errClosed = errors.New("the exchange is closed")

// close may be called again; whatever is appended after it is refused.
func (j *journal) close() error {
	if _, err := j.position(); j.file == nil || errors.Is(err, errClosed) {
		return nil
	}
	err := j.sync()
	j.fail(errClosed)
	if err := errors.Join(err, j.file.Close()); err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	return nil
}
