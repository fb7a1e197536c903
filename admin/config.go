package admin

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/fairlead/fairlead/admin/access"
)

// A ConfigOperator is the part of a [Backend] that answers for the configuration.
type ConfigOperator interface {
	// Export returns the configuration that runs as a document that has
	// references, as they were written or as ${secret:PATH}, in place of secrets.
	// Its plan is empty.
	Export(ctx context.Context) (Document, error)

	// Plan says what would happen if a document took the place of the one that
	// runs. It changes nothing and asks no broker. A wrong document is
	// ErrBadRequest.
	Plan(ctx context.Context, d Document) (Plan, error)

	// Objects returns the objects of one kind, sorted by name, and Object one of
	// them. Secrets are masked.
	Objects(ctx context.Context, kind string) ([]Object, error)
	Object(ctx context.Context, kind, name string) (Object, error)

	// Pause makes a trigger receive nothing more, and returns when what it has in
	// hand is done. It stays paused until Resume, also in the next program.
	Pause(ctx context.Context, trigger string) error
	Resume(ctx context.Context, trigger string) error
}

// A ConfigStatus says which configuration runs.
type ConfigStatus struct {
	File       string     `json:"file,omitempty"` // that owns it; it is watched
	Generation int        `json:"generation"`     // counts those that ran, from 1
	Applied    time.Time  `json:"applied"`
	Refused    string     `json:"refused,omitempty"` // why a newer one does not run
	RefusedAt  *time.Time `json:"refusedAt,omitempty"`

	// Stored is the generation of the configuration in the store that runs; 0
	// without a store, and until it has answered.
	Stored   int64     `json:"stored"`
	Replicas []Replica `json:"replicas,omitempty"` // those that share the store, as it was less than two seconds ago
	Shadowed []string  `json:"shadowed,omitempty"` // objects of the store that the file has, too, and so owns
}

// Waiting is the state of a trigger that this program cannot run yet: the store has
// it, and its function is not there, say.
const Waiting = "waiting"

// A Document is a configuration in YAML.
type Document struct {
	File string `json:"file,omitempty"` // its name in problems
	Text string `json:"text"`
}

// What a Step does.
const (
	Created   = "created"
	Changed   = "changed"
	Removed   = "removed"
	Restarted = "restarted" // though it is the same: what it depends on is not
)

// A Plan says what a configuration would change.
type Plan struct {
	Generation int    `json:"generation"` // of the configuration that it would replace
	Steps      []Step `json:"steps"`
	Refused    string `json:"refused,omitempty"` // why it would not be done
}

// A Step is what happens to one object.
type Step struct {
	Kind   string `json:"kind"`
	Name   string `json:"name,omitempty"` // empty for a section that is one object, such as http
	Action string `json:"action"`
	Effect string `json:"effect"` // what that means for what runs
}

// An Object is one named part of the configuration, and how it is doing.
type Object struct {
	Kind    string         `json:"kind"`
	Name    string         `json:"name"`
	Owner   string         `json:"owner,omitempty"`   // the file that owns it, or StoreOwner
	Version int64          `json:"version,omitempty"` // in the store; the ETag
	Text    string         `json:"text,omitempty"`    // its part of a document in YAML, as it was written, references in place of secrets
	State   string         `json:"state,omitempty"`
	Error   string         `json:"error,omitempty"`
	Refused string         `json:"refused,omitempty"` // why a newer configuration of it does not run
	Spec    map[string]any `json:"spec"`              // as in the document, with defaults; secrets are ***
}

// An ObjectList is the answer to a request for objects.
type ObjectList struct {
	Objects []Object `json:"objects"`
}

func (s *server) configRoutes() []route {
	return []route{
		{
			method: "GET", path: "/api/v1/config", role: access.Viewer, summary: "The configuration that runs, with references in place of secrets",
			out: typeOf[Document](), serve: s.export,
		}, {
			method: "POST", path: "/api/v1/config/plan", role: access.Admin, summary: "What another configuration would change",
			in: typeOf[Document](), out: typeOf[Plan](), serve: s.plan,
		}, {
			method: "GET", path: "/api/v1/config/{kind}", role: access.Viewer, summary: "The objects of one kind",
			out: typeOf[ObjectList](), serve: s.objects,
		}, {
			method: "GET", path: "/api/v1/config/{kind}/{name}", role: access.Viewer, summary: "One object",
			out: typeOf[Object](), etag: true, serve: s.object,
		}, {
			method: "POST", path: "/api/v1/triggers/{name}/pause", role: access.Operator, summary: "Make a trigger receive nothing more",
			serve: s.switches(Backend.Pause),
		}, {
			method: "POST", path: "/api/v1/triggers/{name}/resume", role: access.Operator, summary: "Make a trigger receive again",
			serve: s.switches(Backend.Resume),
		},
	}
}

func (s *server) export(w http.ResponseWriter, r *http.Request) {
	answer(w, r, s.backend.Export)
}

func (s *server) plan(w http.ResponseWriter, r *http.Request) {
	d, err := read[Document](r)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, r, func(ctx context.Context) (Plan, error) { return s.backend.Plan(ctx, d) })
}

func (s *server) objects(w http.ResponseWriter, r *http.Request) {
	answer(w, r, func(ctx context.Context) (ObjectList, error) {
		all, err := s.backend.Objects(ctx, r.PathValue("kind"))
		return ObjectList{orEmpty(all)}, err
	})
}

func (s *server) object(w http.ResponseWriter, r *http.Request) {
	o, err := s.backend.Object(r.Context(), r.PathValue("kind"), r.PathValue("name"))
	if err != nil {
		fail(w, err)
		return
	}
	tag(w, o)
	write(w, o)
}

// switches serves what turns a trigger on or off.
func (s *server) switches(do func(Backend, context.Context, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := do(s.backend, r.Context(), r.PathValue("name")); err != nil {
			fail(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// Export is [ConfigOperator.Export].
func (c *Client) Export(ctx context.Context) (Document, error) {
	var d Document
	_, err := c.call(ctx, http.MethodGet, "/api/v1/config", nil, &d)
	return d, err
}

// Plan is [ConfigOperator.Plan].
func (c *Client) Plan(ctx context.Context, d Document) (Plan, error) {
	var p Plan
	_, err := c.call(ctx, http.MethodPost, "/api/v1/config/plan", d, &p)
	return p, err
}

// Objects is [ConfigOperator.Objects].
func (c *Client) Objects(ctx context.Context, kind string) ([]Object, error) {
	var l ObjectList
	_, err := c.call(ctx, http.MethodGet, "/api/v1/config/"+url.PathEscape(kind), nil, &l)
	return l.Objects, err
}

// Object is [ConfigOperator.Object].
func (c *Client) Object(ctx context.Context, kind, name string) (Object, error) {
	var o Object
	_, err := c.call(ctx, http.MethodGet, "/api/v1/config/"+url.PathEscape(kind)+"/"+url.PathEscape(name), nil, &o)
	return o, err
}

// Pause is [ConfigOperator.Pause].
func (c *Client) Pause(ctx context.Context, trigger string) error {
	_, err := c.call(ctx, http.MethodPost, "/api/v1/triggers/"+url.PathEscape(trigger)+"/pause", nil, nil)
	return err
}

// Resume is [ConfigOperator.Resume].
func (c *Client) Resume(ctx context.Context, trigger string) error {
	_, err := c.call(ctx, http.MethodPost, "/api/v1/triggers/"+url.PathEscape(trigger)+"/resume", nil, nil)
	return err
}
