package ledger

// The states of a slot.
const (
	idle uint32 = iota
	running
	suspect
)

// A slot is one call.
type slot struct {
	key   key
	kills uint32
	state uint32
	at    int64 // Unix seconds
}

// slots is how many calls are recorded at most.
const slots = 4096
