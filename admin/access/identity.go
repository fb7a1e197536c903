package access

import "context"

// A Kind says how somebody was recognised.
type Kind string

// The kinds of an [Identity].
const (
	Local   Kind = "local"   // by the token in .fairlead/server.json, or the one-time link
	Token   Kind = "token"   // by a token that was created for it
	Account Kind = "account" // by an account of the store and its password
	OpenID  Kind = "oidc"    // by an OpenID provider
)

// LocalName is who uses the token of .fairlead/server.json.
const LocalName = "local"

// An Identity is who makes a request. The zero Identity is somebody unknown.
type Identity struct {
	Name string // of the account or the token; LocalName
	Role Role
	Kind Kind
}

type identityKey struct{}

// With returns a ctx whose [From] is id.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// From returns who makes the request that ctx belongs to; the zero Identity
// where nobody was recognised.
func From(ctx context.Context) Identity {
	id, _ := ctx.Value(identityKey{}).(Identity)
	return id
}
