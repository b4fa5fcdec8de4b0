package store

import "context"

// others knows the servers on a PostgreSQL database by the lock that each holds
// for as long as the connection that writes. Whatever a server had committed
// when it was killed can be read once its lock is gone, and it may not have told.
type others struct {
	serving map[int64]bool // by process number of the connection at the database
}

// left reports whether a server has gone since the last call, or has lost its
// connection.
func (o *others) left(ctx context.Context, s *Store) (left bool, _ error) {
	serving := map[int64]bool{}
	err := s.query(ctx, `SELECT CAST(pid AS BIGINT) FROM pg_locks
		WHERE locktype = 'advisory' AND granted AND (classid, objid, objsubid) = (`+lockServingPlace+`, 2)
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, func(row scanner) error {
		var pid int64
		err := row.Scan(&pid)
		serving[pid] = true
		return err
	})
	if err != nil {
		return false, err
	}
	for pid := range o.serving {
		left = left || !serving[pid]
	}
	o.serving = serving
	return left, nil
}

// lockServingPlace is where pg_locks has lockServing.
const lockServingPlace = `CAST(1886155887 AS oid), CAST(hashtext(current_schema()) AS oid)`
