package config_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/framework/config"
)

func TestSourceDocuments(t *testing.T) {
	drivers := map[string]connections.Driver{"memory": new(memory.Broker).Driver()}
	source := config.Options{Drivers: drivers, Functions: []string{"sink"}, Sink: "sink"}
	app := config.Options{Drivers: drivers, Functions: []string{"f"}}
	unknown := config.Options{Drivers: drivers}
	const broker = "version: 1\nconnections: {c: {type: memory}}\n"
	for name, tt := range map[string]struct {
		options  config.Options
		document string
		says     string // nothing: it is right
	}{
		"no function":              {source, broker + "triggers: {t: {connection: c, queue: q}}", ""},
		"the sink by name":         {source, broker + "triggers: {t: {connection: c, queue: q, function: sink}}\nfunctions: {sink: {timeout: 5s}}", ""},
		"store: none":              {source, broker + "store: none\ntriggers: {t: {connection: c, queue: q}}", ""},
		"another function":         {source, broker + "triggers: {t: {connection: c, queue: q, function: f}}", "triggers.t.function: found \"f\""},
		"a store":                  {source, broker + "store: {schema: x}\ntriggers: {t: {connection: c, queue: q}}", "store: found a store, expected none: a source keeps nothing"},
		"a store's topic":          {source, broker + "triggers: {t: {topic: a}}", "triggers.t.connection: found nothing"},
		"a schedule":               {source, broker + "triggers: {t: {every: 5s}}", "triggers.t.connection: found nothing"},
		"dead letters in a store":  {source, broker + "triggers: {t: {connection: c, queue: q, deadLetter: store}}", "there is no store"},
		"no trigger":               {source, broker, "triggers: found nothing"},
		"an app without one":       {app, broker + "triggers: {t: {connection: c, queue: q}}", "triggers.t.function: found nothing, expected name of the function to call"},
		"an app with an empty one": {app, broker + `triggers: {t: {connection: c, queue: q, function: ""}}`, "triggers.t.function: found nothing"},
		"for either":               {unknown, broker + "triggers: {t: {connection: c, queue: q}}", ""},
		"for an app":               {unknown, broker + "triggers: {t: {connection: c, queue: q}, u: {connection: c, queue: r, function: f}}", "triggers.t.function: found nothing"},
	} {
		cfg, err := config.Parse([]byte(tt.document), "fairlead.yaml", tt.options)
		switch {
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
			t.Errorf("%s: got %v, want %q", name, err, tt.says)
		case tt.says == "" && err != nil:
			t.Errorf("%s: got %v, want no problem", name, err)
		case tt.says == "" && tt.options.Sink != "" && (cfg.Triggers["t"].Function != "sink" || !cfg.Store.None || *cfg.HTTP.Direct):
			t.Errorf("%s: got function %q, store %v, direct %v; want sink, none, false", name, cfg.Triggers["t"].Function, cfg.Store, *cfg.HTTP.Direct)
		}
	}
}

func TestReply(t *testing.T) {
	o := config.Options{Drivers: map[string]connections.Driver{"memory": new(memory.Broker).Driver()}, Functions: []string{"f"}}
	const rest = "version: 1\nconnections: {c: {type: memory}}\nbindings: {any: {connection: c}, fixed: {connection: c, queue: answers}}\ntriggers: {t: "
	for trigger, says := range map[string]string{
		"{connection: c, queue: q, function: f, reply: any/answers}":             "",
		"{connection: c, queue: q, function: f, reply: fixed}":                   "",
		"{connection: c, queue: q, function: f, reply: any}":                     "any/DESTINATION",
		"{connection: c, queue: q, function: f, reply: fixed/x}":                 "fixed alone",
		"{connection: c, queue: q, function: f, reply: fxied}":                   "expected BINDING or BINDING/DESTINATION; bindings",
		"{connection: c, queue: q, function: f, reply: store}":                   "expected BINDING or BINDING/DESTINATION",
		"{connection: c, queue: q, function: f, reply: any/a, replyTo: answers}": "reply beside replyTo",
		"{topic: q, function: f, reply: fixed}":                                  "the key reply",
		"{http: POST /, function: f, reply: fixed}":                              "the key reply",
		"{every: 5s, function: f, reply: fixed}":                                 "the key reply",
	} {
		_, err := config.Parse([]byte(rest+trigger+"}"), "fairlead.yaml", o)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: got %v, want %q", trigger, err, says)
		}
	}
}
