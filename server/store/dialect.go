package store

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// maxStatements bounds how many statements that read are remembered. The program
// has fewer, but filters make more of them than memory can hold.
const maxStatements = 256

// dialect is what differs between databases. The statements are the same.
type dialect interface {
	// open returns the connection that writes, after it has asserted what
	// durability rests on and brought the tables up to date.
	open(context.Context, *slog.Logger) (conn, error)
	// read runs a statement on a connection that only reads, and calls scan for
	// each row. It may be called concurrently.
	read(ctx context.Context, query string, scan func(scanner) error, args []any) error
	// among returns the condition that a number is among those that a query
	// returns, which each database looks up one by one if it is put like this.
	among(query string) string
	// fault says what kind of failure an error is.
	fault(error) fault
	// relieve makes room on a full disk, at the expense of the reserve, and
	// reports whether it has. restock takes the reserve, and fails while there
	// is no room for it. Both are called between transactions.
	relieve() (bool, error)
	restock() error
	// alone reports whether no other server is on the database, and from now on
	// has those that come later know of this one. It is called in a transaction.
	alone(conn) (bool, error)
	// ahead is how much the database's clock is ahead of this machine's.
	ahead() time.Duration
	// maintain is called between transactions.
	maintain(conn) error
	// abandon is called once after faultDisk: nothing may be written or synced
	// any more, not by closing the connection either.
	abandon(conn)
	// suspect reports, after open, whether the database was left in a way that
	// makes a check worth its time.
	suspect() bool
	// check reads the whole database and reports what is damaged.
	check(context.Context) error
	// backup returns a copy of the whole database, to be read and closed.
	backup(context.Context) (*os.File, error)
	// close releases what open took, the connection that writes last.
	close() error
}

// conn is the connection that writes. One goroutine uses it.
type conn interface {
	// begin begins a transaction. If there is no connection any more it makes
	// a new one.
	begin() error
	// lock locks the sessions of workers, if anybody else could change them.
	lock(workers []string)
	// exec runs a statement that has to write want rows, or any number if want
	// is anyRows. It may wait and be sent with a later call, which then returns
	// its error: commit at the latest.
	exec(query string, want int64, args []any) error
	// writeAll is exec of a statement that has to write one row for each of rows.
	writeAll(b *bulk, rows [][]any) error
	// count runs a statement and returns how many rows it wrote.
	count(query string, args []any) (int64, error)
	// query calls scan for each row of the answer. Within it no other statement
	// runs.
	query(query string, scan func(scanner) error, args []any) error
	// ask is query for an answer that is not needed at once: scan is called
	// before the next query or count returns.
	ask(query string, scan func(scanner) error, args []any) error
	// askAll is ask of a bulk.
	askAll(b *bulk, rows [][]any, scan func(scanner) error) error
	// flush sends what waits and returns when it is answered.
	flush() error
	// script runs statements without arguments.
	script(text string) error
	// commit commits and syncs, and returns when both are done.
	commit() error
	// rollback ends the transaction, which the database may have done already.
	rollback()
}

// missedError says that a statement has not written what it had to. The rows
// are locked before, so it takes a bug, or a person with an SQL prompt.
type missedError struct{ text string }

func (e *missedError) Error() string { return e.text }

func missed(wrote, want int64, query string) error {
	return &missedError{fmt.Sprintf("wrote %d rows, want %d: %s", wrote, want, query)}
}

// anyRows is the number of rows that a statement may write when nobody cares.
const anyRows = -1

// scanner is a row of an answer.
type scanner interface{ Scan(dest ...any) error }

// fault is a kind of failure.
type fault int

const (
	faultNone     fault = iota // not the database's error
	faultOther                 // a statement failed; the database is sound
	faultFull                  // no space is left; nothing was written
	faultPage                  // a page that was read does not carry its checksum
	faultDisk                  // a write or a sync failed, or the file is damaged
	faultRefused               // a statement failed, and with it the transaction
	faultConflict              // others were in the way; nothing was recorded
	faultTimeout               // others were in the way for too long, likewise
	faultLost                  // the connection is gone, and with it the transaction
)
