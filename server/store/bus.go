package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// bus carries messages between the servers on one PostgreSQL database, by
// LISTEN and NOTIFY. It has two connections of its own: a transaction that
// notifies takes a lock on the whole database when it commits, which must not be
// one that writes runs. A server that is alone, as most are, tells nobody.
type bus struct {
	dial     func(context.Context) (*pgx.Conn, error)
	setClock func(context.Context) error
	log      *slog.Logger
	self     string // tells own letters from others'

	wake chan struct{} // post sends, notify receives; has room for one

	mu sync.Mutex
	// Guarded by mu.
	pending  map[message]bool
	alone    bool  // nobody is there to hear anything
	listener int64 // process number of the connection that listens; zero while there is none
	seen     int   // counts what says that another server may be there
}

// message is a signal on its way. Route and Seq are RunQueued's.
type message struct {
	Kind  SignalKind `json:"k"`
	Name  string     `json:"n,omitempty"`
	Route int64      `json:"r,omitempty"`
	Seq   int64      `json:"s,omitempty"`
}

// letter is the payload of one NOTIFY. Who it is from comes first, so that own
// letters are known without being read.
type letter struct {
	From     string    `json:"from"`
	Messages []message `json:"messages"`
}

const (
	// maxPending is how many messages wait to be sent before they are dropped
	// for a Resync, which asks the others to look at everything.
	maxPending = 10_000
	// maxLetter keeps a letter, with one name more, below the 8000 bytes that
	// PostgreSQL takes.
	maxLetter = 6000
	// letterGap is the least time between letters. A busy server has something
	// to tell all the time, and every letter costs the database a transaction
	// and every server on it a look.
	letterGap = 10 * time.Millisecond
	// maxRelink is the longest wait before a lost connection is made again.
	maxRelink = 5 * time.Second
)

func newBus(dial func(context.Context) (*pgx.Conn, error), setClock func(context.Context) error, log *slog.Logger) *bus {
	return &bus{dial: dial, setClock: setClock, log: log, self: rand.Text(), wake: make(chan struct{}, 1), pending: map[message]bool{}}
}

func (b *bus) post(m message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.alone {
		b.put(m)
	}
}

// put adds to what is to be sent. The caller has locked mu.
func (b *bus) put(m message) {
	if len(b.pending) >= maxPending {
		clear(b.pending)
		m = message{Kind: Resync}
	}
	b.pending[m] = true
	select {
	case b.wake <- struct{}{}:
	default: // it has been woken
	}
}

// others notes that another server may be there. What it was not told while this
// one took itself to be alone it has to look for.
func (b *bus) others() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen++
	if b.alone {
		b.alone = false
		b.put(message{Kind: Resync})
	}
}

// look calls peers, which says what connections of servers there are, and notes
// whether this server is alone: it listens, so that it would have heard of one
// that came meanwhile, and it has.
func (b *bus) look(peers func(listener int64) (others bool, err error)) error {
	b.mu.Lock()
	listener, seen := b.listener, b.seen
	b.mu.Unlock()
	others, err := peers(listener)
	if err != nil {
		return err
	}
	if others || listener == 0 {
		b.others()
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alone = b.seen == seen
	return nil
}

// take returns what is to be sent.
func (b *bus) take() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	messages := slices.Collect(maps.Keys(b.pending))
	clear(b.pending)
	return messages
}

// letters writes messages as letters that PostgreSQL takes.
func (b *bus) letters(messages []message) ([]string, error) {
	var out []string
	for len(messages) > 0 {
		n, size := 0, 0
		for n < len(messages) && (n == 0 || size < maxLetter) {
			size += 64 + 6*len(messages[n].Name) // as JSON at its longest
			n++
		}
		text, err := json.Marshal(letter{From: b.self, Messages: messages[:n]})
		if err != nil {
			return nil, err
		}
		out, messages = append(out, string(text)), messages[n:]
	}
	return out, nil
}

// run carries messages until ctx ends.
func (b *bus) run(ctx context.Context, heard func(message)) {
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() { b.keep(ctx, "notify", b.notify) })
	b.keep(ctx, "listen", func(ctx context.Context, c *pgx.Conn) error { return b.listen(ctx, c, heard) })
}

// keep does work on a connection, and does it again on a new one when the
// connection is lost.
func (b *bus) keep(ctx context.Context, what string, work func(context.Context, *pgx.Conn) error) {
	wait := minRedial
	var lost time.Time
	for ctx.Err() == nil {
		c, err := b.dial(ctx)
		if err == nil {
			if !lost.IsZero() {
				b.log.InfoContext(ctx, "connection between servers is back", "what", what, "took", time.Since(lost))
			}
			lost, wait = time.Time{}, minRedial
			err = work(ctx, c)
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
			_ = c.Close(closing) // it is lost, or nobody needs it any more
			cancel()
		}
		if ctx.Err() != nil {
			return
		}
		if lost.IsZero() {
			lost = time.Now()
			b.log.WarnContext(ctx, "connection between servers is lost", "what", what, "retry_in", wait, "err", err)
		}
		timer := time.NewTimer(wait/2 + mathrand.N(wait))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		wait = min(2*wait, maxRelink)
	}
}

// channel is where the servers on the same tables meet.
const channel = `'pullrun ' || hashtext(current_schema())`

// notify sends what is pending: at once if it has been silent for letterGap. What
// gathers meanwhile goes together next time.
func (b *bus) notify(ctx context.Context, c *pgx.Conn) error {
	if _, err := c.Exec(ctx, `SET synchronous_commit = off`); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.wake:
		}
		messages := b.take()
		letters, err := b.letters(messages)
		if err != nil {
			return err
		}
		if _, err := c.Exec(ctx, `SELECT pg_notify(`+channel+`, letter) FROM unnest($1::text[]) letter`, letters); err != nil {
			for _, m := range messages {
				b.post(m) // once more does no harm
			}
			return err
		}
		gap := time.NewTimer(letterGap)
		select {
		case <-ctx.Done():
		case <-gap.C:
		}
		gap.Stop()
	}
}

// listens notes which connection listens. Before there is one, or after it is
// lost, nobody knows who has come.
func (b *bus) listens(pid int64) {
	b.others()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listener = pid
}

// listen hands on what others have sent. It holds a lock by which they see that
// there is somebody to tell, and says so itself to those that have not looked.
func (b *bus) listen(ctx context.Context, c *pgx.Conn, heard func(message)) error {
	var name string
	var pid int64
	err := c.QueryRow(ctx, `SELECT `+channel+`, pg_backend_pid(), pg_advisory_lock_shared(`+lockListening+`)`).Scan(&name, &pid, nil)
	if err != nil {
		return err
	}
	if _, err := c.Exec(ctx, `LISTEN `+pgx.Identifier{name}.Sanitize()); err != nil {
		return err
	}
	arrived, err := b.letters([]message{{Kind: arrival}})
	if err != nil {
		return err
	}
	if _, err := c.Exec(ctx, `SELECT pg_notify($1, $2)`, name, arrived[0]); err != nil {
		return err
	}
	b.listens(pid)
	defer b.listens(0)
	heard(message{Kind: Resync})
	own := fmt.Sprintf(`{"from":%q`, b.self)
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if strings.HasPrefix(n.Payload, own) {
			continue
		}
		var l letter
		if err := json.Unmarshal([]byte(n.Payload), &l); err != nil {
			return fmt.Errorf("letter from another server: %w", err)
		}
		b.others()
		for _, m := range l.Messages {
			if m.Kind != arrival {
				heard(m)
			}
		}
	}
}
