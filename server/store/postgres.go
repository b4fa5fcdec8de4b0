package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgres is a database that any number of servers share. One connection
// writes for each of them; a pool reads.
type postgres struct {
	name   string // of the database for people, without the password
	config *pgx.ConnConfig
	texts  rewritten
	conn   *pgConn
	reads  *pgxpool.Pool

	serving bool         // others may know of this server; used by the writer alone
	clock   atomic.Int64 // what ahead returns
}

func newPostgres(address string) (*postgres, error) {
	const want = "want postgres://user:password@host:5432/database"
	if _, err := url.Parse(address); err != nil { // whose text may hold the password
		return nil, fmt.Errorf("open store: the postgres address cannot be read; %s", want)
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		if inner := errors.Unwrap(err); inner != nil {
			err = inner // without the address
		}
		return nil, fmt.Errorf("open store: the postgres address cannot be used: %w; %s", err, want)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "pullrun"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	return &postgres{name: fmt.Sprintf("%s:%d/%s", config.Host, config.Port, config.Database), config: config}, nil
}

func (d *postgres) open(ctx context.Context, log *slog.Logger) (_ conn, err error) {
	defer func() {
		if err != nil {
			_ = d.close() // err says more
			err = fmt.Errorf("open store %q: %w", d.name, err)
		}
	}()
	all, err := loadMigrations(migrationFiles, "migrations/postgres")
	if err != nil {
		return nil, err
	}
	d.conn = &pgConn{dial: d.dial, texts: &d.texts}
	if d.conn.conn, err = pgx.ConnectConfig(ctx, d.config); unwelcome(err) {
		return nil, wrongAddress{err}
	} else if err != nil {
		return nil, err
	}
	if err := d.assertDurable(ctx, d.conn.conn); err != nil {
		return nil, err
	}
	if err := d.migrate(ctx, all, log); err != nil {
		return nil, err
	}
	if err := d.prepareWriter(ctx, d.conn.conn); err != nil {
		return nil, err
	}
	pool, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, err
	}
	pool.ConnConfig = d.config.Copy()
	pool.AfterConnect = prepareReader
	d.reads, err = pgxpool.NewWithConfig(ctx, pool)
	return d.conn, err
}

// unwelcome reports whether err is PostgreSQL's answer to a wrong user, password or
// name of a database, or to a user who may not connect to it.
func unwelcome(err error) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return false
	}
	return strings.HasPrefix(refused.Code, "28") || refused.Code == "3D000" || refused.Code == "42501"
}

// migrate keeps replicas that start at once from doing the same.
func (d *postgres) migrate(ctx context.Context, all []migration, log *slog.Logger) error {
	if err := d.conn.script(`SELECT pg_advisory_lock(` + lockMigrate + `)`); err != nil {
		return err
	}
	err := migrate(ctx, d.conn, all, log)
	return errors.Join(err, d.conn.script(`SELECT pg_advisory_unlock(`+lockMigrate+`)`))
}

// Advisory locks are the database's, and tables a schema's.
const (
	lockMigrate   = `1886155886, hashtext(current_schema())`
	lockServing   = `1886155887, hashtext(current_schema())`
	lockListening = `1886155888, hashtext(current_schema())`
)

// dial makes the connection that writes anew. Each host of the address may take its
// time before the next is tried.
func (d *postgres) dial(ctx context.Context) (*pgx.Conn, error) {
	c, err := pgx.ConnectConfig(ctx, d.config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	err = d.assertDurable(ctx, c)
	if err == nil {
		err = d.prepareWriter(ctx, c)
	}
	if err != nil {
		_ = c.Close(ctx) // err says more
		return nil, err
	}
	return c, nil
}

// link makes a connection for what passes between servers.
func (d *postgres) link(ctx context.Context) (*pgx.Conn, error) {
	return pgx.ConnectConfig(ctx, d.config)
}

// prepareWriter makes the planner go by the indexes, as every statement of the
// writer is meant to: it may have seen the tables when they were empty. The
// timeouts free others of a server that hangs, and this one of others that do.
func (d *postgres) prepareWriter(ctx context.Context, c *pgx.Conn) error {
	if d.serving {
		if _, err := c.Exec(ctx, `SELECT pg_advisory_lock_shared(`+lockServing+`)`); err != nil {
			return err
		}
	}
	_, err := c.Exec(ctx, `
		SET plan_cache_mode = force_generic_plan; SET jit = off;
		SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
		SET statement_timeout = '30s'; SET lock_timeout = '2s'; SET idle_in_transaction_session_timeout = '60s'`,
		pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	return d.setClock(ctx, c)
}

// setClock compares the database's clock with this machine's.
func (d *postgres) setClock(ctx context.Context, c interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}) error {
	var there int64
	sent := time.Now()
	err := c.QueryRow(ctx, `SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`).Scan(&there)
	if err == nil {
		here := sent.Add(time.Since(sent) / 2)
		d.clock.Store(int64(time.UnixMicro(there).Sub(here)))
	}
	return err
}

func (d *postgres) readClock(ctx context.Context) error { return d.setClock(ctx, d.reads) }

func (d *postgres) ahead() time.Duration { return time.Duration(d.clock.Load()) }

// alone holds a lock that servers share, and sees whether it could have it for
// itself.
func (d *postgres) alone(c conn) (alone bool, err error) {
	err = c.query(`SELECT CASE WHEN pg_try_advisory_xact_lock(`+lockServing+`) THEN 1 ELSE 0 END`, func(row scanner) error {
		var n int
		err := row.Scan(&n)
		alone = n == 1
		return err
	}, nil)
	if err != nil {
		return false, err
	}
	d.serving = true
	return alone, c.exec(`SELECT pg_advisory_lock_shared(`+lockServing+`)`, anyRows, nil)
}

func prepareReader(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, `
		SET default_transaction_read_only = on; SET jit = off;
		SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'`,
		pgx.QueryExecModeSimpleProtocol)
	return err
}

func (d *postgres) read(ctx context.Context, query string, scan func(scanner) error, args []any) error {
	seen := false
	look := func() error {
		return d.readOnce(ctx, query, func(row scanner) error { seen = true; return scan(row) }, args)
	}
	err := look()
	if d.fault(err) == faultLost && !seen { // the pool did not know that the connection was gone
		err = look()
	}
	return err
}

func (d *postgres) readOnce(ctx context.Context, query string, scan func(scanner) error, args []any) error {
	c, err := d.reads.Acquire(ctx)
	if err != nil {
		if ctx.Err() == nil {
			err = &lostError{err}
		}
		return err
	}
	defer c.Release()
	rows, err := c.Query(ctx, d.texts.of(query), storable(args)...)
	if err == nil {
		err = eachRow(rows, scan)
	}
	if err != nil && ctx.Err() == nil && c.Conn().IsClosed() {
		err = &lostError{err}
	}
	return err
}

func (d *postgres) among(query string) string { return `= ANY (ARRAY(` + query + `))` }

func (d *postgres) fault(err error) fault {
	var lost *lostError
	var refused *pgconn.PgError
	var missed *missedError
	switch {
	case errors.As(err, &lost):
		return faultLost
	case errors.As(err, &missed):
		return faultRefused
	case !errors.As(err, &refused):
		return faultNone
	}
	switch code := refused.Code; {
	case code == "53100": // disk full
		return faultFull
	case code == "XX001", code == "XX002": // data, index corrupted
		return faultPage
	case code == "40001", code == "40P01": // cannot serialize, deadlock
		return faultConflict
	case code == "55P03", code == "57014": // a lock, a statement took too long
		return faultTimeout
	case refused.Severity == "FATAL", refused.Severity == "PANIC",
		strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "08"):
		return faultLost
	}
	return faultRefused
}

// The disk is the PostgreSQL server's own affair.
func (d *postgres) relieve() (bool, error) { return false, nil }
func (d *postgres) restock() error         { return nil }
func (d *postgres) maintain(conn) error    { return nil }
func (d *postgres) abandon(conn)           {}
func (d *postgres) suspect() bool          { return false }

// check has nothing to read: the server looks after its files itself.
func (d *postgres) check(ctx context.Context) error {
	if err := d.reads.Ping(ctx); err != nil {
		return fmt.Errorf("check store %q: %w", d.name, err)
	}
	return nil
}

func (d *postgres) backup(context.Context) (*os.File, error) { return nil, ErrNoBackup }

func (d *postgres) close() error {
	if d.reads != nil {
		d.reads.Close()
	}
	if d.conn == nil {
		return nil
	}
	return d.conn.close()
}

const (
	// connectTimeout is how long a host may take, unless the address says, and
	// again what is done with a new connection before it is used.
	connectTimeout = 10 * time.Second
	// answerTimeout is how long an answer may take before the connection is
	// given up: longer than statement_timeout, which is the server's own.
	answerTimeout = 60 * time.Second
	closeTimeout  = 5 * time.Second
)
