package access

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// An AccountInfo is what is known of an account.
type AccountInfo struct {
	Name     string     `json:"name"`
	Role     Role       `json:"role"`
	Created  time.Time  `json:"created"`
	SignedIn *time.Time `json:"signedIn"` // the last time; null: never
	Sessions int        `json:"sessions"` // that are open
}

// Accounts returns all accounts, sorted by name.
func (a *Access) Accounts(ctx context.Context) ([]AccountInfo, error) {
	const sql = `select name, role, created_at, signed_in_at,
	(select count(*) from {schema}.session s where s.account = a.name and s.expires_at > now() and s.kind = 'account') from {schema}.account a order by name`
	rows, err := list[struct {
		Name, Role string
		Created    time.Time
		SignedIn   *time.Time
		Sessions   int
	}](ctx, a, "list accounts", sql)
	all := make([]AccountInfo, len(rows))
	for i, r := range rows {
		all[i] = AccountInfo{Name: r.Name, Created: r.Created, SignedIn: r.SignedIn, Sessions: r.Sessions}
		if all[i].Role, err = ParseRole(r.Role); err != nil {
			return nil, err
		}
	}
	return all, err
}

// CreateAccount creates an account. The error wraps [ErrInvalid] or [ErrTaken] if
// that is what is wrong.
func (a *Access) CreateAccount(ctx context.Context, name string, role Role, password string) error {
	if err := errors.Join(checkName(name), checkRole(role), checkPassword(name, password)); err != nil {
		return err
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	return a.do(ctx, "create an account", func(ctx context.Context, q query) error {
		_, err := q.exec(ctx, `insert into {schema}.account (name, role, password) values ($1, $2, $3)`, name, role.String(), hash)
		if err != nil {
			return taken(err, "an account", name)
		}
		return a.note(ctx, q, Change{AccountKind, name, created, "", role.String()})
	})
}

// DeleteAccount deletes an account and ends its sessions.
func (a *Access) DeleteAccount(ctx context.Context, name string) error {
	defer a.seen.clear()
	return a.do(ctx, "delete an account", func(ctx context.Context, q query) error {
		var role string
		err := q.row(ctx, `delete from {schema}.account where name = $1 returning role`, name).Scan(&role)
		if err = orAbsent(err, "account", name); err != nil {
			return err
		}
		return a.note(ctx, q, Change{AccountKind, name, removed, role, ""})
	})
}

// SetRole changes the role of an account and ends its sessions.
func (a *Access) SetRole(ctx context.Context, name string, role Role) error {
	if err := checkRole(role); err != nil {
		return err
	}
	defer a.seen.clear()
	return a.do(ctx, "change a role", func(ctx context.Context, q query) error {
		var before string
		err := q.row(ctx, `select role from {schema}.account where name = $1 for update`, name).Scan(&before)
		if err = orAbsent(err, "account", name); err != nil {
			return err
		}
		if _, err := q.exec(ctx, `update {schema}.account set role = $2 where name = $1`, name, role.String()); err != nil {
			return err
		}
		if err := a.endSessions(ctx, q, name); err != nil {
			return err
		}
		return a.note(ctx, q, Change{AccountKind, name, changed, before, role.String()})
	})
}

// SetPassword changes the password of an account and ends its sessions.
func (a *Access) SetPassword(ctx context.Context, name, password string) error {
	if err := checkPassword(name, password); err != nil {
		return err
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	defer a.seen.clear()
	return a.do(ctx, "change a password", func(ctx context.Context, q query) error {
		if err := q.one(ctx, "account", name, `update {schema}.account set password = $2 where name = $1`, name, hash); err != nil {
			return err
		}
		if err := a.endSessions(ctx, q, name); err != nil {
			return err
		}
		return a.note(ctx, q, Change{AccountKind, name, changed, "", "password"})
	})
}

// ChangePassword changes the password of who asks, who has an account and knows
// the present one, and ends all sessions of it. The error of a wrong one is
// [ErrRefused]. client names the address that the request comes from.
func (a *Access) ChangePassword(ctx context.Context, client, current, password string) error {
	id := From(ctx)
	if id.Kind != Account {
		return errors.Join(ErrInvalid, errors.New("only an account has a password, and who asks has none"))
	}
	if _, err := a.verify(ctx, client, id.Name, current); err != nil {
		return err
	}
	return a.SetPassword(ctx, id.Name, password)
}

func (a *Access) endSessions(ctx context.Context, q query, account string) error {
	_, err := q.exec(ctx, `delete from {schema}.session where account = $1`, account)
	return err
}

// hash hashes a password in its turn.
func (a *Access) hash(ctx context.Context, password string) (text string, err error) {
	err = a.hasher.do(ctx, func() { text = newHash(password).String() })
	return text, err
}

// verify checks a name and a password, and returns the hash that it was checked
// against. What it takes and says is the same whether the account exists or not.
func (a *Access) verify(ctx context.Context, client, name, password string) (hash string, err error) {
	if len(name) > maxName || len(password) > maxPassword {
		return "", ErrRefused
	}
	address, account := "address "+client, "account "+name
	if !a.clients.Allow(address) {
		return "", &WaitError{a.clients.Pause()}
	}
	if !a.attempts.Allow(account) {
		return "", &WaitError{a.attempts.Pause()}
	}
	hash = a.nobody
	err = a.do(ctx, "sign in", func(ctx context.Context, q query) error {
		err := q.row(ctx, `select password from {schema}.account where name = $1`, name).Scan(&hash)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return "", err
	}
	parsed, err := parseHash(hash)
	if err != nil {
		return "", err
	}
	var same bool
	if err := a.hasher.do(ctx, func() { same = parsed.matches(password) }); err != nil {
		return "", err
	}
	if !same || hash == a.nobody {
		return "", ErrRefused
	}
	a.attempts.Reset(account)
	return hash, nil
}
