package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/triggers/http/rate"
)

// A Session says who makes a request.
type Session struct {
	Name string      `json:"name"`
	Role access.Role `json:"role"`
	Kind access.Kind `json:"kind"`
}

// A Link signs somebody in, once.
type Link struct {
	Path    string    `json:"path"` // with its query, on the server that was asked
	Expires time.Time `json:"expires"`
}

// A PasswordChange is somebody's own.
type PasswordChange struct {
	Current  string `json:"current"`
	Password string `json:"password"`
}

// Requests about accounts and tokens, and their answers.
type (
	// A NewAccount is the body of POST accounts.
	NewAccount struct {
		Name     string      `json:"name"`
		Role     access.Role `json:"role"`
		Password string      `json:"password"`
	}
	// A NewPassword is the body of PUT accounts/NAME/password.
	NewPassword struct {
		Password string `json:"password"`
	}
	// A NewRole is the body of PUT accounts/NAME/role.
	NewRole struct {
		Role access.Role `json:"role"`
	}
	// An AccountList is the answer to GET accounts.
	AccountList struct {
		Accounts []access.AccountInfo `json:"accounts"`
	}
	// A NewToken is the body of POST tokens.
	NewToken struct {
		Name    string      `json:"name"`
		Role    access.Role `json:"role"`
		Expires *time.Time  `json:"expires,omitempty"` // never if absent
	}
	// A TokenSecret is the answer to POST tokens. It is never shown again.
	TokenSecret struct {
		Token string `json:"token"`
	}
	// A TokenList is the answer to GET tokens.
	TokenList struct {
		Tokens []access.TokenInfo `json:"tokens"`
	}
)

func (s *server) accessRoutes() []route {
	return []route{
		{
			method: "GET", path: "/api/v1/session", role: access.Viewer, summary: "Who asks",
			out: typeOf[Session](), serve: s.session,
		}, {
			method: "POST", path: "/api/v1/session/link", role: access.Admin, summary: "A link that signs a browser in, once; for the token of .fairlead/server.json",
			out: typeOf[Link](), serve: s.link,
		}, {
			method: "PUT", path: "/api/v1/session/password", role: access.Viewer, summary: "Change the password of who asks, and end all sessions of that account",
			in: typeOf[PasswordChange](), serve: s.changePassword,
		}, {
			method: "GET", path: "/api/v1/accounts", role: access.Admin, summary: "All accounts",
			out: typeOf[AccountList](), serve: s.accounts,
		}, {
			method: "POST", path: "/api/v1/accounts", role: access.Admin, summary: "Create an account",
			in: typeOf[NewAccount](), serve: s.createAccount,
		}, {
			method: "DELETE", path: "/api/v1/accounts/{name}", role: access.Admin, summary: "Delete an account and end its sessions",
			serve: s.named(s.access.DeleteAccount),
		}, {
			method: "PUT", path: "/api/v1/accounts/{name}/password", role: access.Admin, summary: "Set the password of an account and end its sessions",
			in: typeOf[NewPassword](), serve: s.setAccountPassword,
		}, {
			method: "PUT", path: "/api/v1/accounts/{name}/role", role: access.Admin, summary: "Change the role of an account and end its sessions",
			in: typeOf[NewRole](), serve: s.setAccountRole,
		}, {
			method: "GET", path: "/api/v1/tokens", role: access.Admin, summary: "All tokens, without what they are",
			out: typeOf[TokenList](), serve: s.tokens,
		}, {
			method: "POST", path: "/api/v1/tokens", role: access.Admin, summary: "Create a token, which is shown only now",
			in: typeOf[NewToken](), out: typeOf[TokenSecret](), serve: s.createToken,
		}, {
			method: "DELETE", path: "/api/v1/tokens/{name}", role: access.Admin, summary: "Revoke a token",
			serve: s.named(s.access.RevokeToken),
		},
	}
}

func (s *server) session(w http.ResponseWriter, r *http.Request) {
	id := access.From(r.Context())
	write(w, Session{id.Name, id.Role, id.Kind})
}

func (s *server) link(w http.ResponseWriter, r *http.Request) {
	answer(w, r, func(ctx context.Context) (Link, error) {
		path, err := s.access.Link(ctx)
		return Link{path, time.Now().Add(access.LinkLife)}, err
	})
}

func (s *server) changePassword(w http.ResponseWriter, r *http.Request) {
	change(w, r, func(ctx context.Context, c PasswordChange) error {
		return s.access.ChangePassword(ctx, rate.Address(r), c.Current, c.Password)
	})
}

func (s *server) accounts(w http.ResponseWriter, r *http.Request) {
	answer(w, r, func(ctx context.Context) (AccountList, error) {
		all, err := s.access.Accounts(ctx)
		return AccountList{orEmpty(all)}, err
	})
}

func (s *server) createAccount(w http.ResponseWriter, r *http.Request) {
	change(w, r, func(ctx context.Context, a NewAccount) error {
		return s.access.CreateAccount(ctx, a.Name, a.Role, a.Password)
	})
}

func (s *server) setAccountPassword(w http.ResponseWriter, r *http.Request) {
	change(w, r, func(ctx context.Context, p NewPassword) error {
		return s.access.SetPassword(ctx, r.PathValue("name"), p.Password)
	})
}

func (s *server) setAccountRole(w http.ResponseWriter, r *http.Request) {
	change(w, r, func(ctx context.Context, n NewRole) error { return s.access.SetRole(ctx, r.PathValue("name"), n.Role) })
}

func (s *server) tokens(w http.ResponseWriter, r *http.Request) {
	answer(w, r, func(ctx context.Context) (TokenList, error) {
		all, err := s.access.Tokens(ctx)
		return TokenList{orEmpty(all)}, err
	})
}

func (s *server) createToken(w http.ResponseWriter, r *http.Request) {
	n, err := read[NewToken](r)
	if err != nil {
		fail(w, err)
		return
	}
	var expires time.Time
	if n.Expires != nil {
		if expires = *n.Expires; expires.IsZero() {
			fail(w, fmt.Errorf("%w: expires: found the year 1, expected a time to come", ErrBadRequest))
			return
		}
	}
	answer(w, r, func(ctx context.Context) (TokenSecret, error) {
		token, err := s.access.CreateToken(ctx, n.Name, n.Role, expires)
		return TokenSecret{token}, err
	})
}

// named serves what is done to the one that the path names.
func (s *server) named(do func(context.Context, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
		defer cancel()
		done(w, do(ctx, r.PathValue("name")))
	}
}

// change does what a body asks for, and answers 204.
func change[T any](w http.ResponseWriter, r *http.Request, do func(context.Context, T) error) {
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	v, err := read[T](r)
	if err == nil {
		err = do(ctx, v)
	}
	done(w, err)
}

const (
	accountsPath = "/api/v1/accounts"
	tokensPath   = "/api/v1/tokens"
)

// Session asks who the client is.
func (c *Client) Session(ctx context.Context) (Session, error) {
	var s Session
	_, err := c.call(ctx, http.MethodGet, "/api/v1/session", nil, &s)
	return s, err
}

// Link is [access.Access.Link], with the server's URL.
func (c *Client) Link(ctx context.Context) (string, error) {
	var l Link
	_, err := c.call(ctx, http.MethodPost, "/api/v1/session/link", nil, &l)
	return c.URL + l.Path, err
}

// ChangePassword is [access.Access.ChangePassword].
func (c *Client) ChangePassword(ctx context.Context, current, password string) error {
	_, err := c.call(ctx, http.MethodPut, "/api/v1/session/password", PasswordChange{current, password}, nil)
	return err
}

// Accounts is [access.Access.Accounts].
func (c *Client) Accounts(ctx context.Context) ([]access.AccountInfo, error) {
	var l AccountList
	_, err := c.call(ctx, http.MethodGet, accountsPath, nil, &l)
	return l.Accounts, err
}

// CreateAccount is [access.Access.CreateAccount].
func (c *Client) CreateAccount(ctx context.Context, name string, role access.Role, password string) error {
	_, err := c.call(ctx, http.MethodPost, accountsPath, NewAccount{name, role, password}, nil)
	return err
}

// DeleteAccount is [access.Access.DeleteAccount].
func (c *Client) DeleteAccount(ctx context.Context, name string) error {
	_, err := c.call(ctx, http.MethodDelete, accountsPath+"/"+url.PathEscape(name), nil, nil)
	return err
}

// SetAccountPassword is [access.Access.SetPassword].
func (c *Client) SetAccountPassword(ctx context.Context, name, password string) error {
	_, err := c.call(ctx, http.MethodPut, accountsPath+"/"+url.PathEscape(name)+"/password", NewPassword{password}, nil)
	return err
}

// SetRole is [access.Access.SetRole].
func (c *Client) SetRole(ctx context.Context, name string, role access.Role) error {
	_, err := c.call(ctx, http.MethodPut, accountsPath+"/"+url.PathEscape(name)+"/role", NewRole{role}, nil)
	return err
}

// Tokens is [access.Access.Tokens].
func (c *Client) Tokens(ctx context.Context) ([]access.TokenInfo, error) {
	var l TokenList
	_, err := c.call(ctx, http.MethodGet, tokensPath, nil, &l)
	return l.Tokens, err
}

// CreateToken is [access.Access.CreateToken].
func (c *Client) CreateToken(ctx context.Context, name string, role access.Role, expires time.Time) (string, error) {
	n := NewToken{Name: name, Role: role}
	if !expires.IsZero() {
		n.Expires = &expires
	}
	var t TokenSecret
	_, err := c.call(ctx, http.MethodPost, tokensPath, n, &t)
	return t.Token, err
}

// RevokeToken is [access.Access.RevokeToken].
func (c *Client) RevokeToken(ctx context.Context, name string) error {
	_, err := c.call(ctx, http.MethodDelete, tokensPath+"/"+url.PathEscape(name), nil, nil)
	return err
}
