// Package outbox keeps finished results on a worker's disk until the server
// has judged them, so that neither a crash nor a power cut loses one.
//
// The one idea: a log that only grows, and is written anew whenever anything is
// doubtful. A result is a record of the log, and so is the note that the server
// has judged it. When [Outbox.Put] returns, its record is synced; callers that
// come while the disk is at work share the next write and the next sync. After
// a write that failed, the file is not trusted any more: the next one replaces
// it by all that counts, written to a new file, synced, and renamed over it. In
// the same way the log is made short again when most of it has been judged.
//
// An outbox belongs to one process at a time. Nobody waits for more than three
// seconds for a disk that hangs; what was to be written then may still be, when
// the disk answers. An outbox has no goroutine but while it writes, and ends with
// [Outbox.Close].
package outbox

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pullrun/pullrun/api"
)

// An Entry is a finished result and what it takes to send it on after a
// restart.
type Entry struct {
	// Packet is the RUN that the result answers, without its variables.
	Packet api.Packet `json:"packet"`
	Result api.Result `json:"result"`
	// TraceParent and TraceState name the span of the run, under which the
	// result is sent.
	TraceParent string `json:"traceparent,omitempty"`
	TraceState  string `json:"tracestate,omitempty"`
	// StartedAt and EndedAt are the times of the run. Its span begins with it,
	// and ends when the result has arrived.
	StartedAt time.Time `json:"started_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// A Key names an entry: the lease that its result ends.
type Key struct {
	Cookie string `json:"cookie"`
	Fence  int64  `json:"fence"`
	Store  string `json:"store,omitempty"` // empty as of the result
}

// Config says where an outbox is and how much it takes.
type Config struct {
	// Dir is the directory, which is made if need be. Two processes cannot
	// have one together.
	Dir string
	// Max is how many bytes of results there may be before the outbox is full.
	// Results that are finished then are still taken.
	Max int64
}

// An Outbox is the results in one directory. Its methods may be called
// concurrently.
type Outbox struct {
	cfg  Config
	disk disk
	lock *os.File
	log  *slog.Logger

	turn chan struct{} // has room for one: whoever has sent writes for all that wait
	// Guarded by turn.
	file   file // nil when it must be written anew
	size   int64
	closed bool

	mu sync.Mutex
	// Guarded by mu.
	next  *batch // gathers what is to be written together
	live  map[Key]record
	bytes int64 // of live
	tight bool  // what was read at the start could not be written anew
	count int64 // of all that were ever in live, for their order
}

// A record is an entry as the log has it.
type record struct {
	raw   []byte
	order int64
	at    time.Time // when it became live
}

// A batch is what is written at once.
type batch struct {
	puts   map[Key][]byte
	judged []Key
	done   chan struct{} // closed when it has been tried
	err    error         // how that went
}

func newBatch() *batch { return &batch{puts: make(map[Key][]byte), done: make(chan struct{})} }

// Open opens the outbox in a directory, and reads what an earlier process left.
// What it cannot read it sets aside, beside the log, and says so. Where results
// wait on a disk that is full, the outbox opens, and is full.
func Open(cfg Config, log *slog.Logger) (*Outbox, error) { return open(cfg, system{}, log) }

func open(cfg Config, d disk, log *slog.Logger) (*Outbox, error) {
	o := &Outbox{cfg: cfg, disk: d, log: log.With("component", "outbox"), turn: make(chan struct{}, 1), next: newBatch(), live: make(map[Key]record)}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the outbox: %w; outbox.dir says where it is", err)
	}
	lock, err := lockFile(filepath.Join(cfg.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("lock the outbox %q: %w", cfg.Dir, err)
	}
	o.lock = lock
	err = o.load()
	if err == nil {
		// Written anew, it ends with a whole record, and what cannot be
		// written is known before the first result is there.
		err = o.rewrite(nil)
	}
	if errors.Is(err, syscall.ENOSPC) && len(o.live) > 0 {
		// What waits can be sent all the same, and makes room by that.
		o.log.Error("the outbox cannot be written, its disk is full; what waits in it is sent, and nothing is taken until there is room", "dir", cfg.Dir, "count", len(o.live), "err", err)
		o.tight, err = true, nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the outbox %q: %w", cfg.Dir, err), unlock(lock))
	}
	return o, nil
}

// Put keeps an entry. When it returns nil, the entry is there after whatever
// may happen to the process or the machine. After an error it may be or not,
// and may be put again.
func (o *Outbox) Put(e Entry) error {
	e.Packet.Variables = nil
	raw, err := encode(content{Kept: &e})
	if err != nil {
		return fmt.Errorf("keep the result of %s: %w", e.Result.Cookie, err)
	}
	if err := o.write(func(b *batch) { b.puts[e.Key()] = raw }); err != nil {
		return fmt.Errorf("write to the outbox %q: %w", o.cfg.Dir, err)
	}
	return nil
}

// Key names the entry.
func (e Entry) Key() Key { return Key{e.Result.Cookie, e.Result.Fence, e.Result.Store} }

// Judged drops entries that need not be sent any more. It does not wait for the
// disk: after a power cut some may be there again, and are sent once more.
func (o *Outbox) Judged(keys ...Key) {
	_ = o.write(func(b *batch) { // they are not in the next file
		b.judged = append(b.judged, keys...)
		for _, k := range keys {
			delete(b.puts, k) // nobody waits for it any more
		}
	})
}

// Entries are those that wait, in the order in which they were put.
func (o *Outbox) Entries() []Entry {
	var entries []Entry
	for _, raw := range o.records() {
		c, _, _ := decode(raw)
		entries = append(entries, *c.Kept)
	}
	return entries
}

// Full reports whether there are as many bytes as there may be, or as many as
// the disk has room for.
func (o *Outbox) Full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes >= o.cfg.Max || o.tight && len(o.live) > 0
}

// Close lets go of the directory, or says why it cannot. Whatever was put stays
// there. It may be called twice.
func (o *Outbox) Close() error {
	done := make(chan struct{})
	var err error // to be read when it is closed
	hangs := o.inTurn(done, func() {
		defer close(done)
		if o.closed {
			return
		}
		o.closed = true
		if o.file != nil {
			err = o.file.Close()
		}
		err = errors.Join(err, unlock(o.lock))
	})
	if hangs != nil {
		return hangs
	}
	return err
}

// records are the live records in their order.
func (o *Outbox) records() [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	live := make([]record, 0, len(o.live))
	for _, r := range o.live {
		live = append(live, r)
	}
	slices.SortFunc(live, func(a, b record) int { return cmp.Compare(a.order, b.order) })
	raws := make([][]byte, len(live))
	for i, r := range live {
		raws[i] = r.raw
	}
	return raws
}

// add makes a record live.
func (o *Outbox) add(k Key, raw []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes += int64(len(raw) - len(o.live[k].raw))
	o.count++
	o.live[k] = record{raw, o.count, time.Now()}
}

// drop makes records dead.
func (o *Outbox) drop(keys []Key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, k := range keys {
		o.bytes -= int64(len(o.live[k].raw))
		delete(o.live, k)
	}
}
