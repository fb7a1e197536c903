// Package scaler answers KEDA by its external scaler protocol: how much waits in
// a queue of a broker or a topic of the store, and whether that is enough to
// start replicas.
package scaler

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/grpc"
)

const service = "externalscaler.ExternalScaler"

// A Target is a queue of a broker, or what is published in the store.
type Target struct {
	Connection, Queue string // of a broker
	Published         string // "FUNCTION" or "topic:NAME"; empty: it is a queue
}

// A Gauge says how much waits.
type Gauge interface {
	// Triggers returns what triggers take their messages from, by name.
	Triggers() map[string]Target

	// Check says, without I/O, what is wrong with a target.
	Check(Target) error

	// Depth returns how many messages wait. Its error is a [*grpc.Status].
	Depth(context.Context, Target) (int, error)
}

// A Service answers KEDA.
type Service struct{ Gauge Gauge }

// interval is between two looks for a stream.
const interval = 2 * time.Second

// timeout bounds one look.
const timeout = 10 * time.Second

// AddTo adds the methods to a server, those of the health service among them.
func (s *Service) AddTo(server grpc.Server) {
	server["/"+service+"/IsActive"] = s.isActive
	server["/"+service+"/StreamIsActive"] = s.streamIsActive
	server["/"+service+"/GetMetricSpec"] = s.getMetricSpec
	server["/"+service+"/GetMetrics"] = s.getMetrics
	server["/grpc.health.v1.Health/Check"] = checkHealth
	server["/grpc.health.v1.Health/Watch"] = watchHealth
}

// object returns what a ScaledObjectRef asks for.
func (s *Service) object(message []byte) (object, error) {
	metadata, err := readMetadata(message)
	if err != nil {
		return object{}, err
	}
	o, err := s.read(metadata)
	if err == nil {
		err = s.Gauge.Check(o.target)
	}
	return o, err
}

func (s *Service) depth(ctx context.Context, t Target) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return s.Gauge.Depth(ctx, t)
}

func (s *Service) active(ctx context.Context, o object) (bool, error) {
	depth, err := s.depth(ctx, o.target)
	return float64(depth) > o.activation, err
}

func (s *Service) isActive(ctx context.Context, request []byte, send func([]byte) error) error {
	o, err := s.object(request)
	if err != nil {
		return err
	}
	active, err := s.active(ctx, o)
	if err != nil {
		return err
	}
	return send(isActiveResponse(active))
}

// streamIsActive tells how it is, and then each change.
func (s *Service) streamIsActive(ctx context.Context, request []byte, send func([]byte) error) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for told, first := false, true; ; first = false {
		o, err := s.object(request) // each time: the configuration may have changed
		if err != nil {
			return err
		}
		active, err := s.active(ctx, o)
		if err != nil {
			return err
		}
		if first || active != told {
			if err := send(isActiveResponse(active)); err != nil {
				return err
			}
			told = active
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Service) getMetricSpec(_ context.Context, request []byte, send func([]byte) error) error {
	o, err := s.object(request)
	if err != nil {
		return err
	}
	return send(metricResponse(o.metric, o.perReplica))
}

func (s *Service) getMetrics(ctx context.Context, request []byte, send func([]byte) error) error {
	ref, err := readMetricsRequest(request)
	if err != nil {
		return err
	}
	o, err := s.object(ref)
	if err != nil {
		return err
	}
	depth, err := s.depth(ctx, o.target)
	if err != nil {
		return err
	}
	return send(metricResponse(o.metric, float64(depth)))
}
