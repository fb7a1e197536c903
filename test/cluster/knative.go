package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	eventing "knative.dev/eventing/pkg/apis/eventing/v1"
	sources "knative.dev/eventing/pkg/apis/sources/v1"
	"knative.dev/pkg/apis"
	serving "knative.dev/serving/pkg/apis/serving/v1"
)

// validated is what Knative's own types can do.
type validated interface {
	apis.Defaultable
	apis.Validatable
}

// validate reads an object as strictly as can be, and says what Knative's webhook
// would say against it. Objects that are none of Knative's are fine.
func validate(o object) error {
	var v validated
	switch o.text("apiVersion") + " " + o.text("kind") {
	case "serving.knative.dev/v1 Service":
		v = new(serving.Service)
	case "eventing.knative.dev/v1 Trigger":
		v = new(eventing.Trigger)
	case "sources.knative.dev/v1 SinkBinding":
		v = new(sources.SinkBinding)
	default:
		return nil
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return fmt.Errorf("read %s: %w", o.text("kind"), err)
	}
	ctx := apis.WithinCreate(context.Background())
	v.SetDefaults(ctx)
	if err := v.Validate(ctx); err != nil {
		return err
	}
	return nil
}
