package store

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pgConn is the connection that writes to PostgreSQL. A way to the server and
// back costs more than most statements, so those whose answer nobody waits for
// are sent together with the next one that somebody waits for, or with COMMIT.
type pgConn struct {
	dial  func(context.Context) (*pgx.Conn, error)
	texts *rewritten
	conn  *pgx.Conn // nil or closed when it was lost

	queue  []queued
	failed error     // why the last dial failed
	retry  time.Time // when the next may be tried
	wait   time.Duration
}

// queued is a statement that has not been sent.
type queued struct {
	query string
	want  int64
	scan  func(scanner) error // of a statement that reads
	args  []any
}

// lostError says that the connection is gone.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

const (
	minRedial = 50 * time.Millisecond
	maxRedial = 2 * time.Second
)

func (c *pgConn) begin() error {
	if err := c.connect(); err != nil {
		return &lostError{err}
	}
	c.queue = append(c.queue[:0], queued{query: "BEGIN", want: anyRows})
	return nil
}

// connect makes the connection again when it was lost, but not more often than
// a server bears that has many to serve again. Between the attempts it fails at
// once, so that callers learn what is the matter.
func (c *pgConn) connect() error {
	if c.conn != nil && !c.conn.IsClosed() {
		return nil
	}
	if time.Now().Before(c.retry) {
		return c.failed
	}
	conn, err := c.dial(context.Background())
	if err != nil {
		c.wait = min(max(2*c.wait, minRedial), maxRedial)
		c.failed, c.retry = err, time.Now().Add(c.wait)
		return err
	}
	c.conn, c.wait = conn, 0
	return nil
}

func (c *pgConn) lock(workers []string) {
	c.queue = append(c.queue, queued{
		query: `SELECT 1 FROM sessions WHERE worker = ANY(?1) ORDER BY worker FOR UPDATE`, want: anyRows, args: []any{workers},
	})
}

func (c *pgConn) exec(query string, want int64, args []any) error {
	c.queue = append(c.queue, queued{query: query, want: want, args: storable(args)})
	return nil
}

func (c *pgConn) writeAll(b *bulk, rows [][]any) error {
	for _, part := range b.parts(rows) {
		c.queue = append(c.queue, queued{query: b.many, want: int64(len(part)), args: b.columns(part)})
	}
	return nil
}

func (c *pgConn) count(query string, args []any) (n int64, err error) {
	return n, c.send(func(b *pgx.Batch) {
		b.Queue(c.texts.of(query), storable(args)...).Exec(func(tag pgconn.CommandTag) error {
			n = tag.RowsAffected()
			return nil
		})
	})
}

func (c *pgConn) ask(query string, scan func(scanner) error, args []any) error {
	c.queue = append(c.queue, queued{query: query, scan: scan, args: storable(args)})
	return nil
}

func (c *pgConn) askAll(b *bulk, rows [][]any, scan func(scanner) error) error {
	for _, part := range b.parts(rows) {
		c.queue = append(c.queue, queued{query: b.many, scan: scan, args: b.columns(part)})
	}
	return nil
}

func (c *pgConn) query(query string, scan func(scanner) error, args []any) error {
	return c.send(func(b *pgx.Batch) {
		b.Queue(c.texts.of(query), storable(args)...).Query(func(rows pgx.Rows) error { return eachRow(rows, scan) })
	})
}

func (c *pgConn) commit() error {
	if len(c.queue) == 1 && c.queue[0].query == "BEGIN" { // which has not been sent
		c.queue = c.queue[:0]
		return nil
	}
	err := c.send(func(b *pgx.Batch) {
		b.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
			if tag.String() != "COMMIT" {
				return &pgconn.PgError{Severity: "ERROR", Code: "25P02", Message: "the transaction had failed"}
			}
			return nil
		})
	})
	if missed := new(missedError); errors.As(err, &missed) { // and was committed all the same
		return &lostError{err}
	}
	return err
}

func (c *pgConn) rollback() {
	c.queue = c.queue[:0]
	if c.conn == nil || c.conn.IsClosed() || c.conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	if _, err := c.conn.Exec(ctx, "ROLLBACK"); err != nil {
		_ = c.conn.Close(ctx) // ends the transaction as well
	}
}

func (c *pgConn) flush() error { return c.send(func(*pgx.Batch) {}) }

func (c *pgConn) script(text string) error {
	if err := c.flush(); err != nil {
		return err
	}
	_, err := c.conn.PgConn().Exec(context.Background(), text).ReadAll()
	return c.lost(err)
}

// send sends what is queued and what last adds to it, waits for the answers, and
// holds each against what was wanted.
func (c *pgConn) send(last func(*pgx.Batch)) error {
	var b pgx.Batch
	for _, q := range c.queue {
		sent := b.Queue(c.texts.of(q.query), q.args...)
		if q.scan != nil {
			sent.Query(func(rows pgx.Rows) error { return eachRow(rows, q.scan) })
			continue
		}
		sent.Exec(func(tag pgconn.CommandTag) error {
			if n := tag.RowsAffected(); q.want != anyRows && n != q.want {
				return missed(n, q.want, q.query)
			}
			return nil
		})
	}
	clear(c.queue)
	c.queue = c.queue[:0]
	last(&b)
	if b.Len() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	return c.lost(c.conn.SendBatch(ctx, &b).Close())
}

// lost marks an error that has ended the connection. One to a server that has
// become a standby, and so only reads, is of no use any more.
func (c *pgConn) lost(err error) error {
	if refused := new(pgconn.PgError); errors.As(err, &refused) && refused.Code == "25006" {
		_ = c.close() // err says more
	}
	if err != nil && c.conn.IsClosed() {
		return &lostError{err}
	}
	return err
}

func (c *pgConn) close() error {
	if c.conn == nil || c.conn.IsClosed() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return c.conn.Close(ctx)
}

// rewritten holds statements as PostgreSQL wants them.
type rewritten struct {
	texts sync.Map
	kept  atomic.Int64 // how many, about
}

// of writes $N for ?N.
func (r *rewritten) of(query string) string {
	if text, ok := r.texts.Load(query); ok {
		return text.(string)
	}
	text := strings.ReplaceAll(query, "?", "$")
	if r.kept.Load() < maxStatements {
		r.kept.Add(1)
		r.texts.Store(query, text)
	}
	return text
}

// storable returns args with texts that PostgreSQL takes.
func storable(args []any) []any {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = plain(text)
		}
	}
	return args
}

// eachRow drains rows through scan and closes them.
func eachRow(rows pgx.Rows, scan func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
