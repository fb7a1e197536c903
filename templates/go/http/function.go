// Package function answers HTTP requests. The function itself knows no HTTP: it
// takes a value and returns one, and would answer a message of a queue, too.
package function

import (
	"context"
	"errors"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
)

// New returns what serves the functions. "fairlead run" and Knative's func call it.
func New() *host.Host { return host.New(Functions) }

// Functions are those of this program, by the names that they are called by.
var Functions = framework.Functions{"greeting": framework.Func(Greet)}

// A Person is who is greeted.
type Person struct {
	Name string `json:"name"`
}

// A Greeting is the answer.
type Greeting struct {
	Text string `json:"text"`
}

// Greet answers a Person with a Greeting. Nobody can be greeted without a name,
// however often it is tried: a Terminal error is answered with status 422.
func Greet(_ context.Context, p Person) (Greeting, error) {
	if p.Name == "" {
		return Greeting{}, framework.Terminal(errors.New("there is no name to greet"))
	}
	return Greeting{Text: "Hello, " + p.Name + "!"}, nil
}
