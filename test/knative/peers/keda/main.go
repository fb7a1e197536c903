// The command keda asks an external scaler as the KEDA operator does, with the
// client of KEDA's own that is generated from its protocol:
//
//	keda ADDRESS METHOD [KEY=VALUE ...]
//
// METHOD is spec, metrics, active, push (StreamMetricSpec), stream (StreamIsActive
// until the end of the input, a line for each change) or health. It prints the answer, or the status code and message.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: keda ADDRESS METHOD [KEY=VALUE ...]")
		os.Exit(2)
	}
	if err := ask(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		s, _ := status.FromError(err)
		fmt.Printf("%s: %s\n", s.Code(), s.Message())
	}
}

func ask(address, method string, pairs []string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	metadata := map[string]string{"scalerAddress": address}
	for _, p := range pairs {
		key, value, _ := strings.Cut(p, "=")
		metadata[key] = value
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client := pb.NewExternalScalerClient(conn)
	ref := &pb.ScaledObjectRef{Name: "orders", Namespace: "default", ScalerMetadata: metadata}
	switch method {
	case "spec":
		r, err := client.GetMetricSpec(ctx, ref)
		for _, s := range r.GetMetricSpecs() {
			fmt.Printf("%s %d %g\n", s.MetricName, s.TargetSize, s.TargetSizeFloat)
		}
		return err
	case "metrics":
		r, err := client.GetMetrics(ctx, &pb.GetMetricsRequest{ScaledObjectRef: ref, MetricName: "any"})
		for _, m := range r.GetMetricValues() {
			fmt.Printf("%s %d %g\n", m.MetricName, m.MetricValue, m.MetricValueFloat)
		}
		return err
	case "active":
		r, err := client.IsActive(ctx, ref)
		if err == nil {
			fmt.Println(r.Result)
		}
		return err
	case "stream":
		return stream(client, ref)
	case "health":
		r, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: metadata["service"]})
		if err == nil {
			fmt.Println(r.Status)
		}
		return err
	case "push":
		s, err := client.StreamMetricSpec(ctx, ref)
		if err == nil {
			_, err = s.Recv()
		}
		return err
	}
	return fmt.Errorf("there is no method %s", method)
}

func stream(client pb.ExternalScalerClient, ref *pb.ScaledObjectRef) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer cancel()
		io.Copy(io.Discard, os.Stdin)
	}()
	s, err := client.StreamIsActive(ctx, ref)
	if err != nil {
		return err
	}
	for {
		r, err := s.Recv()
		if err != nil {
			return err
		}
		fmt.Println(r.Result)
	}
}
