package config

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"interlock/internal/secret"
)

// keyVariables are the variables that hold a key, by the roles that may have
// them. Nobody else may, not even unread: what a process does not hold it
// cannot leak.
var keyVariables = []struct {
	name  string
	roles []Role
}{
	{"BITVAVO_READONLY_KEY", []Role{Scans, All}},
	{"BITVAVO_READONLY_SECRET", []Role{Scans, All}},
	{"BITVAVO_TRADE_KEY", []Role{Orders, All}},
	{"BITVAVO_TRADE_SECRET", []Role{Orders, All}},
	{"OPENAI_API_KEY", []Role{Scans, All}},
	{"INTERLOCK_JWT_SECRET", []Role{APIRole}},
}

// fileSuffix marks a variable that names a file which holds the value.
const fileSuffix = "_FILE"

// KeyVariables lists every variable that a key of some role may come from.
// The parent of several roles strips them from each child that is not theirs.
func KeyVariables() []string {
	var names []string
	for _, v := range keyVariables {
		names = append(names, v.name, v.name+fileSuffix)
	}
	return names
}

// refuseForeignKeys reports every key in the environment that is not role's.
// The operator's shell may name key files, for the workers it starts.
func (r *reader) refuseForeignKeys(role Role) {
	for _, v := range keyVariables {
		if slices.Contains(v.roles, role) {
			continue
		}
		r.refuseKey(role, v.name, v.roles[0])
		if role != Operator {
			r.refuseKey(role, v.name+fileSuffix, v.roles[0])
		}
	}
}

func (r *reader) refuseKey(role Role, name string, owner Role) {
	if r.get(name) != "" {
		r.problem(name, fmt.Sprintf("is set, and role %s must not hold a key of role %s; remove it from this process's environment", role, owner))
	}
}

// key reads <prefix>_KEY and <prefix>_SECRET, both or, unless required, none.
func (r *reader) key(prefix string, required bool) Key {
	k := Key{Key: r.secret(prefix + "_KEY"), Secret: r.secret(prefix + "_SECRET")}
	switch {
	case k.Key == "" && k.Secret == "" && !required:
	case k.Key == "" && r.unset(prefix+"_KEY"):
		r.problem(prefix+"_KEY", "is missing; give the key, or name its file in "+prefix+"_KEY_FILE")
	case k.Secret == "" && r.unset(prefix+"_SECRET"):
		r.problem(prefix+"_SECRET", "is missing; give the secret, or name its file in "+prefix+"_SECRET_FILE")
	}
	return k
}

func (r *reader) unset(name string) bool { return r.get(name) == "" && r.get(name+fileSuffix) == "" }

// secret reads a variable, or the file that its _FILE variable names.
func (r *reader) secret(name string) secret.Text {
	value, path := r.get(name), r.get(name+fileSuffix)
	if path == "" {
		return secret.Text(r.plain(name, value))
	}
	if value != "" {
		r.problem(name+fileSuffix, "is set, and so is "+name+"; keep one")
		return ""
	}
	content, err := os.ReadFile(path)
	if err != nil {
		r.problem(name+fileSuffix, fmt.Sprintf("cannot be used: %v; name a readable file", err))
		return ""
	}
	value = strings.TrimRight(string(content), "\r\n")
	if value == "" {
		r.problem(name+fileSuffix, fmt.Sprintf("%q is an empty file; write the value into it", path))
	}
	return secret.Text(r.plain(name+fileSuffix, value))
}

// plain refuses what no header can carry, which is what a pasted key with a
// line break or a space around it is.
func (r *reader) plain(name, value string) string {
	if strings.TrimSpace(value) != value || strings.ContainsFunc(value, isControl) {
		r.problem(name, "has spaces or line breaks in it; write the bare value")
		return ""
	}
	return value
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }
