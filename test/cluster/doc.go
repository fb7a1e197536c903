// Package cluster tests what Fairlead says to Kubernetes: a real API server,
// controller manager and KEDA operator, built once and kept in the cache folder of
// the user, run on this machine without a kubelet, so that no container runs. The
// test marks pods ready where somebody waits for that.
//
//	go -C test/cluster test ./...      the first time about 15 minutes on two cores
package cluster
