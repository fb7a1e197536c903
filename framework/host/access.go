package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/admin/dashboard"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/framework/config/stored"
	"github.com/fairlead/fairlead/outbox"
)

// adminTLS returns how the management API is served by HTTPS, or nil.
func (h *host) adminTLS(cfg *config.Config) (*tls.Config, error) {
	if cfg.Admin.TLS == nil {
		return nil, nil
	}
	return h.certified("admin.tls", cfg.Admin.TLS)
}

// newAccess returns who may use the management API that listens at an address.
func (h *host) newAccess(cfg *config.Config, token string, address net.Addr) *access.Access {
	tcp, ok := address.(*net.TCPAddr)
	o := access.Options{Token: token, Store: h.accessStore, Loopback: ok && tcp.IP.IsLoopback(), Audit: h.audit, Log: h.log}
	if p := cfg.Admin.OIDC; p != nil {
		o.OIDC = &access.OIDC{
			Issuer: p.Issuer, ClientID: p.ClientID, ClientSecret: p.ClientSecret, Scopes: p.Scopes, NameClaim: p.Name, RoleClaim: p.Roles.Claim,
			Roles: map[access.Role][]string{access.Viewer: p.Roles.Viewer, access.Operator: p.Roles.Operator, access.Admin: p.Roles.Admin},
		}
	}
	return access.New(o)
}

// Access returns the accounts and tokens of the store, for who has it in the own
// process.
func (o StoreOperator) Access() *access.Access {
	return access.New(access.Options{
		Store: o.store, Log: slog.New(slog.DiscardHandler),
		Audit: func(ctx context.Context, tx pgx.Tx, c access.Change) error {
			db, err := o.store(ctx)
			if err != nil {
				return err
			}
			return auditAccess(ctx, db, tx, c)
		},
	})
}

// audit writes a change of accounts and tokens to the audit log, and a sign-in that
// was refused. Without a store there is none.
func (h *host) audit(ctx context.Context, tx pgx.Tx, c access.Change) error {
	db, err := h.Store(ctx)
	if err != nil {
		return nil
	}
	return auditAccess(ctx, db, tx, c)
}

func auditAccess(ctx context.Context, db *outbox.Store, tx pgx.Tx, c access.Change) error {
	id := access.From(ctx)
	return stored.Note(ctx, db, tx, stored.Entry{
		Actor: id.Name, Role: id.Role.String(), Kind: c.Kind, Name: c.Name, Action: c.Action, Before: c.Before, After: c.After,
	})
}

func (h *host) accessStore(ctx context.Context) (*outbox.Store, error) {
	s, err := h.Store(ctx)
	if err != nil {
		return nil, classified{err, access.ErrNoStore}
	}
	return s, nil
}

// newDashboard returns the web pages of what runs, for those whom a lets in.
func (h *host) newDashboard(a *access.Access) *dashboard.Dashboard {
	return dashboard.New(h.Backend(), dashboard.Options{Schema: func() []byte { return config.Schema(h.drivers) }, Accounts: a, Log: h.log})
}

// management serves the API and the dashboard. Their many routes are made when the
// first request comes: functions are not to wait for that.
func (h *host) management(a *access.Access, pages http.Handler) http.Handler {
	routed := sync.OnceValue(func() http.Handler {
		api := admin.Handler(h.Backend(), a)
		mux := http.NewServeMux()
		mux.Handle("/api/", api)
		mux.Handle("/metrics", api)
		mux.Handle("/openapi.json", api)
		mux.Handle("/", a.Pages(pages))
		return mux
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { routed().ServeHTTP(w, r) })
}

// invitePatience is how long a person waits for the store before a link is
// printed.
const invitePatience = 30 * time.Second

// invite tells a person at the terminal how to sign in, as long as nobody has an
// account; where nobody sits there, it logs that nobody has one. It ends when the
// store has answered, at the latest with the host.
func (a *adminServer) invite(ctx context.Context, h *host, stderr *os.File) {
	if a.access == nil || h.heir != nil { // which does it once for all programs
		return
	}
	attended := isTerminal(stderr)
	asking := ctx
	if attended {
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeout(ctx, invitePatience)
		defer cancel()
	}
	accounts, err := a.access.Accounts(asking)
	switch {
	case len(accounts) > 0 || ctx.Err() != nil:
	case attended:
		a.printLink(ctx, h, stderr)
	case err == nil:
		h.log.Info("nobody has an account for the dashboard yet: fairlead account create NAME --role admin", "dashboard", a.url)
	case !errors.Is(err, access.ErrNoStore):
		h.log.Warn("it is not known whether anybody has an account", "err", err)
	}
}

// printLink prints a link that signs somebody in. It is a secret, and not logged.
func (a *adminServer) printLink(ctx context.Context, h *host, w io.Writer) {
	path, err := a.access.Link(access.With(ctx, access.Identity{Name: access.LocalName, Role: access.Admin, Kind: access.Local}))
	if err != nil {
		h.log.Warn("no link for signing in", "err", err)
		return
	}
	fmt.Fprintf(w, "\nDashboard: %s%s\n(The link signs you in once, within %v.)\n\n", a.url, path, access.LinkLife)
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
