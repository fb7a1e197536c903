// Package knative tests that Knative's func, as it is, creates, runs, calls and
// builds functions from the templates, and this repository.
package knative
