package access

import "fmt"

// A Role says what somebody may do. Each may do all that those below it may.
type Role int

// The roles. The zero Role is nobody's: whoever has it is not known.
const (
	None     Role = iota
	Viewer        // reads everything but secrets
	Operator      // pauses, pings, sends, invokes, publishes, replays, discards
	Admin         // changes the configuration, secrets, accounts and tokens
)

var roleNames = [...]string{Viewer: "viewer", Operator: "operator", Admin: "admin"}

// ParseRole reads a role as String writes it.
func ParseRole(text string) (Role, error) {
	for r, name := range roleNames {
		if text == name && text != "" {
			return Role(r), nil
		}
	}
	return None, fmt.Errorf("role: found %q, expected viewer, operator or admin", text)
}

// String returns viewer, operator or admin, and nothing for None.
func (r Role) String() string {
	if r < 0 || int(r) >= len(roleNames) {
		return ""
	}
	return roleNames[r]
}

// MarshalText writes r as String does.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a role as [ParseRole] does.
func (r *Role) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRole(string(text))
	return err
}
