package scaler

import (
	"context"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/grpc"
)

// Statuses of the health service.
const (
	serving        = 1
	serviceUnknown = 3
)

// health is the status of a service, or of the server, which has no name. While
// it answers at all, it serves: a broker that is down is no reason to end it.
func health(request []byte) (status uint64, name string, err error) {
	name, err = readHealthRequest(request)
	if name == "" || name == service {
		return serving, name, err
	}
	return serviceUnknown, name, err
}

func checkHealth(_ context.Context, request []byte, send func([]byte) error) error {
	status, name, err := health(request)
	switch {
	case err != nil:
		return err
	case status == serviceUnknown:
		return grpc.Errorf(grpc.NotFound, "there is no service %.200q", name)
	}
	return send(healthResponse(status))
}

func watchHealth(ctx context.Context, request []byte, send func([]byte) error) error {
	status, _, err := health(request)
	if err != nil {
		return err
	}
	if err := send(healthResponse(status)); err != nil {
		return err
	}
	<-ctx.Done() // it does not change
	return ctx.Err()
}
