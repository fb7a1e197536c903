package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/framework"
)

// dieAt kills the process if the event's id asks for it at this point, once.
// Such an id is POINT-N; "every-…" dies each time it begins.
func dieAt(id, point string) error {
	switch at, _, _ := strings.Cut(id, "-"); {
	case at == "every" && point == "begun":
	case at != point:
		return nil
	default:
		f, err := os.OpenFile(filepath.Join(os.Getenv("E2E_MARKS"), id), os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		if err != nil {
			return err
		}
		f.Close()
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// mortal is a transactional function that records its effect and can die at the
// points NAME-begun (as "begun" for the first one), worked and committed.
func mortal(stage string, then func(context.Context, string) error) framework.Handler {
	work := framework.Transactional(func(ctx context.Context, tx pgx.Tx, id string) error {
		if _, err := tx.Exec(ctx, "insert into effects (stage, id) values ($1, $2)", stage, id); err != nil {
			return err
		}
		if err := then(ctx, id); err != nil {
			return err
		}
		return dieAt(id, stage+"worked")
	})
	return func(ctx context.Context, in event.Event) (*event.Event, error) {
		id := string(in.Data())
		if err := dieAt(id, stage+"begun"); err != nil {
			return nil, err
		}
		out, err := work(ctx, in)
		if err == nil {
			err = dieAt(id, stage+"committed")
		}
		return out, err
	}
}

var orders = framework.Functions{
	"book": mortal("", func(ctx context.Context, id string) error {
		if err := framework.Send(ctx, "out", "", id); err != nil {
			return err
		}
		return framework.Publish(ctx, "invoice", id)
	}),
	"invoice": mortal("invoice", func(context.Context, string) error { return nil }),
}
