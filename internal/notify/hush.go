package notify

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"interlock/internal/outbox"
)

// advice is an error of our own words, which hold nothing of an address.
type advice string

func (a advice) Error() string { return string(a) }

// hush is err without anything of the target's secrets: libraries put the
// whole address into their errors, plain or taken apart.
func hush(err error, to outbox.Target) error {
	var own advice
	if err == nil || errors.As(err, &own) {
		return err
	}
	var transport *url.Error
	if errors.As(err, &transport) {
		err = transport.Err
	}
	text := err.Error()
	for _, secret := range pieces(to) {
		text = strings.ReplaceAll(text, secret, "…")
	}
	return errors.New(text)
}

// pieces are the parts of an address that could mean something, the longest
// first. Its scheme says nothing; parts of three letters or less give nothing
// away.
func pieces(to outbox.Target) []string {
	text := to.Address.Reveal()
	decoded, err := url.PathUnescape(text)
	if err != nil {
		decoded = text
	}
	list := []string{to.SigningKey.Reveal()}
	for _, t := range []string{text, decoded} {
		_, t, _ = strings.Cut(t, "://")
		list = append(list, strings.FieldsFunc(t, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...)
	}
	list = slices.DeleteFunc(list, func(s string) bool { return len(s) < 4 })
	slices.SortFunc(list, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return slices.Compact(list)
}
