package mq

import "github.com/fairlead/fairlead/connections"

var _ connections.PasswordHolder = (*Connection)(nil)

// WantsPassword implements [connections.PasswordHolder].
func (c *Connection) WantsPassword() bool { return c.User != "" && c.Password == "" }

// SetPassword implements [connections.PasswordHolder].
func (c *Connection) SetPassword(password string) { c.Password = password }
