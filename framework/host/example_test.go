package host_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
)

var functions = framework.Functions{
	"greeting": framework.Func(func(_ context.Context, name string) (string, error) { return "Hello " + name, nil }),
}

// A program of one's own is one line in func main.
func ExampleMain() {
	main := func() { host.Main(functions) }
	_ = main // it would serve until a signal comes
}

// A host in a program that serves HTTP itself, as Knative's func does.
func ExampleNew() {
	h := host.New(functions)
	if err := h.Start(context.Background(), nil); err != nil {
		fmt.Println(err)
		return
	}
	defer h.Stop(context.Background())

	w := httptest.NewRecorder()
	h.Handle(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("World")))
	fmt.Println(w.Code, w.Body)
	// Output: 200 Hello World
}
