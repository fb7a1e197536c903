package amqp_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/framework/config"
)

// dynamic: names a queue of this program. Where it does not, the configuration
// says so, with line and field.
func TestDynamicNowhere(t *testing.T) {
	const (
		nowhere = "the name of a queue: dynamic:NAME has a meaning only as the replyTo of a binding"
		begin   = "version: 1\nconnections: {a: {type: amqp, url: \"amqp://127.0.0.1\"}, b: {type: amqp, url: \"amqp://127.0.0.1\"}}\n"
	)
	for name, tt := range map[string]struct {
		document string
		want     []string
	}{
		"meant": {"triggers: {t: {connection: a, queue: answers, dynamic: true, function: f}}\nbindings: {ask: {connection: a, queue: q, replyTo: \"dynamic:answers\"}}", nil},
		"a trigger's replyTo": {
			"triggers:\n  t: {connection: a, queue: q, function: f, replyTo: \"dynamic:answers\"}",
			[]string{`test.yaml:4:54: triggers.t.replyTo: found "dynamic:answers", expected ` + nowhere},
		},
		"a trigger's queue": {
			"triggers:\n  t: {connection: a, queue: \"dynamic:answers\", function: f}",
			[]string{`test.yaml:4:29: triggers.t.queue: found "dynamic:answers", expected ` + nowhere},
		},
		"a binding's queue": {
			"bindings:\n  ask: {connection: a, queue: \"dynamic:answers\"}",
			[]string{`test.yaml:4:31: bindings.ask.queue: found "dynamic:answers", expected ` + nowhere},
		},
		"dead letters": {
			"bindings: {any: {connection: a}}\ntriggers:\n  t: {connection: a, queue: q, function: f, deadLetter: \"any/dynamic:answers\"}",
			[]string{`test.yaml:5:57: triggers.t.deadLetter: found "any/dynamic:answers", expected ` + nowhere},
		},
		"nobody receives there": {
			"triggers: {t: {connection: a, queue: answers, dynamic: true, function: f}}\nbindings:\n  ask: {connection: a, queue: q, replyTo: \"dynamic:answer\"}",
			[]string{`test.yaml:5:43: bindings.ask.replyTo: found "dynamic:answer", expected the dynamic queue of a trigger on connection a ("answers")`},
		},
		"no name": {
			"triggers: {t: {connection: a, queue: answers, dynamic: true, function: f}}\nbindings:\n  ask: {connection: a, queue: q, replyTo: \"dynamic:\"}",
			[]string{`test.yaml:5:43: bindings.ask.replyTo: found "dynamic:", expected the dynamic queue of a trigger on connection a ("answers")`},
		},
		"on another connection": {
			"triggers: {t: {connection: a, queue: answers, dynamic: true, function: f}}\nbindings:\n  ask: {connection: b, queue: q, replyTo: \"dynamic:answers\"}",
			[]string{`test.yaml:5:43: bindings.ask.replyTo: found "dynamic:answers", expected the dynamic queue of a trigger on connection b (there are none)`},
		},
		"not dynamic": {
			"triggers: {t: {connection: a, queue: answers, function: f}}\nbindings:\n  ask: {connection: a, queue: q, replyTo: \"dynamic:answers\"}",
			[]string{`test.yaml:5:43: bindings.ask.replyTo: found "dynamic:answers", expected the dynamic queue of a trigger on connection a (there are none)`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse([]byte(begin+tt.document), "test.yaml", config.Options{Drivers: map[string]connections.Driver{"amqp": amqp.Driver()}})
			problems, ok := errors.AsType[config.Problems](err)
			if err != nil && !ok {
				t.Fatal(err)
			}
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
