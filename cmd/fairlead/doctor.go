package main

import (
	"context"
	"errors"
	"fmt"
	"go/version"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/framework/host"
	"github.com/fairlead/fairlead/outbox/embedded"
)

func doctorCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check what Fairlead needs here, and say what to do about what is missing",
		Long: `Check the Go toolchain, the configuration, whether a host runs, and every connection. Each line says
ok, warning or failed; a failure ends with exit code 1.`,
		Args: between(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d := &doctor{}
			d.examine(c.Context(), o)
			if d.failed {
				return errors.New("something is wrong, see above")
			}
			return nil
		},
	}
}

// A doctor prints findings, a line each.
type doctor struct{ failed bool }

func (d *doctor) say(verdict, what, finding string) {
	d.failed = d.failed || verdict == "failed"
	fmt.Printf("%-8s %-22s %s\n", verdict, what, finding)
}

func (d *doctor) examine(ctx context.Context, o *options) {
	d.toolchain(ctx)
	cfg := d.configuration(o)
	client := o.client(ctx)
	d.host(ctx, client)
	if cfg != nil {
		d.store(ctx, cfg)
		d.connections(ctx, o, cfg, client != nil)
	}
}

func (d *doctor) store(ctx context.Context, cfg *config.Config) {
	switch {
	case cfg.Store.None:
		d.say("ok", "store", "none")
	case cfg.Store.URL != "":
		d.postgres(ctx, cfg.Store.URL)
	case embedded.Available(host.OwnPostgres("", nil)):
		d.say("ok", "store", "a Postgres of its own, started with the program")
	default:
		d.say("warning", "store", "none: PostgreSQL is not installed. Install it, name store.url, or set FAIRLEAD_POSTGRES_REPOSITORY to a Maven repository that has it")
	}
}

// oldestPostgres is the first version that the store works with, as Postgres
// numbers them.
const oldestPostgres = 150000

// postgres connects to the store and leaves no trace there.
func (d *doctor) postgres(ctx context.Context, url string) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		d.say("failed", "store", err.Error())
		return
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var number int
	var name string
	if err := conn.QueryRow(ctx, "select current_setting('server_version_num')::int, current_setting('server_version')").Scan(&number, &name); err != nil {
		d.say("failed", "store", err.Error())
		return
	}
	if number < oldestPostgres {
		d.say("failed", "store", "PostgreSQL "+name+", expected 15 or later")
		return
	}
	d.say("ok", "store", "PostgreSQL "+name)
}

// oldestGo is the first version that fetches the one that a module asks for.
const oldestGo = "go1.21"

func (d *doctor) toolchain(ctx context.Context) {
	out, err := exec.CommandContext(ctx, "go", "version").Output()
	if err != nil {
		d.say("failed", "go", "not found; functions are built with it: https://go.dev/dl")
		return
	}
	found := strings.TrimSpace(strings.TrimPrefix(string(out), "go version "))
	if name, _, _ := strings.Cut(found, " "); version.IsValid(name) && version.Compare(name, oldestGo) < 0 {
		d.say("failed", "go", found+", expected "+oldestGo+" or later: https://go.dev/dl")
		return
	}
	d.say("ok", "go", found)
}

func (d *doctor) configuration(o *options) *config.Config {
	cfg, err := loadConfig(o.file())
	switch {
	case errors.Is(err, os.ErrNotExist):
		d.say("warning", "configuration", "there is no "+o.file()+"; functions are served by HTTP only")
		return nil
	case err != nil:
		d.say("failed", "configuration", err.Error())
		return nil
	}
	d.say("ok", "configuration", fmt.Sprintf("%s: %s, %s, %s", o.file(),
		count(len(cfg.Connections), "connection"), count(len(cfg.Triggers), "trigger"), count(len(cfg.Bindings), "binding")))
	for _, path := range cfg.Literals() {
		d.say("warning", path, "a secret in clear; refer to it as ${env:NAME} or ${file:PATH}")
	}
	for _, name := range cfg.SecretDefaults() {
		d.say("warning", "${env:"+name+"}", "its default is a secret in clear; leave the default out, and set it in .env")
	}
	return cfg
}

func (d *doctor) host(ctx context.Context, client *admin.Client) {
	if client == nil {
		d.say("ok", "host", "none runs here; start it with \"fairlead run\"")
		return
	}
	s, err := client.Status(ctx)
	if err != nil {
		d.say("failed", "host", err.Error())
		return
	}
	d.say("ok", "host", fmt.Sprintf("%s runs since %s", client.URL, s.Started.Format(time.DateTime)))
	if c := s.Config; c.Refused != "" {
		d.say("failed", "configuration", fmt.Sprintf("generation %d goes on, as a newer one was refused: %s", c.Generation, c.Refused))
	}
	for _, t := range s.Triggers {
		if t.Error != "" {
			d.say("warning", "trigger "+t.Name, t.State+": "+t.Error)
		}
	}
}

func (d *doctor) connections(ctx context.Context, o *options, cfg *config.Config, live bool) {
	op, done, err := o.operator(ctx)
	if err != nil {
		return // what is wrong with the configuration was said
	}
	defer done()
	for _, name := range slices.Sorted(maps.Keys(cfg.Connections)) {
		if !live && isEmbedded(cfg.Connections[name]) {
			d.say("ok", "connection "+name, "embedded: starts with \"fairlead run\"")
			continue
		}
		d.ping(ctx, op, name)
	}
}

func (d *doctor) ping(ctx context.Context, op operator, connection string) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	took, err := op.Ping(ctx, connection)
	if err != nil {
		d.say("failed", "connection "+connection, err.Error())
		return
	}
	d.say("ok", "connection "+connection, fmt.Sprintf("answered in %dms", took.Milliseconds()))
}
