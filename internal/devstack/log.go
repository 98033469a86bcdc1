package devstack

import (
	"io"
	"os"
	"strings"
)

const maxLogSize = 16 << 20

// openLog appends to the log at path; one that has grown large is kept as
// path.1 first, so logs never fill the disk of a long-lived state folder.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogSize {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// lastWords returns the last lines of a log in one line, for an error message.
func lastWords(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "no log"
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > 4096 {
		_, _ = f.Seek(-4096, io.SeekEnd)
	}
	text, _ := io.ReadAll(f)
	return tail(string(text), 4)
}

// tail joins the last n lines of text into one.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, " | ")
}
