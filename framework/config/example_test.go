package config_test

import (
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/framework/config"
)

// A document is checked whole, and every problem names its line.
func ExampleParse() {
	_, err := config.Parse([]byte(`
version: 1
conections: {}
grace: soon
`), "fairlead.yaml", config.Options{Drivers: map[string]connections.Driver{"memory": memory.Driver()}})

	problems, _ := errors.AsType[config.Problems](err)
	for _, p := range problems {
		fmt.Println(p.File, p.Line, p.Path, p.Found)
	}
	// Output:
	// fairlead.yaml 3 conections an unknown key
	// fairlead.yaml 4 grace "soon"
}
