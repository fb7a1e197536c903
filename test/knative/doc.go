// Package knative tests us with programs of Knative and KEDA as they are. Knative's
// func creates, runs, calls and builds functions from the templates and this
// repository; its dispatcher posts to our functions, and our source to a function
// of func-go; KEDA's client asks our scaler. Those that are programs of their own
// are in the module peers.
package knative
