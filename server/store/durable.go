package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// durability is what it depends on whether PostgreSQL keeps what it has
// committed.
type durability struct {
	version           int // 150018 is 15.18
	standby, readOnly bool
	encoding          string
	fsync, fullPages  string
	commit            string // synchronous_commit
}

// assertDurable refuses a database that may forget what it has committed. Where
// only the session decides, it decides.
func (d *postgres) assertDurable(ctx context.Context, c *pgx.Conn) error {
	var is durability
	err := c.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),
			current_setting('default_transaction_read_only')::bool, current_setting('server_encoding'),
			current_setting('fsync'), current_setting('full_page_writes'), set_config('synchronous_commit',
				CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)`).
		Scan(&is.version, &is.standby, &is.readOnly, &is.encoding, &is.fsync, &is.fullPages, &is.commit)
	if err != nil {
		return err
	}
	return is.refusal()
}

// refusal says what is wrong and what to do about it.
func (d durability) refusal() error {
	switch {
	case d.version < 140000:
		return fmt.Errorf("the server has version %d.%d; at least 14 is needed", d.version/10000, d.version%10000)
	case d.standby:
		return errors.New("the server is a standby, which only reads; name the primary, or several servers and target_session_attrs=read-write")
	case d.readOnly:
		return errors.New("transactions are read-only; set default_transaction_read_only = off for this user")
	case d.encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s; create it with ENCODING 'UTF8'", d.encoding)
	case d.fsync != "on":
		return errors.New("fsync is off, so that a power cut would lose acknowledged runs; set fsync = on in postgresql.conf")
	case d.fullPages != "on":
		return errors.New("full_page_writes is off, so that a power cut could damage the tables; set full_page_writes = on in postgresql.conf")
	case d.commit == "off":
		return errors.New("synchronous_commit stays off; set synchronous_commit = on for this user")
	}
	return nil
}
