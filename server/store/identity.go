package store

import "github.com/google/uuid"

// ID tells the database from every other. It is made with the database, and its
// copies have it too. Leases of another database are none of this one's, whatever
// their cookies and fences are.
func (s *Store) ID() string { return s.id }

// identify reads the identity, and makes it where there is none yet. Of servers
// that start at once, one makes it.
func identify(c conn) (id string, err error) {
	if err := c.begin(); err != nil {
		return "", err
	}
	err = c.exec(`INSERT INTO identity (one, id) VALUES (1, ?1) ON CONFLICT DO NOTHING`, anyRows, []any{uuid.NewString()})
	if err == nil {
		err = c.query(`SELECT id FROM identity WHERE one = 1`, func(row scanner) error { return row.Scan(&id) }, nil)
	}
	if err != nil {
		c.rollback()
		return "", err
	}
	return id, c.commit()
}
