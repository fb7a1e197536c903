// Package dockerfile tests the Dockerfiles of the repository with BuildKit's own
// parser. There is no engine here that could build them.
package dockerfile
