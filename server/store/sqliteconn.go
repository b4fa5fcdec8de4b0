package store

import (
	"context"
	"database/sql"
	"strings"
)

// sqliteConn is the connection that writes to a file. Every statement is run at
// once, since there is no way to it that takes time.
type sqliteConn struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt // prepared, by their text
}

func (c *sqliteConn) begin() error  { return c.exec("BEGIN IMMEDIATE", anyRows, nil) }
func (c *sqliteConn) commit() error { return c.exec("COMMIT", anyRows, nil) }

func (c *sqliteConn) rollback() {
	_ = c.exec("ROLLBACK", anyRows, nil) // fails if there is no transaction left, which is what is wanted
}

func (c *sqliteConn) lock([]string) {}

func (c *sqliteConn) exec(query string, want int64, args []any) error {
	n, err := c.count(query, args)
	if err == nil && want != anyRows && n != want {
		return missed(n, want, query)
	}
	return err
}

func (c *sqliteConn) writeAll(b *bulk, rows [][]any) error {
	for _, row := range rows {
		if err := c.exec(b.one, 1, row); err != nil {
			return err
		}
	}
	return nil
}

func (c *sqliteConn) count(query string, args []any) (int64, error) {
	s, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (c *sqliteConn) query(query string, scan func(scanner) error, args []any) error {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), args...)
	if err != nil {
		return err
	}
	return each(rows, scan)
}

func (c *sqliteConn) ask(query string, scan func(scanner) error, args []any) error {
	return c.query(query, scan, args)
}

func (c *sqliteConn) askAll(b *bulk, rows [][]any, scan func(scanner) error) error {
	for _, row := range rows {
		if err := c.query(b.one, scan, row); err != nil {
			return err
		}
	}
	return nil
}

func (c *sqliteConn) flush() error { return nil }

func (c *sqliteConn) script(text string) error {
	_, err := c.conn.ExecContext(context.Background(), text)
	return err
}

func (c *sqliteConn) prepare(query string) (*sql.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.conn.PrepareContext(context.Background(), unlocked(query))
	if err != nil {
		return nil, err
	}
	c.stmts[query] = s
	return s, nil
}

func (c *sqliteConn) close() {
	for _, s := range c.stmts {
		_ = s.Close() // closing the database reports what matters
	}
	_ = c.conn.Close() // likewise
}

// unlocked cuts off the lock that a statement ends in: the file has one writer.
func unlocked(query string) string {
	query, _, _ = strings.Cut(query, " FOR UPDATE")
	return query
}

func (d *sqlite) read(ctx context.Context, query string, scan func(scanner) error, args []any) error {
	var rows *sql.Rows
	s, err := d.prepare(ctx, query)
	switch {
	case err != nil:
	case s == nil:
		rows, err = d.reads.QueryContext(ctx, query, args...)
	default:
		rows, err = s.QueryContext(ctx, args...)
	}
	if err != nil {
		return err
	}
	return each(rows, scan)
}

// prepare returns nil for a statement that is one too many to be kept.
func (d *sqlite) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.stmts[query]; ok || len(d.stmts) >= maxStatements {
		return s, nil
	}
	s, err := d.reads.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	d.stmts[query] = s
	return s, nil
}

// each drains rows through scan and closes them.
func each(rows *sql.Rows, scan func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
