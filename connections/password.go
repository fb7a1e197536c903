package connections

// A PasswordHolder is settings of a connection that may have a user and no
// password, which somebody sets later. Until then nothing is dialed.
type PasswordHolder interface {
	// WantsPassword reports whether the user needs a password and has none.
	WantsPassword() bool

	// SetPassword sets it.
	SetPassword(password string)
}
