package sink

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/triggers"
)

// A Refusal is the error of an event that a sink did not take.
type Refusal struct {
	URL  string
	Code int    // the status of the answer; 0: there was none
	Body []byte // of the answer
	err  error  // what else is wrong; may be nil
}

var _ triggers.Explanation = (*Refusal)(nil)

// maxSaid is how much of an answer is in the text of an error.
const maxSaid = 200

func (r *Refusal) Error() string {
	switch {
	case r.Code == 0:
		return fmt.Sprintf("post to the sink: %v", r.err)
	case r.err != nil:
		return fmt.Sprintf("the sink answered %s, but %v", status(r.Code), r.err)
	case len(r.Body) == 0:
		return "the sink answered " + status(r.Code)
	}
	said := strings.ToValidUTF8(string(r.Body[:min(len(r.Body), maxSaid)]), "\uFFFD")
	return fmt.Sprintf("the sink answered %s: %s", status(r.Code), strings.TrimSpace(said))
}

// Unwrap returns what went wrong beside the status, or nil.
func (r *Refusal) Unwrap() error { return r.err }

func status(code int) string { return strings.TrimSpace(fmt.Sprint(code, " ", http.StatusText(code))) }

// maxErrorData is the longest value of knativeerrordata, in bytes.
const maxErrorData = 1024

// Attributes implements [triggers.Explanation] with the names and values that
// Knative's dispatcher gives a dead letter: knativeerrordest is the sink's URL,
// knativeerrorcode the status (500 where there was no answer), knativeerrordata
// the beginning of the answer in base64, at most 1024 bytes.
func (r *Refusal) Attributes() map[string]any {
	code, data := r.Code, r.Body
	if code == 0 {
		code, data = http.StatusInternalServerError, []byte("dispatch error: "+r.Error())
	}
	data = data[:min(len(data), base64.StdEncoding.DecodedLen(maxErrorData))]
	a := map[string]any{"knativeerrordest": r.URL, "knativeerrorcode": int32(code)}
	if len(data) > 0 { // an attribute is not empty
		a["knativeerrordata"] = base64.StdEncoding.EncodeToString(data)
	}
	return a
}
