package audit

import (
	"fmt"

	"interlock/internal/view"
)

type askedFor struct {
	view.Act

	Verified view.Identity `json:"verified"`
}

// asked tells what a verified person asked for, before anything came of it.
func asked(_ Event, a askedFor) string {
	text := fmt.Sprintf("%s, whom the API had verified as %s by a %s, asked to %s it", orNobody(a.Verified.UserID), a.Verified.Role, a.Verified.Proof, a.Act.Act)
	switch {
	case a.OrderID != "":
		text += " as order " + a.OrderID
	case a.Absent:
		text += " as an order that does not exist"
	}
	if a.Request != "" {
		text += fmt.Sprintf(" (request %s)", a.Request)
	}
	if a.Reason != "" {
		text += fmt.Sprintf(", because %q", a.Reason)
	}
	return text + "."
}
