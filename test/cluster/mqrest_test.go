package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// An mqRESTDouble is a double of IBM MQ's administrative REST API, which nobody but
// IBM may hand out: of the one command that KEDA's ibmmq scaler sends, the depth of one
// queue. Its form is what IBM's documentation has, and what the scaler takes; that a
// real queue manager answers so is not shown by it.
type mqRESTDouble struct {
	*httptest.Server
	depth atomic.Int64
}

const (
	mqQueue    = "ORDERS"
	mqPath     = "/ibmmq/rest/v2/admin/action/qmgr/QM1/mqsc"
	mqUser     = "app"
	mqPassword = "apppw"
)

func startMQRESTDouble(t *testing.T) *mqRESTDouble {
	t.Helper()
	d := new(mqRESTDouble)
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Close)
	return d
}

// ServeHTTP refuses what a queue manager would refuse.
func (d *mqRESTDouble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var command struct {
		Type, Command, Qualifier, Name string
		ResponseParameters             []string
	}
	user, password, _ := r.BasicAuth()
	refuse := func(status int, why string) {
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error": [{"message": %q}]}`, why)
	}
	switch {
	case user != mqUser || password != mqPassword:
		refuse(http.StatusUnauthorized, "wrong user or password")
	case r.Method != http.MethodPost || r.URL.Path != mqPath:
		refuse(http.StatusNotFound, "no such resource: "+r.Method+" "+r.URL.Path)
	case len(r.Header.Values("ibm-mq-rest-csrf-token")) == 0:
		refuse(http.StatusForbidden, "no CSRF token")
	case json.NewDecoder(r.Body).Decode(&command) != nil || command.Type != "runCommandJSON":
		refuse(http.StatusBadRequest, "no command in JSON")
	case !strings.EqualFold(command.Command+command.Qualifier, "displayqlocal") || !slices.Contains(command.ResponseParameters, "CURDEPTH"):
		refuse(http.StatusBadRequest, "the double knows the depth of a queue only")
	case command.Name != mqQueue: // the status stays 200
		fmt.Fprintf(w, `{"commandResponse": [{"completionCode": 2, "reasonCode": 2085, "message": ["AMQ8147E: IBM MQ object %s not found."]}],
			"overallCompletionCode": 2, "overallReasonCode": 3008}`, command.Name)
	default:
		fmt.Fprintf(w, `{"commandResponse": [{"completionCode": 0, "reasonCode": 0, "parameters": {"queue": %q, "type": "QLOCAL", "curdepth": %d}}],
			"overallCompletionCode": 0, "overallReasonCode": 0}`, mqQueue, d.depth.Load())
	}
}

// onMQRESTDouble lets KEDA ask the double for the depth of a queue of IBM MQ.
func onMQRESTDouble(t *testing.T) backlog {
	d := startMQRESTDouble(t)
	return backlog{
		document: `version: 1
store: none
connections:
  qm: {type: mq, address: "127.0.0.1(1414)", queueManager: QM1, channel: C, user: "${env:MQ_USER}", password: "${env:MQ_PASSWORD}"}
triggers:
  orders: {connection: qm, queue: ` + mqQueue + `, function: order.received}
`,
		flags:  []string{"--scaler", "qm=ibmmq,host=" + d.URL + mqPath},
		secret: map[string]string{"MQ_USER": mqUser, "MQ_PASSWORD": mqPassword},
		add:    func(_ *testing.T, n int) { d.depth.Add(int64(n)) },
		remove: func(*testing.T) { d.depth.Store(0) },
	}
}
