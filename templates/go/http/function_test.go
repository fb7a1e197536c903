package function_test

import (
	"testing"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/frameworktest"

	"function"
)

func TestGreet(t *testing.T) {
	rt := frameworktest.New(t)
	answer, err := function.Greet(rt.Context(), function.Person{Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "Hello, Ada!"; answer.Text != want {
		t.Errorf("got %q, want %q", answer.Text, want)
	}
}

// TestGreetingTakesJSON calls the function as a trigger does, with bytes.
func TestGreetingTakesJSON(t *testing.T) {
	out, err := frameworktest.New(t).Run(function.Functions["greeting"], []byte(`{"name": "Ada"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(out.Data()), `{"text":"Hello, Ada!"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestGreetingNobodyIsNotTriedAgain(t *testing.T) {
	_, err := frameworktest.New(t).Run(function.Functions["greeting"], []byte(`{}`))
	if !framework.IsTerminal(err) {
		t.Errorf("got %v, want a terminal error", err)
	}
}
