package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/framework/config/stored"
)

// author is who makes a request.
func author(ctx context.Context) stored.Author {
	id := access.From(ctx)
	return stored.Author{Name: cmp.Or(id.Name, "program"), Role: id.Role.String()}
}

// errDry ends a change that is only tried.
var errDry = errors.New("a trial")

// An edition is a change of the configuration in the store that is being made.
type edition struct {
	*stored.Change
	host *host
	base document
	now  *config.Config // what runs
}

// edit makes a change: prepare writes it, then this replica makes it run, and only
// when it does so is it committed.
func (h *host) edit(ctx context.Context, prepare func(*edition) error) error {
	s := h.stored.Load()
	switch {
	case h.config.Load() == nil:
		return errNotStarted
	case s == nil || !h.sources.following.Load():
		return classify(errNoStore)
	}
	h.sources.mu.Lock()
	defer h.sources.mu.Unlock()
	if err := h.reachable(ctx, s); err != nil {
		return classify(err)
	}
	hold := 2*h.grace() + time.Minute
	making, cancel := context.WithTimeout(context.WithoutCancel(ctx), hold) // who asks may go away in the middle
	defer cancel()
	before, known := h.config.Load(), h.sources.snapshot()
	var drained error
	_, err := stored.Make(making, s.Store, author(ctx), hold, func(c *stored.Change) error {
		if err := prepare(&edition{c, h, h.sources.base, before}); err != nil || !c.Dirty() {
			return err
		}
		cfg, err := h.compose(h.sources.base, &c.Snapshot)
		if err != nil {
			return wrong(err)
		}
		if drained = h.adopt(cfg, h.sources.base, &c.Snapshot); !h.runs(cfg) {
			return refusedFor(drained)
		}
		return nil
	})
	if err != nil && !h.runs(before) {
		h.goBack(before, known)
	}
	switch {
	case errors.Is(err, errDry):
		return nil
	case err != nil:
		return classify(err)
	case drained != nil:
		h.log.Warn("configuration changed, but not all of what it replaced ended well", "err", drained)
	}
	return nil
}

// reachable returns an error if the store does not answer now.
func (h *host) reachable(ctx context.Context, s *storage) error {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	_, err := stored.LookUp(ctx, s.Store)
	return err
}

// goBack makes what ran before a change run again that was not committed.
func (h *host) goBack(before *config.Config, known *stored.Snapshot) {
	h.log.Warn("a change of the configuration could not be stored, and is undone")
	if err := h.adopt(before, h.sources.base, known); err != nil {
		h.log.Error("what ran before the change does not run well", "err", err)
	}
	h.sources.stored.Store(known) // nil, if nothing was known
}

// wrong marks what is wrong with a document.
func wrong(err error) error { return classified{err, admin.ErrBadRequest} }

// with returns what the store would hold with some objects.
func (e *edition) with(objects []config.Object) stored.Snapshot {
	next := e.Snapshot
	next.Objects = slices.Clone(next.Objects)
	for _, o := range objects {
		next.Objects = slices.DeleteFunc(next.Objects, func(old stored.Object) bool { return old.Kind == o.Kind && old.Name == o.Name })
		next.Objects = append(next.Objects, stored.Object{Object: o})
	}
	return next
}

// putOne writes an object of cfg, and returns what that did. Secrets in clear in
// it become secrets of the store.
func (e *edition) putOne(cfg *config.Config, o config.Object) (action string, err error) {
	if !cfg.Stored(o.Kind, o.Name) {
		return "", owned(cfg, o.Kind, o.Name)
	}
	if err := e.keep(cfg.SecretsOf(o.Kind, o.Name)); err != nil {
		return "", fmt.Errorf("%s: %w", o, err)
	}
	clean, err := config.NewObject(o.Kind, o.Name, cfg.ExportObject(o.Kind, o.Name))
	if err != nil {
		return "", err
	}
	return e.Put(clean)
}

// owned says that an object is the file's.
func owned(cfg *config.Config, kind, name string) error {
	return said(admin.ErrConflict, "%s.%s is owned by the file %s; change it there", kind, name, cfg.File)
}

// keep keeps secrets, by name, unless they are there already.
func (e *edition) keep(secrets map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if err := e.keepOne(name, secrets[name]); err != nil {
			return err
		}
	}
	return nil
}

func (e *edition) keepOne(name, value string) error {
	keys, err := e.host.keys()
	if err != nil {
		return refusedFor(err)
	}
	if old, there := e.Secrets[name]; there {
		if now, err := keys.Open(name, old.Sealed); err == nil && now == value {
			return nil
		}
	}
	sealed, err := keys.Seal(name, value)
	if err != nil {
		return refusedFor(fmt.Errorf("the secret %s is not stored in clear: %w", name, err))
	}
	return e.SetSecret(name, sealed)
}

// said returns an error of a class that package admin tells apart.
func said(class error, format string, args ...any) error {
	return classified{fmt.Errorf(format, args...), class}
}

func refusedFor(err error) error { return classified{err, admin.ErrRefused} }

// expect returns a conflict unless an object has the version that is expected.
// wanted is its text after the change, empty if it is to be deleted.
func (e *edition) expect(kind, name, wanted string, version int64) error {
	now, there := e.Object(kind, name)
	if version == admin.AnyVersion || version == now.Version && there == (version != admin.NoVersion) {
		return nil
	}
	return &admin.VersionConflict{Kind: kind, Name: name, Expected: version, Found: now.Version, Difference: stored.Difference(now.Text, wanted)}
}

// Put implements [admin.ConfigEditor].
func (b backend) Put(ctx context.Context, kind, name, text string, version int64) (admin.Object, error) {
	o, err := newObject(kind, name, text)
	if err != nil {
		return admin.Object{}, err
	}
	err = b.edit(ctx, func(e *edition) error {
		if e.now.Has(kind, name) && !e.now.Stored(kind, name) {
			return owned(e.now, kind, name)
		}
		next := e.with([]config.Object{o})
		cfg, err := b.compose(e.base, &next)
		if err != nil {
			return wrong(err)
		}
		if err := e.expect(kind, name, cfg.ExportObject(kind, name), version); err != nil {
			return err
		}
		_, err = e.putOne(cfg, o)
		return err
	})
	if err != nil {
		return admin.Object{}, err
	}
	return b.Object(ctx, kind, name)
}

// newObject reads an object that somebody sent.
func newObject(kind, name, text string) (config.Object, error) {
	if !slices.Contains(config.Kinds(), kind) {
		return config.Object{}, noSuchKind(kind)
	}
	o, err := config.NewObject(kind, name, text)
	if err != nil {
		return o, wrong(err)
	}
	return o, nil
}

// Delete implements [admin.ConfigEditor].
func (b backend) Delete(ctx context.Context, kind, name string, version int64) error {
	if !slices.Contains(config.Kinds(), kind) {
		return noSuchKind(kind)
	}
	return b.edit(ctx, func(e *edition) error {
		if err := e.expect(kind, name, "", version); err != nil {
			return err
		}
		if _, there := e.Object(kind, name); !there && e.now.Has(kind, name) {
			return owned(e.now, kind, name)
		} else if !there {
			return said(admin.ErrNotFound, "there is no %q among the %s in the store", name, kind)
		}
		if err := e.Change.Delete(kind, name); err != nil {
			return err
		}
		return e.tidy([]stored.Object{{Object: config.Object{Kind: kind, Name: name}}})
	})
}

// tidy deletes the secrets that were taken out of objects which are gone, unless
// something refers to them.
func (e *edition) tidy(gone []stored.Object) error {
	cfg, err := e.host.compose(e.base, &e.Snapshot)
	if err != nil {
		return wrong(err)
	}
	used := cfg.SecretUsers()
	for _, secret := range slices.Sorted(maps.Keys(e.Secrets)) {
		of := func(o stored.Object) bool { return strings.HasPrefix(secret, o.String()+".") }
		if !slices.ContainsFunc(gone, of) || len(used[secret]) > 0 {
			continue
		}
		if err := e.Change.DeleteSecret(secret); err != nil {
			return err
		}
	}
	return nil
}

// SetPassword implements [admin.ConfigEditor].
func (b backend) SetPassword(ctx context.Context, connection, password string) error {
	if password == "" {
		return said(admin.ErrBadRequest, "found an empty password, expected one")
	}
	return b.edit(ctx, func(e *edition) error {
		c, ok := e.now.Connections[connection]
		if !ok {
			return said(admin.ErrNotFound, "there is no connection %q", connection)
		}
		if _, ok := c.Settings.(connections.PasswordHolder); !ok {
			return said(admin.ErrBadRequest, "a connection of type %s has no password", c.Type)
		}
		secret, own := e.now.PasswordReference(connection)
		if own && !e.now.Stored(connectionsKind, connection) {
			return said(admin.ErrConflict, "the password of %s is in the file %s; change it there, or remove it from there", connection, e.now.File)
		}
		if err := e.keepOne(secret, password); err != nil {
			return err
		}
		if own {
			if err := e.refer(connection, secret); err != nil {
				return err
			}
		}
		cfg, err := b.compose(e.base, &e.Snapshot)
		if err != nil {
			return wrong(err)
		}
		if !slices.Contains(cfg.SecretUsers()[secret], connectionsKind+"."+connection) {
			return said(admin.ErrBadRequest, "the connection %s has no user whose password this could be", connection)
		}
		return nil
	})
}

// refer makes a connection of the store refer to a secret as its password.
func (e *edition) refer(connection, secret string) error {
	now, _ := e.Object(connectionsKind, connection)
	next, err := now.WithReference("password", secret)
	if err != nil {
		return err
	}
	_, err = e.Change.Put(next)
	return err
}

// Secrets implements [admin.ConfigEditor].
func (b backend) Secrets(ctx context.Context) ([]admin.Secret, error) {
	s := b.stored.Load()
	if s == nil {
		return nil, classify(errNoStore)
	}
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	now, err := stored.Read(ctx, s.Store)
	if err != nil {
		return nil, classify(err)
	}
	keys, err := b.keys()
	if err != nil {
		return nil, refusedFor(err)
	}
	users := b.config.Load().SecretUsers()
	all := make([]admin.Secret, 0, len(now.Secrets))
	for _, name := range slices.Sorted(maps.Keys(now.Secrets)) {
		s := now.Secrets[name]
		all = append(all, admin.Secret{Name: name, Changed: s.Changed.UTC(), By: s.By, Key: s.KeyID, Usable: keys.Has(s.Sealed), UsedBy: users[name]})
	}
	return all, nil
}

// SetSecret implements [admin.ConfigEditor].
func (b backend) SetSecret(ctx context.Context, name, value string) error {
	if name == "" || strings.ContainsAny(name, "{}$") || len(name) > maxSecretName {
		return said(admin.ErrBadRequest, "found %q, expected a name of up to %d characters without braces and $", name, maxSecretName)
	}
	return b.edit(ctx, func(e *edition) error { return e.keepOne(name, value) })
}

const maxSecretName = 200

// DeleteSecret implements [admin.ConfigEditor].
func (b backend) DeleteSecret(ctx context.Context, name string) error {
	return b.edit(ctx, func(e *edition) error {
		if _, there := e.Change.Secrets[name]; !there {
			return said(admin.ErrNotFound, "there is no secret %q", name)
		}
		if users := e.now.SecretUsers()[name]; len(users) > 0 {
			return said(admin.ErrConflict, "%s refers to the secret %s", strings.Join(users, ", "), name)
		}
		return e.Change.DeleteSecret(name)
	})
}

// RotateSecrets implements [admin.ConfigEditor].
func (b backend) RotateSecrets(ctx context.Context) (n int, err error) {
	keys, err := b.keys()
	if err != nil {
		return 0, refusedFor(err)
	}
	err = b.edit(ctx, func(e *edition) error {
		var err error
		if n, err = e.Rotate(keys); err != nil {
			return refusedFor(err)
		}
		return nil
	})
	return n, err
}

// Audit implements [admin.ConfigEditor].
func (b backend) Audit(ctx context.Context, f admin.AuditFilter, before int64, limit int) (page admin.AuditPage, err error) {
	s := b.stored.Load()
	if s == nil {
		return page, classify(errNoStore)
	}
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	entries, err := stored.Audit(ctx, s.Store, stored.Filter(f), before, limit+1) // one more, to know whether there are more
	if len(entries) > limit {
		entries = entries[:limit]
		page.Next = entries[limit-1].ID
	}
	page.Entries = each(entries, func(e stored.Entry) admin.AuditEntry {
		e.At = e.At.UTC()
		return admin.AuditEntry(e)
	})
	return page, classify(err)
}
