package host

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
)

// Exit codes of [Main].
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2   // bad usage or configuration
	exitForced = 130 // a second signal
)

// Main runs functions as a program: it reads the configuration (-f FILE, else
// $FAIRLEAD_CONFIG, else ./fairlead.yaml), serves until SIGINT or SIGTERM, drains
// and exits. With -check it only checks the configuration. It exits with 0 when
// all is done, 1 on a failure such as a port that is taken, 2 when the usage or
// the configuration is wrong, and 130 at once on a second signal.
func Main(functions ...framework.Functions) { New(functions...).Main() }

// Main implements [Host.Main].
func (h *host) Main() { os.Exit(h.main(os.Args[0], os.Args[1:], os.Stderr)) }

func (h *host) main(program string, args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet(program, flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("f", os.Getenv("FAIRLEAD_CONFIG"), "read the configuration from `FILE`")
	check := flags.Bool("check", false, "check the configuration and exit")
	triggers := flags.Bool("triggers", true, "start the triggers; false: serve functions by HTTP and the management API only")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitDone
		}
		return exitUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "found argument %q, expected flags only; %s -h lists them\n", flags.Arg(0), program)
		return exitUsage
	}
	h.log = SetUpLog()
	h.embed = true
	var err error
	if h.heir, err = inherit(); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	cfg, err := h.prepareRun(*file)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	if *check {
		return exitDone
	}
	run := h.Connect
	if *triggers {
		run = func(cfg *config.Config) error { return h.Apply(h.life, cfg) }
	}
	if err := h.serve(cfg, run); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return exitDone
}

// prepareRun returns the configuration that a program of its own runs.
func (h *host) prepareRun(file string) (*config.Config, error) {
	h.log = SetUpLog()
	h.embed = true
	cfg, err := h.readFile(file, nil)
	return cfg, errors.Join(h.invalid, h.openTracer(), err)
}

// Run implements [Host.Run].
func (h *host) Run(file string) error {
	cfg, err := h.prepareRun(file)
	if err != nil {
		return err
	}
	return h.serve(cfg, func(cfg *config.Config) error { return h.Apply(h.life, cfg) })
}

// serve makes cfg run by run, until a signal comes and everything has drained.
func (h *host) serve(cfg *config.Config, run func(*config.Config) error) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)

	l, err := h.heir.listen(httpFD, func() (*net.TCPListener, error) { return listenTCP(ListenAddress(cfg, os.Getenv)) })
	if err != nil {
		return fmt.Errorf("serve functions: %w; http.listen, LISTEN_ADDRESS or PORT says where", err)
	}
	server := &http.Server{Handler: h.mux(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 3)
	admin, err := h.serveAdmin(cfg, failed)
	if err != nil {
		l.Close()
		return err
	}
	defer admin.close()
	metrics, err := h.serveMetrics(cfg, failed)
	if err != nil {
		l.Close()
		return err
	}
	defer metrics.Close()
	if err := run(cfg); err != nil {
		l.Close()
		return err
	}
	h.watch(run)
	entrance := newEntrance(l, server)
	go func() { failed <- h.serveHTTP(server, cfg, entrance) }() // not before: a program that replaces another refuses no request
	// Not before either: writing a file takes longer than a first request does.
	if err := admin.tell(); err != nil {
		return errors.Join(err, h.shutDown(server))
	}
	go h.reportReady()
	go admin.invite(h.life, h, os.Stderr)
	h.log.Info("serving", "functions", len(h.functions), "triggers", len(cfg.Triggers), "http", l.Addr().String(), "admin", admin.url)

	select {
	case err = <-failed:
	case <-h.heir.leaving():
		h.log.Info("stopping: another program has taken over", "grace", cfg.Grace.String())
		h.heir.leave(admin.entrances(entrance)...)
	case s := <-signals:
		h.log.Info("stopping: what runs may end, a second signal ends it at once", "signal", s.String(), "grace", cfg.Grace.String())
		go func() {
			<-signals
			os.Exit(exitForced)
		}()
	}
	return errors.Join(err, h.shutDown(server))
}

// shutDown drains HTTP and the triggers side by side.
func (h *host) shutDown(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), h.grace()+2*time.Second)
	defer cancel()
	requests := make(chan error, 1)
	go func() { requests <- server.Shutdown(ctx) }()
	err := errors.Join(h.Stop(ctx), <-requests)
	server.Close()
	return err
}
