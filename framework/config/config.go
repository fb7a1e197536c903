// Package config is the document that tells Fairlead what to run: its types,
// the strict reading of fairlead.yaml with line numbers and every problem at
// once, references to secrets, and the JSON Schema that editors complete it
// with. It describes what is wanted; what is there is host.Status.
//
// A document is read in four steps. Its text becomes a tree of nodes, each with
// its place, aliases copied out and references replaced (syntax.go, tree.go,
// reference.go). The tree is decoded into the structs below and those of the
// drivers (decode.go, scalar.go, driver.go). What was decoded is checked
// (check.go, trigger.go), and completed with the defaults (defaults.go). Each
// step goes on after a problem, so that all of them are reported together.
//
// The tags of a field say everything about its key: yaml its name (without
// omitempty it is required), doc what it means, enum which values it may have,
// secret:"true" that it is never shown, secret:"url" that it may hold a
// password, path:"true" that it names a file beside the document.
package config

import (
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// A Config is one document. Maps are keyed by the names that the document gives.
type Config struct {
	Version     int                   `yaml:"version" enum:"1" doc:"version of this format: 1"`
	Grace       time.Duration         `yaml:"grace,omitempty" doc:"how long stopping waits for what is in hand; default 25s"`
	Store       Store                 `yaml:"store,omitempty" enum:"none" doc:"the Postgres that keeps what is published; none: no store"`
	HTTP        HTTP                  `yaml:"http,omitempty" doc:"where functions are served by HTTP"`
	Admin       Admin                 `yaml:"admin,omitempty" doc:"where the management API and the dashboard listen, and who is let in"`
	Metrics     Metrics               `yaml:"metrics,omitempty" doc:"where counters are served for Prometheus alone"`
	Security    map[string]Security   `yaml:"security,omitempty" doc:"ways to recognise who calls by HTTP, by name"`
	Connections map[string]Connection `yaml:"connections,omitempty" doc:"brokers, by name"`
	Triggers    map[string]Trigger    `yaml:"triggers,omitempty" doc:"what starts functions, by name"`
	Bindings    map[string]Binding    `yaml:"bindings,omitempty" doc:"where functions send to, by name"`
	Functions   map[string]Function   `yaml:"functions,omitempty" doc:"settings of functions, by the function's name"`
	Examples    map[string]Example    `yaml:"examples,omitempty" doc:"messages that fairlead run sends once, to show what happens"`

	// File is the path the document was read from; relative paths in it start
	// at its folder. Empty for a document that was not a file.
	File string `yaml:"-"`

	// Waiting are triggers that this program cannot run yet, and which are not
	// among Triggers.
	Waiting map[string]Waiting `yaml:"-"`

	literals    []string            // see Literals
	defaults    []string            // see SecretDefaults
	files       []string            // see Files
	shadowed    []string            // see Shadowed
	locked      map[string]string   // see Locked
	secretUsers map[string][]string // see SecretUsers
	root        *node               // as it was written, for Export; nil for an empty document
	verbatim    bool                // Export writes secrets as they are
}

// Files returns the paths of the files that ${file:PATH} references in the
// document were read from, sorted and without repetitions.
func (c *Config) Files() []string { return slices.Clone(c.files) }

// Dir returns the folder that relative paths in the document start at.
func (c *Config) Dir() string { return filepath.Dir(c.File) }

// A Store says where published events, dead letters and parked retries are kept.
type Store struct {
	URL     string `yaml:"url,omitempty" secret:"url" doc:"URL of the Postgres; left out or empty: one that Fairlead starts itself"`
	Schema  string `yaml:"schema,omitempty" doc:"name of the schema; default fairlead"`
	Notify  *bool  `yaml:"notify,omitempty" doc:"false: poll only, as PgBouncer in transaction mode needs. Default true"`
	Migrate *bool  `yaml:"migrate,omitempty" doc:"false: the tables are made by someone else, from the SQL that fairlead migrations prints. Default true"`
	None    bool   `yaml:"-"` // "store: none"
}

// UnmarshalText reads "store: none".
func (s *Store) UnmarshalText(b []byte) error {
	if string(b) != "none" {
		return errors.New("none, or keys with values: url, schema, notify and migrate")
	}
	*s = Store{None: true}
	return nil
}

// HTTP says how functions are served by HTTP.
type HTTP struct {
	Listen   string `yaml:"listen,omitempty" doc:"address; PORT and LISTEN_ADDRESS override it; default 127.0.0.1:8080"`
	Function string `yaml:"function,omitempty" doc:"function that POST / calls; default: the only one"`
	Direct   *bool  `yaml:"direct,omitempty" doc:"serve POST / and POST /functions/NAME; default true without http triggers"`
	MaxBody  int64  `yaml:"maxBody,omitempty" doc:"longest body in bytes; default 8 MiB"`

	Security []string `yaml:"security,omitempty" doc:"names of security definitions, any of which lets a caller use POST / and POST /functions/NAME; default: everybody may"`
	TLS      *HTTPTLS `yaml:"tls,omitempty" doc:"certificate to serve HTTPS with; default: plain HTTP"`
}

// HTTPTLS is what HTTPS is served with.
type HTTPTLS struct {
	Cert string `yaml:"cert" path:"true" doc:"file with the certificate and its chain, PEM"`
	Key  string `yaml:"key" path:"true" doc:"file with the certificate's key, PEM"`
}

// Metrics says where counters are served for Prometheus, without a token.
type Metrics struct {
	Listen string `yaml:"listen,omitempty" doc:"address that serves GET /metrics alone, without a token; default: the management API only, with its token"`
}

// Admin says where the management API and the dashboard listen, and who else than
// accounts and tokens of the store is let in.
type Admin struct {
	Listen string   `yaml:"listen,omitempty" doc:"address, or off; default 127.0.0.1:8183, or the next free port. Other machines can reach it only with tls"`
	TLS    *HTTPTLS `yaml:"tls,omitempty" doc:"certificate to serve HTTPS with; default: plain HTTP, on this machine alone"`
	OIDC   *OIDC    `yaml:"oidc,omitempty" doc:"OpenID provider that people may sign in with; default: none"`
}

// An OIDC is an OpenID provider, and the roles of those whom it knows. Its
// redirect URI for this host is https://HOST/signin/oidc/callback.
type OIDC struct {
	Issuer       string    `yaml:"issuer" doc:"URL of the provider, https unless it is on this machine"`
	ClientID     string    `yaml:"clientId" doc:"what the provider calls this host"`
	ClientSecret string    `yaml:"clientSecret,omitempty" secret:"true" doc:"what the provider knows this host by; default: none, a public client"`
	Scopes       []string  `yaml:"scopes,omitempty" doc:"what is asked for beside openid; default profile, email"`
	Name         string    `yaml:"name,omitempty" doc:"claim of the ID token that names somebody; default preferred_username, email or sub, the first there is"`
	Roles        OIDCRoles `yaml:"roles" doc:"who has which role; others are not let in"`
}

// OIDCRoles says which values of a claim give which role.
type OIDCRoles struct {
	Claim    string   `yaml:"claim" doc:"claim of the ID token, a text or a list of texts; a.b is b in a"`
	Viewer   []string `yaml:"viewer,omitempty" doc:"values that give the role viewer"`
	Operator []string `yaml:"operator,omitempty" doc:"values that give the role operator"`
	Admin    []string `yaml:"admin,omitempty" doc:"values that give the role admin"`
}

// A Connection is one broker.
type Connection struct {
	Type      string                `yaml:"type" doc:"kind of broker"`
	Reconnect connections.Reconnect `yaml:"reconnect,omitempty" enum:"true,false" doc:"how a lost connection is tried again; false: not at all"`

	// Settings is the struct that the driver's Connection function returned,
	// filled from the other keys.
	Settings any `yaml:"-"`
}

// A Trigger starts a function with the messages of one source.
type Trigger struct {
	Connection  string `yaml:"connection,omitempty" doc:"name of a connection; without one, a trigger has a topic of the store, http or schedule"`
	Function    string `yaml:"function,omitempty" doc:"name of the function to call; left out under fairlead source only"`
	Format      string `yaml:"format,omitempty" enum:"json,xml" doc:"how data is decoded, whatever its media type says"`
	Concurrency int    `yaml:"concurrency,omitempty" doc:"how many calls run at once; default 1"`
	Prefetch    int    `yaml:"prefetch,omitempty" doc:"how many messages may be unsettled at once; default 32, at least concurrency"`
	Ordered     bool   `yaml:"ordered,omitempty" doc:"a failed message holds back those behind it until it is done; needs concurrency 1"`
	Retry       *Retry `yaml:"retry,omitempty" doc:"how a failed call is tried again; wins over the function's"`
	DeadLetter  string `yaml:"deadLetter,omitempty" doc:"where messages go that cannot be processed: store, BINDING or BINDING/DESTINATION; default: the store, or without one the queue beside the source, named with .DLQ; wins over the function's"`
	ReplyTo     string `yaml:"replyTo,omitempty" doc:"where answers go to messages that do not say, on the trigger's connection"`
	Reply       string `yaml:"reply,omitempty" doc:"where answers go to messages that do not say, on any connection: BINDING or BINDING/DESTINATION"`
	EventID     string `yaml:"eventId,omitempty" doc:"where the event's id is read from: header:NAME"`
	AutoAccept  *bool  `yaml:"autoAccept,omitempty" doc:"false: only the function settles, by framework.Source(ctx).Settle; default true"`

	// Source is the struct that the driver's Source function returned, filled
	// from the other keys. It is nil for a topic of the store.
	Source any `yaml:"-"`

	// StoreTopic is set for a trigger on a topic of the store.
	StoreTopic `yaml:"-"`

	// Channel is set for a trigger that HTTP requests start, else nil.
	Channel *Channel `yaml:"-"`

	// Schedule is set for a trigger that time starts, else nil.
	Schedule *Schedule `yaml:"-"`
}

// A StoreTopic is what a trigger on a topic of the store has beside the keys of
// every trigger.
type StoreTopic struct {
	Topic string `yaml:"topic" doc:"name of a topic of the store"`
}

// A Binding is a named output.
type Binding struct {
	Connection string `yaml:"connection" doc:"name of a connection"`
	Outbox     bool   `yaml:"outbox,omitempty" doc:"stage what is sent in the store and relay it after the commit"`

	// Target is the struct that the driver's Target function returned, filled
	// from the other keys. It is an Addressed; without an address, each Send
	// names one.
	Target any `yaml:"-"`
}

// A Function is settings of one function, wherever it is mounted.
type Function struct {
	Timeout     time.Duration `yaml:"timeout,omitempty" doc:"longest time of one call; default 30s"`
	Concurrency int           `yaml:"concurrency,omitempty" doc:"how many published events it works on at once; default 8"`
	Retry       *Retry        `yaml:"retry,omitempty" doc:"how a failed call is tried again"`
	DeadLetter  string        `yaml:"deadLetter,omitempty" doc:"where messages go that cannot be processed: store, BINDING or BINDING/DESTINATION; default: the store, or without one the queue beside the source, named with .DLQ"`
	Settings    Node          `yaml:"settings,omitempty" doc:"the function's own settings, read by framework.Settings"`
}

// A Retry is the part of a retry policy that a document sets; the rest is the
// default of where it stands.
type Retry struct {
	Attempts *int          `yaml:"attempts,omitempty" doc:"how often in all; 0: for ever; default 5 (published events 25)"`
	First    time.Duration `yaml:"first,omitempty" doc:"wait after the first failure, doubling from there; default 200ms (published events 1s)"`
	Max      time.Duration `yaml:"max,omitempty" doc:"longest wait; default 30s, at least first (published events 1h)"`
}

// Over returns the policy that r makes of a default. r may be nil.
func (r *Retry) Over(p framework.RetryPolicy) framework.RetryPolicy {
	if r == nil {
		return p
	}
	if r.Attempts != nil {
		p.Attempts = *r.Attempts
	}
	if r.First > 0 {
		p.First = r.First
		p.Max = max(p.Max, r.First)
	}
	if r.Max > 0 {
		p.Max = r.Max
	}
	return p
}

// An Example is a message that "fairlead run" sends once when it starts, if the
// connection is a broker that lives and dies with it, to show what happens.
type Example struct {
	Binding     string `yaml:"binding" doc:"name of the binding to send through"`
	Destination string `yaml:"destination,omitempty" doc:"where to; default: where the binding leads"`
	Data        string `yaml:"data" doc:"what to send"`
	Answer      string `yaml:"answer,omitempty" doc:"queue on which the answer is awaited"`
}
