package engine

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// Config is what a [Manager] is made with. The zero value is a queue manager
// QM1 that lets everybody in.
type Config struct {
	Name            string            // of the queue manager; default QM1
	DeadLetterQueue string            // name of a queue, which must be defined, too; none if empty
	Users           map[string]string // passwords by user; nil: anybody may connect
	Channels        []string          // names; nil: any
	MaxMsgLength    int32             // default 100 MiB
	Define          *Attributes       // queues that do not exist are defined like this when they are opened; nil: they are unknown
}

// A Result is the completion code and the reason code of a verb.
type Result struct{ Code, Reason int32 }

var ok = Result{mqi.MQCC_OK, mqi.MQRC_NONE}

func failed(reason int32) Result { return Result{mqi.MQCC_FAILED, reason} }

func warning(reason int32) Result { return Result{mqi.MQCC_WARNING, reason} }

// A Manager is a queue manager. Its methods may be called from any goroutine.
type Manager struct {
	cfg Config

	mu        sync.Mutex // guards all below, and all conns, objects, queues and messages
	queues    map[string]*queue
	conns     map[*Conn]struct{}
	faults    []*Fault
	quiescing bool
	down      bool
	order     int64 // of the message that was put last
	unique    uint64
	expired   int
}

// New returns a queue manager without queues, but for the dead-letter queue.
func New(cfg Config) *Manager {
	if cfg.Name == "" {
		cfg.Name = "QM1"
	}
	if cfg.MaxMsgLength == 0 {
		cfg.MaxMsgLength = 100 << 20
	}
	m := &Manager{cfg: cfg, queues: make(map[string]*queue), conns: make(map[*Conn]struct{})}
	var seed [8]byte
	rand.Read(seed[:])
	m.unique = binary.LittleEndian.Uint64(seed[:])
	if cfg.DeadLetterQueue != "" {
		m.Define(cfg.DeadLetterQueue, Attributes{})
	}
	return m
}

// identifier is what an application finds in MQCA_Q_MGR_IDENTIFIER.
func (m *Manager) identifier() string { return "MQDOUBLE_" + m.cfg.Name }

// Define makes a queue, or changes the attributes of one that exists.
func (m *Manager) Define(name string, a Attributes) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.define(name, a)
}

func (m *Manager) define(name string, a Attributes) *queue {
	a = a.withDefaults()
	q := m.queues[name]
	if q == nil {
		q = &queue{name: name}
		m.queues[name] = q
	}
	q.Attributes = a
	q.change()
	return q
}

// Change changes the attributes of a queue.
func (m *Manager) Change(name string, f func(*Attributes)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queues[name]
	if q == nil {
		return fmt.Errorf("queue %s is not defined", name)
	}
	f(&q.Attributes)
	q.change()
	return nil
}

// Depth returns how many messages are on a queue, uncommitted ones included.
func (m *Manager) Depth(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.queues[name]; q != nil {
		return q.depth
	}
	return 0
}

// Waiting returns how many getters wait for a message on a queue.
func (m *Manager) Waiting(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.queues[name]; q != nil {
		return q.waiting
	}
	return 0
}

// A Message is one on a queue, as [Manager.Messages] shows it.
type Message struct {
	MD   mqi.MD
	Data []byte
}

// Messages returns what is on a queue, in the order in which it would be got,
// without what is not committed.
func (m *Manager) Messages(name string) []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Message
	if q := m.queues[name]; q != nil {
		for msg := range q.all() {
			if msg.visible() {
				found = append(found, Message{msg.md, msg.data})
			}
		}
	}
	return found
}

// Put puts a message on a queue by itself, as an application would.
func (m *Manager) Put(name string, md *mqi.MD, data []byte) Result {
	c := &Conn{manager: m, lost: make(chan struct{}), objects: make(map[int32]*object)}
	return c.PutOne(&OD{Type: mqi.MQOT_Q, Name: name}, md, &PMO{Options: mqi.MQPMO_NO_SYNCPOINT}, data)
}

// Clear removes all committed messages of a queue.
func (m *Manager) Clear(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.queues[name]; q != nil {
		for msg := range q.all() {
			if msg.visible() {
				q.remove(msg)
			}
		}
	}
}

// Handles returns how many connections there are.
func (m *Manager) Handles() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.conns)
}

// Quiesce begins or ends quiescing: verbs that fail while the queue manager
// quiesces fail, waiting ones included.
func (m *Manager) Quiesce(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quiescing = on
	m.changeAll()
}

// Break cuts all connections; what they did not commit is backed out.
func (m *Manager) Break() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		c.drop()
	}
}

// Stop is Break, and nobody gets in until Start. Messages that are not
// persistent are lost.
func (m *Manager) Stop() {
	m.Break()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = true
	for _, q := range m.queues {
		for msg := range q.all() {
			if msg.md.Persistence != mqi.MQPER_PERSISTENT {
				q.remove(msg)
			}
		}
	}
}

// Start lets applications in again.
func (m *Manager) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down, m.quiescing = false, false
}

func (m *Manager) changeAll() {
	for _, q := range m.queues {
		q.change()
	}
}

// newID returns an identifier as queue managers make them.
func (m *Manager) newID() mqi.ID {
	var id mqi.ID
	copy(id[:], "AMQ "+m.cfg.Name+strings.Repeat(" ", 12))
	m.unique++
	binary.BigEndian.PutUint64(id[16:], m.unique)
	return id
}
