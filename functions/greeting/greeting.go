// Package greeting holds a function that answers: over a queue to whoever waits
// for it, over HTTP to the client, without knowing which.
package greeting

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/framework"
)

// Functions is greeting.
var Functions = framework.Functions{"greeting": framework.Func(Greet)}

// Greet answers a name with a greeting. A name that is empty can never be
// greeted, so no retry is wanted.
func Greet(_ context.Context, name string) (string, error) {
	name = strings.Trim(strings.TrimSpace(name), `"`)
	if name == "" {
		return "", framework.Terminal(errors.New("there is no name to greet"))
	}
	return fmt.Sprintf("Hello, %s!", name), nil
}
