package access

import (
	"errors"
	"fmt"
	"time"
)

// Classes of errors.
var (
	// ErrNoStore is wrapped by errors about what needs a store, where there is none.
	ErrNoStore = errors.New("accounts and tokens are kept in the store, and there is none (store.url)")

	// ErrUnavailable is wrapped by errors about the store being out of reach.
	ErrUnavailable = errors.New("accounts and tokens are in the store, which is out of reach")

	// ErrNotFound is wrapped by errors about an account or token that is not there.
	ErrNotFound = errors.New("not found")

	// ErrTaken is wrapped by errors about a name that somebody has.
	ErrTaken = errors.New("taken")

	// ErrInvalid is wrapped by errors about a name, a role, a password or a time that
	// cannot be used.
	ErrInvalid = errors.New("invalid")

	// ErrRefused says that a name and a password, or a link, let nobody in. It says
	// no more on purpose.
	ErrRefused = errors.New("the name or the password is wrong")
)

// A WaitError says that somebody has tried too often, or that too many try at once.
type WaitError struct {
	After time.Duration // try again then
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("too many attempts: try again in %v", e.After.Round(time.Second))
}
