// The command dispatcher posts an event with the dispatcher of Knative's brokers
// and channels:
//
//	dispatcher [-retry N] [-dead-letter URL] [-reply URL] URL DATA
//
// It tries again with a back-off of 0.1 s, doubling, and prints the status of the
// last answer, or the error. Without arguments it prints every status from 300 on
// that it tries again after.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"

	"github.com/cloudevents/sdk-go/v2/event"
	v1 "knative.dev/eventing/pkg/apis/duck/v1"
	"knative.dev/eventing/pkg/eventingtls"
	"knative.dev/eventing/pkg/kncloudevents"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
)

func main() {
	retry := flag.Int("retry", 3, "try `N` times more")
	deadLetter := flag.String("dead-letter", "", "`URL` of the dead-letter sink")
	reply := flag.String("reply", "", "`URL` for answers")
	id := flag.String("id", "1", "`ID` of the event")
	flag.Parse()
	if flag.NArg() == 0 {
		printRetried()
		return
	}
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	os.Setenv("SYSTEM_NAMESPACE", "knative-eventing") // Knative's own programs have it
	info, err := post(flag.Arg(0), flag.Arg(1), *id, *retry, *deadLetter, *reply)
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	fmt.Println(info.ResponseCode, http.StatusText(info.ResponseCode))
}

func printRetried() {
	for status := 300; status < 600; status++ {
		if again, err := kncloudevents.SelectiveRetry(context.Background(), &http.Response{StatusCode: status}, nil); again && err == nil {
			fmt.Println(status)
		}
	}
}

func post(to, data, id string, retry int, deadLetter, reply string) (*kncloudevents.DispatchInfo, error) {
	policy, delay := v1.BackoffPolicyExponential, "PT0.1S"
	retries, err := kncloudevents.RetryConfigFromDeliverySpec(v1.DeliverySpec{Retry: ref(int32(retry)), BackoffPolicy: &policy, BackoffDelay: &delay})
	if err != nil {
		return nil, err
	}
	options := []kncloudevents.SendOption{kncloudevents.WithRetryConfig(&retries)}
	for url, option := range map[string]func(*duckv1.Addressable) kncloudevents.SendOption{deadLetter: kncloudevents.WithDeadLetterSink, reply: kncloudevents.WithReply} {
		if url == "" {
			continue
		}
		a, err := addressable(url)
		if err != nil {
			return nil, err
		}
		options = append(options, option(a))
	}
	target, err := addressable(to)
	if err != nil {
		return nil, err
	}
	ev := event.New()
	ev.SetID(id)
	ev.SetSource("/dispatcher")
	ev.SetType("posted")
	if err := ev.SetData("text/plain", data); err != nil {
		return nil, err
	}
	return kncloudevents.NewDispatcher(eventingtls.ClientConfig{}, nil).SendEvent(context.Background(), ev, *target, options...)
}

func addressable(url string) (*duckv1.Addressable, error) {
	u, err := apis.ParseURL(url)
	return &duckv1.Addressable{URL: u}, err
}

func ref[T any](v T) *T { return &v }
