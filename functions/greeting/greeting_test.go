package greeting_test

import (
	"testing"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/frameworktest"
	"github.com/fairlead/fairlead/functions/greeting"
)

func TestGreet(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"World", "Hello, World!"},
		{`"World"`, "Hello, World!"},
		{" Ann\n", "Hello, Ann!"},
	} {
		out, err := frameworktest.New(t).Run(greeting.Functions["greeting"], tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(out.Data()); got != tt.want {
			t.Errorf("Greet(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestGreetNobody(t *testing.T) {
	_, err := frameworktest.New(t).Run(greeting.Functions["greeting"], " ")
	if !framework.IsTerminal(err) {
		t.Errorf("got %v, want a terminal error", err)
	}
}
