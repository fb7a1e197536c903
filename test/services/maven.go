package services

import (
	"context"
	"crypto/sha256"
	_ "embed" // for the two files below
	"fmt"
	"os"
	"path/filepath"
)

// pom.xml names the brokers' versions; brokerJava is the program that makes a
// broker of ActiveMQ Classic's jars.
var (
	//go:embed conf/dist/pom.xml
	pom []byte
	//go:embed conf/dist/Broker.java
	brokerJava []byte
)

// dist is where the brokers' programs are. A change of the files above gives
// another folder, so brokers that still run from the old one keep it.
func (p place) dist() string {
	sum := sha256.Sum256(append(pom[:len(pom):len(pom)], brokerJava...))
	return filepath.Join(p.cache, fmt.Sprintf("dist-%x", sum[:4]))
}

func jvmBrokers(p place) step {
	complete := filepath.Join(p.dist(), "complete")
	return step{
		name: "ActiveMQ Artemis, ActiveMQ Classic and Qpid Broker-J (Maven)",
		have: func() bool { return exists(complete) },
		do: func(ctx context.Context) error {
			if err := fetchBrokers(ctx, p.dist()); err != nil {
				return err
			}
			return os.WriteFile(complete, nil, 0o644)
		},
	}
}

func fetchBrokers(ctx context.Context, dist string) error {
	if err := os.RemoveAll(dist); err != nil { // what an interrupted run left
		return err
	}
	project, program := filepath.Join(dist, "pom.xml"), filepath.Join(dist, "Broker.java")
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(project, pom, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(program, brokerJava, 0o644); err != nil {
		return err
	}
	// -U because Maven remembers for long what a registry did not have once.
	if err := download(ctx, nil, "mvn", "-q", "-B", "-U", "-f", project, "package"); err != nil {
		return err
	}
	classic := filepath.Join(dist, "classic")
	return execute(ctx, nil, "javac", "-cp", filepath.Join(classic, "lib", "*"), "-d", filepath.Join(classic, "classes"), program)
}
