package store

import "context"

// others knows the servers on a PostgreSQL database by the locks that each holds:
// one for as long as the connection that writes, one for as long as that which
// listens. Whatever a server had committed when it was killed can be read once
// the first is gone, and it may not have told.
type others struct {
	serving map[int64]bool // by process number of the connection at the database
}

// left reports whether a server has gone since the last call, or has lost its
// connection. It tells the bus whether there is any other.
func (o *others) left(ctx context.Context, s *Store) (left bool, _ error) {
	serving := map[int64]bool{}
	err := s.bus.look(func(listener int64) (bool, error) {
		deaf, others := true, false // until this server's own lock is seen
		err := s.query(ctx, `SELECT CAST(pid AS BIGINT), CAST(classid AS BIGINT) FROM pg_locks
			WHERE locktype = 'advisory' AND granted AND classid IN (1886155887, 1886155888)
				AND (objid, objsubid) = (CAST(hashtext(current_schema()) AS oid), 2)
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, func(row scanner) error {
			var pid, lock int64
			if err := row.Scan(&pid, &lock); err != nil {
				return err
			}
			switch {
			case lock == 1886155887:
				serving[pid] = true
			case pid == listener:
				deaf = false
			default:
				others = true
			}
			return nil
		})
		return others || deaf || len(serving) > 1, err
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
