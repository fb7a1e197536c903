package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/admin/access"
)

// StoreOwner is the [Object.Owner] of what is kept in the store.
const StoreOwner = "store"

// Versions that [ConfigEditor.Put] and [ConfigEditor.Delete] take beside those
// that objects have, which count from 1.
const (
	AnyVersion int64 = -1 // whatever is there
	NoVersion  int64 = 0  // nothing may be there yet
)

// A ConfigEditor is the part of a [Backend] that changes the configuration in the
// store. Who changes it is [access.From] of ctx, and is in the audit log with
// what was before and after.
//
// What a file owns cannot be changed here ([ErrConflict]). A change is checked
// whole, with everything else that is configured, and proved by this replica;
// one that is wrong is [ErrBadRequest], one that a broker refuses [ErrRefused],
// and neither changes anything. A method returns when this replica runs the
// change; the others follow within a second. Without a store it returns
// [ErrNoStore], and with one that is out of reach [ErrUnavailable].
type ConfigEditor interface {
	// Put creates or replaces an object. text is its part of a document, in YAML
	// or JSON; secrets in clear in it are kept encrypted. The object in the store
	// must have the given version, or the error is a [*VersionConflict].
	Put(ctx context.Context, kind, name, text string, version int64) (Object, error)

	// Delete removes an object from the store, likewise.
	Delete(ctx context.Context, kind, name string, version int64) error

	// Apply puts all objects of a document into the store, in one change. Those
	// that the file has with the same content are passed over.
	Apply(ctx context.Context, d Document, o ApplyOptions) (Applied, error)

	// SetPassword keeps the password of a connection as the secret
	// connections.NAME.password, and makes the connection use it. The connection
	// may be the file's if it has a user and no password there.
	SetPassword(ctx context.Context, connection, password string) error

	// Secrets lists the secrets in the store, sorted by name, without values.
	Secrets(ctx context.Context) ([]Secret, error)

	// SetSecret keeps a secret. What refers to it as ${secret:NAME} is restarted.
	SetSecret(ctx context.Context, name, value string) error

	// DeleteSecret removes a secret that nothing refers to.
	DeleteSecret(ctx context.Context, name string) error

	// RotateSecrets wraps the keys of all secrets with the master key of today, and
	// returns how many were wrapped with another.
	RotateSecrets(ctx context.Context) (int, error)

	// Audit returns changes, newest first: those with an id below before (0: all)
	// that match, up to limit.
	Audit(ctx context.Context, f AuditFilter, before int64, limit int) (AuditPage, error)
}

// ErrRefused is wrapped by the error of a change that is well-formed and was not
// made, as a broker refuses it, say.
var ErrRefused = errors.New("refused")

// A VersionConflict is the error of a change to an object that somebody else has
// changed meanwhile.
type VersionConflict struct {
	Kind, Name string
	Expected   int64  // that the caller named
	Found      int64  // that is there; NoVersion: nothing is
	Difference string // between what is there and what was to be, line by line
}

func (e *VersionConflict) Error() string {
	object := e.Kind + "." + e.Name
	switch {
	case e.Found == NoVersion:
		return fmt.Sprintf("%s was deleted meanwhile; expected version %d", object, e.Expected)
	case e.Expected == NoVersion:
		return fmt.Sprintf("%s is there already, in version %d", object, e.Found)
	}
	return fmt.Sprintf("%s was changed meanwhile: found version %d, expected version %d", object, e.Found, e.Expected)
}

// ApplyOptions say how a document is applied.
type ApplyOptions struct {
	Prune  bool `json:"prune,omitempty"`  // delete what is in the store and not in the document
	DryRun bool `json:"dryRun,omitempty"` // change nothing, and ask no broker
}

// An Application is a document to apply.
type Application struct {
	Document
	ApplyOptions
}

// What becomes of an object that is applied, beside Created, Changed and Removed.
const (
	Unchanged = "unchanged"
	Passed    = "in the file" // the file has the same
)

// Applied says what a document that was applied did, or would do.
type Applied struct {
	Generation int64    `json:"generation"` // of the configuration in the store
	Objects    []Result `json:"objects"`    // sorted by kind and name
	Plan       Plan     `json:"plan"`
}

// A Result is what became of one object.
type Result struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Action  string `json:"action"`
	Version int64  `json:"version,omitempty"` // in the store
}

// A Secret says that there is a secret of that name, and nothing of its value.
type Secret struct {
	Name    string    `json:"name"`
	Changed time.Time `json:"changed"`
	By      string    `json:"by"`
	Key     string    `json:"key"`              // id of the master key that it is kept under
	Usable  bool      `json:"usable"`           // this replica has that key
	UsedBy  []string  `json:"usedBy,omitempty"` // the objects that refer to it, as in connections.orders
}

// A SecretList is the answer to a request for secrets.
type SecretList struct {
	Secrets []Secret `json:"secrets"`
}

// A SecretValue is a secret or a password that is set. It is never read.
type SecretValue struct {
	Value string `json:"value"`
}

// A Rotation is the answer to a request to rotate secrets.
type Rotation struct {
	Rotated int `json:"rotated"`
}

// Actions that the audit log has, beside Created, Changed and Removed.
const (
	PausedAction  = "paused"
	ResumedAction = "resumed"
	RotatedAction = "rotated"
)

// SecretKind is the kind of secrets in the audit log.
const SecretKind = "secrets"

// An AuditFilter selects changes; empty fields match all.
type AuditFilter struct {
	Kind   string
	Name   string
	Action string
	Actor  string
	Since  time.Time
	Until  time.Time
}

// An AuditEntry is one change of one object. Before and After are its part of a
// document, references in place of secrets; of secrets they are empty.
type AuditEntry struct {
	ID         int64     `json:"id"`
	At         time.Time `json:"at"`
	Actor      string    `json:"actor"`
	Role       string    `json:"role,omitempty"`
	Action     string    `json:"action"`
	Kind       string    `json:"kind"`
	Name       string    `json:"name"`
	Generation int64     `json:"generation"` // that it made
	Before     string    `json:"before,omitempty"`
	After      string    `json:"after,omitempty"`
}

// An AuditPage is a part of the audit log, newest first.
type AuditPage struct {
	Entries []AuditEntry `json:"entries"`
	Next    int64        `json:"next,omitempty"` // "before" of the next page; 0: there is none
}

// A Replica is one program that shares the store.
type Replica struct {
	ID         int       `json:"id"`
	Name       string    `json:"name"`
	Started    time.Time `json:"started"`
	Generation int64     `json:"generation"`        // of the configuration in the store that it runs; 0: none yet
	Refused    string    `json:"refused,omitempty"` // why it does not run a newer one
	Self       bool      `json:"self,omitempty"`    // it is the one that answers
}

func (s *server) editorRoutes() []route {
	conditions := []parameter{
		{name: "If-Match", kind: typeOf[string](), doc: "the ETag of the object that is there, or *"},
		{name: "If-None-Match", kind: typeOf[string](), doc: "*: there must be none yet"},
	}
	return []route{
		{
			method: "PUT", path: "/api/v1/config/{kind}/{name}", role: access.Admin, summary: "Create or replace an object in the store; the body is its part of a document",
			takes: []string{"application/yaml", "application/json"}, header: conditions, out: typeOf[Object](), etag: true, serve: s.put,
		}, {
			method: "DELETE", path: "/api/v1/config/{kind}/{name}", role: access.Admin, summary: "Delete an object from the store",
			header: conditions[:1], serve: s.delete,
		}, {
			method: "POST", path: "/api/v1/config/apply", role: access.Admin, summary: "Put all objects of a document into the store",
			in: typeOf[Application](), out: typeOf[Applied](), serve: s.apply,
		}, {
			method: "POST", path: "/api/v1/connections/{name}/password", role: access.Admin, summary: "Set the password of a connection",
			in: typeOf[SecretValue](), serve: s.setPassword,
		}, {
			method: "GET", path: "/api/v1/secrets", role: access.Admin, summary: "The names of secrets",
			out: typeOf[SecretList](), serve: s.secrets,
		}, {
			method: "PUT", path: "/api/v1/secrets/{name}", role: access.Admin, summary: "Set a secret",
			in: typeOf[SecretValue](), serve: s.setSecret,
		}, {
			method: "DELETE", path: "/api/v1/secrets/{name}", role: access.Admin, summary: "Delete a secret that nothing refers to",
			serve: s.deleteSecret,
		}, {
			method: "POST", path: "/api/v1/secrets/rotate", role: access.Admin, summary: "Keep all secrets under the master key of today",
			out: typeOf[Rotation](), serve: s.rotate,
		}, {
			method: "GET", path: "/api/v1/audit", role: access.Viewer, summary: "Who changed what, newest first",
			query: []parameter{
				{name: "kind", kind: typeOf[string](), doc: "such as triggers or secrets"},
				{name: "name", kind: typeOf[string](), doc: "of the object"},
				{name: "action", kind: typeOf[string](), doc: "created, changed, removed, paused, resumed or rotated"},
				{name: "actor", kind: typeOf[string](), doc: "who changed it"},
				{name: "since", kind: typeOf[time.Time](), doc: "changed at or after"},
				{name: "until", kind: typeOf[time.Time](), doc: "changed before"},
				{name: "before", kind: typeOf[uint](), doc: "\"next\" of the page before"},
				limitParameter(maxAudit),
			},
			out: typeOf[AuditPage](), serve: s.audit,
		},
	}
}

func (s *server) put(w http.ResponseWriter, r *http.Request) {
	version, err := expected(r)
	if err != nil {
		fail(w, err)
		return
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, err)
		return
	}
	o, err := s.backend.Put(r.Context(), r.PathValue("kind"), r.PathValue("name"), string(text), version)
	if err != nil {
		fail(w, err)
		return
	}
	tag(w, o)
	write(w, o)
}

func (s *server) delete(w http.ResponseWriter, r *http.Request) {
	version, err := expected(r)
	if err == nil {
		err = s.backend.Delete(r.Context(), r.PathValue("kind"), r.PathValue("name"), version)
	}
	done(w, err)
}

// tag says which version of an object the answer is.
func tag(w http.ResponseWriter, o Object) {
	if o.Version > 0 {
		w.Header().Set("ETag", strconv.Quote(strconv.FormatInt(o.Version, 10)))
	}
}

// expected returns the version that a request is about, as its conditions say.
func expected(r *http.Request) (int64, error) {
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch {
	case none == "*" && match == "":
		return NoVersion, nil
	case none != "":
		return 0, fmt.Errorf("%w: If-None-Match: found %q, expected *, without If-Match", ErrBadRequest, none)
	case match == "", match == "*":
		return AnyVersion, nil
	}
	text, err := strconv.Unquote(match)
	if err != nil {
		text = match
	}
	version, err := strconv.ParseInt(text, 10, 64)
	if err != nil || version < 1 {
		return 0, fmt.Errorf("%w: If-Match: found %q, expected the ETag of an object, such as \"3\", or *", ErrBadRequest, match)
	}
	return version, nil
}

func (s *server) apply(w http.ResponseWriter, r *http.Request) {
	a, err := read[Application](r)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, r, func(ctx context.Context) (Applied, error) { return s.backend.Apply(ctx, a.Document, a.ApplyOptions) })
}

func (s *server) setPassword(w http.ResponseWriter, r *http.Request) {
	s.set(w, r, s.backend.SetPassword)
}

func (s *server) setSecret(w http.ResponseWriter, r *http.Request) { s.set(w, r, s.backend.SetSecret) }

func (s *server) set(w http.ResponseWriter, r *http.Request, set func(ctx context.Context, name, value string) error) {
	v, err := read[SecretValue](r)
	if err == nil {
		err = set(r.Context(), r.PathValue("name"), v.Value)
	}
	done(w, err)
}

func (s *server) secrets(w http.ResponseWriter, r *http.Request) {
	answer(w, r, func(ctx context.Context) (SecretList, error) {
		all, err := s.backend.Secrets(ctx)
		return SecretList{orEmpty(all)}, err
	})
}

func (s *server) deleteSecret(w http.ResponseWriter, r *http.Request) {
	done(w, s.backend.DeleteSecret(r.Context(), r.PathValue("name")))
}

func (s *server) rotate(w http.ResponseWriter, r *http.Request) {
	answer(w, r, func(ctx context.Context) (Rotation, error) {
		n, err := s.backend.RotateSecrets(ctx)
		return Rotation{n}, err
	})
}

// maxAudit is how many entries of the audit log a page has at most.
const maxAudit = 1000

func (s *server) audit(w http.ResponseWriter, r *http.Request) {
	p := parameters{values: r.URL.Query()}
	f := AuditFilter{
		Kind: p.text("kind"), Name: p.text("name"), Action: p.text("action"), Actor: p.text("actor"),
		Since: p.time("since"), Until: p.time("until"),
	}
	before, limit := p.number("before", 0), p.limit(maxAudit)
	if err := p.end(); err != nil {
		fail(w, err)
		return
	}
	answer(w, r, func(ctx context.Context) (AuditPage, error) {
		page, err := s.backend.Audit(ctx, f, int64(before), limit)
		page.Entries = orEmpty(page.Entries)
		return page, err
	})
}

// done answers 204, or with what went wrong.
func done(w http.ResponseWriter, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func objectPath(kind, name string) string {
	return "/api/v1/config/" + url.PathEscape(kind) + "/" + url.PathEscape(name)
}

// Put is [ConfigEditor.Put].
func (c *Client) Put(ctx context.Context, kind, name, text string, version int64) (Object, error) {
	var o Object
	resp, err := c.send(ctx, http.MethodPut, objectPath(kind, name), condition(version), strings.NewReader(text))
	if err == nil {
		err = decode(resp, &o)
	}
	return o, conflict(err, kind, name, version)
}

// Delete is [ConfigEditor.Delete].
func (c *Client) Delete(ctx context.Context, kind, name string, version int64) error {
	resp, err := c.send(ctx, http.MethodDelete, objectPath(kind, name), condition(version), http.NoBody)
	if err == nil {
		err = resp.Body.Close()
	}
	return conflict(err, kind, name, version)
}

// conflict returns err, or the conflict of versions that it is.
func conflict(err error, kind, name string, version int64) error {
	p, ok := errors.AsType[*Problem](err)
	if !ok || p.Status != http.StatusPreconditionFailed {
		return err
	}
	return &VersionConflict{kind, name, version, p.Version, p.Difference}
}

// condition returns the headers that ask for a version.
func condition(version int64) http.Header {
	h := make(http.Header)
	switch version {
	case AnyVersion:
	case NoVersion:
		h.Set("If-None-Match", "*")
	default:
		h.Set("If-Match", strconv.Quote(strconv.FormatInt(version, 10)))
	}
	return h
}

// Apply is [ConfigEditor.Apply].
func (c *Client) Apply(ctx context.Context, d Document, o ApplyOptions) (Applied, error) {
	var a Applied
	_, err := c.call(ctx, http.MethodPost, "/api/v1/config/apply", Application{d, o}, &a)
	return a, err
}

// SetPassword is [ConfigEditor.SetPassword].
func (c *Client) SetPassword(ctx context.Context, connection, password string) error {
	_, err := c.call(ctx, http.MethodPost, "/api/v1/connections/"+url.PathEscape(connection)+"/password", SecretValue{password}, nil)
	return err
}

// Secrets is [ConfigEditor.Secrets].
func (c *Client) Secrets(ctx context.Context) ([]Secret, error) {
	var l SecretList
	_, err := c.call(ctx, http.MethodGet, "/api/v1/secrets", nil, &l)
	return l.Secrets, err
}

// SetSecret is [ConfigEditor.SetSecret].
func (c *Client) SetSecret(ctx context.Context, name, value string) error {
	_, err := c.call(ctx, http.MethodPut, "/api/v1/secrets/"+url.PathEscape(name), SecretValue{value}, nil)
	return err
}

// DeleteSecret is [ConfigEditor.DeleteSecret].
func (c *Client) DeleteSecret(ctx context.Context, name string) error {
	_, err := c.call(ctx, http.MethodDelete, "/api/v1/secrets/"+url.PathEscape(name), nil, nil)
	return err
}

// RotateSecrets is [ConfigEditor.RotateSecrets].
func (c *Client) RotateSecrets(ctx context.Context) (int, error) {
	var r Rotation
	_, err := c.call(ctx, http.MethodPost, "/api/v1/secrets/rotate", nil, &r)
	return r.Rotated, err
}

// Audit is [ConfigEditor.Audit].
func (c *Client) Audit(ctx context.Context, f AuditFilter, before int64, limit int) (AuditPage, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	for name, v := range map[string]string{"kind": f.Kind, "name": f.Name, "action": f.Action, "actor": f.Actor} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for name, t := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !t.IsZero() {
			q.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	var p AuditPage
	_, err := c.call(ctx, http.MethodGet, "/api/v1/audit?"+q.Encode(), nil, &p)
	return p, err
}
