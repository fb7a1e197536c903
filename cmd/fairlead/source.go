package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/framework/host"
	"github.com/fairlead/fairlead/triggers/sink"
)

func sourceCommand(o *options) *cobra.Command {
	var url, token string
	c := &cobra.Command{
		Use:   "source",
		Short: "Post messages of brokers to a Knative sink, as an event source",
		Long: `Post each message that the triggers of the configuration receive to an HTTP address, as a CloudEvent, and
settle it once that answers with 2xx. The triggers name no function. As Knative's SinkBinding sets them,
K_SINK is the address, K_CE_OVERRIDES has extensions for every event, K_CA_CERTS certificates to trust,
and K_SINK_TIMEOUT the seconds that one request may take; /oidc/token holds the token of its identity. An answer that is an event goes to the
message's reply-to, or to where the trigger says (replyTo, reply). There is no store.`,
		Example: `  K_SINK=http://broker-ingress.knative-eventing.svc/default/default fairlead source
  fairlead source -f source.yaml --sink http://127.0.0.1:8080`,
		Args: between(0, 0),
		RunE: func(*cobra.Command, []string) error { return o.source(url, token) },
	}
	c.Flags().StringVar(&url, "sink", "", "post to `URL`, whatever K_SINK says")
	c.Flags().StringVar(&token, "oidc-token", "", "send the token in `FILE`, which is read for each request (default /oidc/token, if it is there, to K_SINK)")
	return c
}

func (o *options) source(url, token string) error {
	s, err := sink.FromEnv(url, token, os.Getenv)
	if err != nil {
		return usageError{err}
	}
	if _, err := os.Stat(o.file()); errors.Is(err, os.ErrNotExist) {
		return usagef("there is no %s; name with -f a configuration whose triggers say which messages are to be posted", o.file())
	}
	return host.NewSource(s.Post).Run(o.file())
}
