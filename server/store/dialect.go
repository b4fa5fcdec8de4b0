package store

import (
	"context"
	"database/sql"
	"os"
)

// dialect is what differs between databases. The statements are the same.
type dialect interface {
	// open returns the connection that writes and the pool that reads, after it
	// has asserted what durability rests on and brought the tables up to date.
	open(context.Context, []migration) (write *sql.Conn, read *sql.DB, err error)
	// fault says what kind of failure an error is.
	fault(error) fault
	// maintain is called between transactions, on the connection that writes.
	maintain(*sql.Conn) error
	// abandon is called once after faultDisk: nothing may be written or synced
	// any more, not by closing the connection either.
	abandon(*sql.Conn)
	// check reads the whole database and reports what is damaged.
	check(context.Context, *sql.DB) error
	// backup returns a copy of the whole database, to be read and closed.
	backup(context.Context, *sql.DB) (*os.File, error)
	// close releases what open took.
	close() error
}

// fault is a kind of failure.
type fault int

const (
	faultNone  fault = iota // not the database's error
	faultOther              // a statement failed; the database is sound
	faultFull               // no space is left; nothing was written
	faultPage               // a page that was read does not carry its checksum
	faultDisk               // a write or a sync failed, or the file is damaged
)
