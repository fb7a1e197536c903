package amqp

import (
	"slices"

	"github.com/fairlead/fairlead/connections"
)

var _ connections.PasswordHolder = (*Connection)(nil)

// WantsPassword implements [connections.PasswordHolder]. Tickets and certificates
// stand in for a password.
func (c *Connection) WantsPassword() bool {
	if c.User == "" || c.Password != "" || !c.SASL.enabled() || c.SASL.Keytab != "" {
		return false
	}
	return len(c.SASL.Mechanisms) == 0 || slices.ContainsFunc(c.SASL.Mechanisms, needsPassword)
}

// SetPassword implements [connections.PasswordHolder].
func (c *Connection) SetPassword(password string) { c.Password = password }
