package scaler

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/grpc"
)

// The messages of the protocols, and the numbers of their fields:
//
//	ScaledObjectRef       {string name = 1; string namespace = 2; map<string, string> scalerMetadata = 3}
//	IsActiveResponse      {bool result = 1}
//	GetMetricSpecResponse {repeated MetricSpec metricSpecs = 1}
//	MetricSpec            {string metricName = 1; int64 targetSize = 2; double targetSizeFloat = 3}
//	GetMetricsRequest     {ScaledObjectRef scaledObjectRef = 1; string metricName = 2}
//	GetMetricsResponse    {repeated MetricValue metricValues = 1}
//	MetricValue           {string metricName = 1; int64 metricValue = 2; double metricValueFloat = 3}
//	HealthCheckRequest    {string service = 1}
//	HealthCheckResponse   {ServingStatus status = 1}
//
// A map is a repeated message with the key as field 1 and the value as field 2.

// fields returns those fields of a message that are a string, bytes or a message,
// by their numbers; others are passed over.
func fields(message []byte) (map[protowire.Number][][]byte, error) {
	found := make(map[protowire.Number][][]byte)
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, broken(n)
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return nil, broken(n)
		}
		if kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message)
			found[number] = append(found[number], value)
		}
		message = message[n:]
	}
	return found, nil
}

func broken(n int) error {
	return grpc.Errorf(grpc.InvalidArgument, "the request is no message of protobuf: %w", protowire.ParseError(n))
}

// last is the value of a field that is not repeated: on the wire it may be.
func last(values [][]byte) []byte {
	if len(values) == 0 {
		return nil
	}
	return values[len(values)-1]
}

// readMetadata returns the metadata of a ScaledObjectRef.
func readMetadata(message []byte) (map[string]string, error) {
	const (
		scalerMetadata = 3
		key            = 1
		value          = 2
	)
	ref, err := fields(message)
	if err != nil {
		return nil, err
	}
	metadata := make(map[string]string)
	for _, entry := range ref[scalerMetadata] {
		pair, err := fields(entry)
		if err != nil {
			return nil, err
		}
		metadata[string(last(pair[key]))] = string(last(pair[value]))
	}
	return metadata, nil
}

// readMetricsRequest returns the ScaledObjectRef of a GetMetricsRequest.
func readMetricsRequest(message []byte) ([]byte, error) {
	request, err := fields(message)
	return last(request[1]), err
}

// readHealthRequest returns the service of a HealthCheckRequest.
func readHealthRequest(message []byte) (string, error) {
	request, err := fields(message)
	return string(last(request[1])), err
}

// isActiveResponse encodes an IsActiveResponse.
func isActiveResponse(active bool) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), protowire.EncodeBool(active))
}

// metricResponse encodes a GetMetricSpecResponse or a GetMetricsResponse of one
// metric, which have the same form. The number is in both of its fields: servers
// older than the second read the first.
func metricResponse(name string, number float64) []byte {
	m := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
	m = protowire.AppendVarint(protowire.AppendTag(m, 2, protowire.VarintType), uint64(math.Ceil(number)))
	m = protowire.AppendFixed64(protowire.AppendTag(m, 3, protowire.Fixed64Type), math.Float64bits(number))
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), m)
}

// healthResponse encodes a HealthCheckResponse.
func healthResponse(status uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), status)
}
