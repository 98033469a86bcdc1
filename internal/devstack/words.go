package devstack

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"
)

const (
	// mostSaid is how much of what a child says is looked at, from its start.
	mostSaid = 64 << 10

	// mostWords keeps an error that carries last words a line.
	mostWords = 240
)

// endedError says how a child ended that should have gone on.
type endedError struct {
	when  string
	fate  string
	words string
	log   string
	inUse bool
}

func (e *endedError) Error() string {
	return fmt.Sprintf("ended%s (%s): %s; see %s", e.when, e.fate, e.words, e.log)
}

// Is lets a child that found its address in use be told from one with any
// other fault.
func (e *endedError) Is(target error) bool { return e.inUse && target == syscall.EADDRINUSE }

// ended is how a child that was reaped ended, with its last words.
func (p *process) ended(when string) error {
	return &endedError{when: when, fate: p.fate(), words: p.lastWords(), log: p.log, inUse: p.foundInUse("")}
}

// lastWords are the last lines that this process said, and not one before it
// in the same log.
func (p *process) lastWords() string { return LastWords(readFrom(p.log, p.logStart, -mostSaid)) }

// foundInUse reports whether the child said that an address was in use; with
// address, that one. C programs say it as Go ones do.
func (p *process) foundInUse(address string) bool {
	const inUse = "address already in use"
	for line := range bytes.Lines(readFrom(p.log, p.logStart, mostSaid)) {
		line = bytes.ToLower(line)
		if bytes.Contains(line, []byte(inUse)) && bytes.Contains(line, []byte(address)) {
			return true
		}
	}
	return false
}

// readFrom reads the file at path from an offset on: at most the first limit
// bytes, or for a negative one the last.
func readFrom(path string, offset, limit int64) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if limit < 0 {
		limit = -limit
		if info, err := f.Stat(); err == nil {
			offset = max(offset, info.Size()-limit)
		}
	}
	text, _ := io.ReadAll(io.NewSectionReader(f, offset, limit)) // what could be read is better than nothing
	return text
}

// LastWords are the last lines of what a program said in one line, for an error
// message. Of a Go program that panicked they are what it says first: a stack
// follows.
func LastWords(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	first, end := max(0, len(lines)-4), len(lines)
	for i, line := range lines {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			first, end = max(0, i-1), i+1
			break
		}
	}
	words := strings.Join(lines[first:end], " | ")
	if words == "" {
		return "it said nothing"
	}
	return shortened(words)
}

// shortened keeps the end of words, which says most.
func shortened(words string) string {
	if len(words) <= mostWords {
		return words
	}
	words = words[len(words)-mostWords:]
	for !utf8.RuneStart(words[0]) {
		words = words[1:]
	}
	return "…" + words
}
