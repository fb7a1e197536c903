package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
	limit "github.com/fairlead/fairlead/triggers/http/rate"
)

// Accounts is who may use the pages and the API: [access.Access].
type Accounts interface {
	Accounts(ctx context.Context) ([]access.AccountInfo, error)
	CreateAccount(ctx context.Context, name string, role access.Role, password string) error
	DeleteAccount(ctx context.Context, name string) error
	SetRole(ctx context.Context, name string, role access.Role) error
	SetPassword(ctx context.Context, name, password string) error
	ChangePassword(ctx context.Context, client, current, password string) error
	Tokens(ctx context.Context) ([]access.TokenInfo, error)
	CreateToken(ctx context.Context, name string, role access.Role, expires time.Time) (string, error)
	RevokeToken(ctx context.Context, name string) error
}

var _ Accounts = (*access.Access)(nil)

func (d *Dashboard) routeSecurity() {
	d.page("GET /security", "security", d.security)
	d.action("POST /security/password", access.Viewer, d.changePassword)
	d.action("POST /security/accounts", access.Admin, d.createAccount)
	d.action("POST /security/accounts/{name}/role", access.Admin, d.setRole)
	d.pageFor(access.Admin, "GET /security/accounts/{name}/delete", "account-delete", named)
	d.action("POST /security/accounts/{name}/delete", access.Admin, d.deleteAccount)
	d.action("POST /security/tokens", access.Admin, d.createToken)
	d.pageFor(access.Admin, "GET /security/tokens/{name}/revoke", "token-revoke", named)
	d.action("POST /security/tokens/{name}/revoke", access.Admin, d.revokeToken)
	d.action("POST /security/secrets", access.Admin, d.setSecret)
	d.pageFor(access.Admin, "GET /security/secrets/{name}/delete", "secret-delete", named)
	d.action("POST /security/secrets/{name}/delete", access.Admin, d.deleteSecret)
	d.action("POST /security/secrets/rotate", access.Admin, d.rotate)
}

// named is a page about what its path names.
func named(r *http.Request) (any, error) { return r.PathValue("name"), nil }

// A securityPage is everything about who may do what.
type securityPage struct {
	Definitions []admin.Object
	Used        map[string][]string // triggers, by definition
	Accounts    []access.AccountInfo
	AccountsErr error
	Tokens      []access.TokenInfo
	Secrets     []admin.Secret
	SecretsErr  error
	Roles       []string
}

// security shows accounts, tokens and secrets to admins only; the others see how
// HTTP channels are guarded.
func (d *Dashboard) security(r *http.Request) (any, error) {
	definitions, err := d.backend.Objects(r.Context(), "security")
	if err != nil {
		return nil, err
	}
	p := securityPage{Definitions: definitions, Used: make(map[string][]string), Roles: []string{"viewer", "operator", "admin"}}
	triggers, err := d.backend.Objects(r.Context(), "triggers")
	if err != nil {
		return nil, err
	}
	for _, t := range triggers {
		names, _ := t.Spec["security"].([]any)
		for _, name := range names {
			p.Used[fmt.Sprint(name)] = append(p.Used[fmt.Sprint(name)], t.Name)
		}
	}
	if access.From(r.Context()).Role < access.Admin {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	p.Accounts, p.AccountsErr = d.options.Accounts.Accounts(ctx)
	if p.AccountsErr == nil {
		p.Tokens, p.AccountsErr = d.options.Accounts.Tokens(ctx)
	}
	p.Secrets, p.SecretsErr = d.backend.Secrets(ctx)
	return p, nil
}

// roleOf reads a role of a form.
func roleOf(r *http.Request) (access.Role, error) {
	role, err := access.ParseRole(r.PostFormValue("role"))
	if err != nil {
		return role, fmt.Errorf("%w: %w", admin.ErrBadRequest, err)
	}
	return role, nil
}

// twice reads a password that was typed twice.
func twice(r *http.Request) (string, error) {
	password := r.PostFormValue("password")
	if password == "" || password != r.PostFormValue("password2") {
		return "", fmt.Errorf("%w: password: found none, or two that differ, expected the same twice", admin.ErrBadRequest)
	}
	return password, nil
}

const securityPath = "/security"

func (d *Dashboard) changePassword(r *http.Request) (outcome, error) {
	o := outcome{to: securityPath}
	password, err := twice(r)
	if err != nil {
		return o, err
	}
	err = d.options.Accounts.ChangePassword(r.Context(), limit.Address(r), r.PostFormValue("current-password"), password)
	o.result = result{Title: "Your password is changed", Detail: "All your sessions have ended. Sign in again."}
	return o, err
}

func (d *Dashboard) createAccount(r *http.Request) (outcome, error) {
	o := outcome{to: securityPath}
	role, err := roleOf(r)
	if err != nil {
		return o, err
	}
	password, err := twice(r)
	if err != nil {
		return o, err
	}
	name := strings.TrimSpace(r.PostFormValue("name"))
	o.result.Title = fmt.Sprintf("%s has an account now", name)
	return o, d.options.Accounts.CreateAccount(r.Context(), name, role, password)
}

func (d *Dashboard) setRole(r *http.Request) (outcome, error) {
	o := outcome{to: securityPath}
	role, err := roleOf(r)
	if err != nil {
		return o, err
	}
	o.result = result{Title: fmt.Sprintf("%s has the role %s now", r.PathValue("name"), role), Detail: "Its sessions have ended."}
	return o, d.options.Accounts.SetRole(r.Context(), r.PathValue("name"), role)
}

func (d *Dashboard) deleteAccount(r *http.Request) (outcome, error) {
	if err := confirmed(r); err != nil {
		return outcome{to: r.URL.Path}, err
	}
	o := outcome{to: securityPath, result: result{Title: fmt.Sprintf("The account %s is deleted", r.PathValue("name")), Detail: "Its sessions have ended."}}
	return o, d.options.Accounts.DeleteAccount(r.Context(), r.PathValue("name"))
}

// createToken shows the token on the page that it leads to: nowhere else, and
// never again.
func (d *Dashboard) createToken(r *http.Request) (outcome, error) {
	o := outcome{to: securityPath}
	role, err := roleOf(r)
	if err != nil {
		return o, err
	}
	var expires time.Time
	if text := r.PostFormValue("days"); text != "" {
		days, err := time.ParseDuration(text + "h")
		if err != nil || days <= 0 {
			return o, fmt.Errorf("%w: expires: found %q, expected a number of days", admin.ErrBadRequest, text)
		}
		expires = time.Now().Add(days * 24)
	}
	name := strings.TrimSpace(r.PostFormValue("name"))
	token, err := d.options.Accounts.CreateToken(r.Context(), name, role, expires)
	o.result = result{Title: fmt.Sprintf("The token %s is created", name), Detail: "Copy it now: it is not shown again.", Token: token}
	return o, err
}

func (d *Dashboard) revokeToken(r *http.Request) (outcome, error) {
	if err := confirmed(r); err != nil {
		return outcome{to: r.URL.Path}, err
	}
	o := outcome{to: securityPath, result: result{Title: fmt.Sprintf("The token %s is revoked", r.PathValue("name"))}}
	return o, d.options.Accounts.RevokeToken(r.Context(), r.PathValue("name"))
}

func (d *Dashboard) setSecret(r *http.Request) (outcome, error) {
	o := outcome{to: securityPath}
	name, value := strings.TrimSpace(r.PostFormValue("name")), r.PostFormValue("password")
	if name == "" || value == "" {
		return o, fmt.Errorf("%w: secret: found no name or no value, expected both", admin.ErrBadRequest)
	}
	o.result = result{Title: fmt.Sprintf("The secret %s is set", name), Detail: "What refers to it is started again with it."}
	return o, d.backend.SetSecret(r.Context(), name, value)
}

func (d *Dashboard) deleteSecret(r *http.Request) (outcome, error) {
	if err := confirmed(r); err != nil {
		return outcome{to: r.URL.Path}, err
	}
	o := outcome{to: securityPath, result: result{Title: fmt.Sprintf("The secret %s is deleted", r.PathValue("name"))}}
	return o, d.backend.DeleteSecret(r.Context(), r.PathValue("name"))
}

func (d *Dashboard) rotate(r *http.Request) (outcome, error) {
	o := outcome{to: securityPath}
	n, err := d.backend.RotateSecrets(r.Context())
	o.result = result{Title: fmt.Sprintf("%d secrets were kept under another master key", n), Detail: "All are under the one of today now."}
	return o, err
}
