package store

import (
	"context"
	"errors"
	"time"
)

// A Token is one that the server has issued. What it is cannot be read from the
// database: only its digest is there. A token is drawn at random from 2^130, so a
// single SHA-256 is as good as any slow hash: there is no guessing it.
type Token struct {
	ID        string // the part of it that may be seen
	Digest    string // SHA-256 of the whole, in hex
	Kind      TokenKind
	Name      string
	Scopes    []string
	Worker    string            // the only one it may act as, or of an enrolment the pattern of names; empty is any
	Queues    []string          // the only ones its worker may take runs from; nil is any
	Labels    map[string]string // the only ones its worker may have; nil is any
	CreatedAt time.Time
	CreatedBy string    // name of the token that asked for it
	ExpiresAt time.Time // zero is never
	UsedAt    time.Time // within the hour before the last call that showed it; zero is never
	Successor string    // id of the credential that came of it; empty is none yet
}

// TokenKind is what a token is for.
type TokenKind string

const (
	// TokenPlain is shown by a person or a program.
	TokenPlain TokenKind = "token"
	// TokenEnrolment is exchanged for a credential, once.
	TokenEnrolment TokenKind = "enrolment"
	// TokenWorker is a worker's credential.
	TokenWorker TokenKind = "worker"
)

// What callers tell apart with errors.Is.
var (
	// ErrNoToken says that no token has the id, or not any more.
	ErrNoToken = errors.New("no such token")
	// ErrTokenTaken says that another token has the id or the digest.
	ErrTokenTaken = errors.New("another token has the same id or digest")
	// ErrEnrolled says that the worker has a credential that is still good.
	ErrEnrolled = errors.New("the worker has a credential")
)

// A SpentError says that something else came of the token before: a credential of
// Worker, which is empty if that credential has been deleted since.
type SpentError struct{ Worker string }

func (*SpentError) Error() string { return "the token has been exchanged before" }

const (
	// tokensKept is how long a token stays after it has expired, so that it is
	// told apart from one that never was, and so that whoever did not get the
	// answer to an exchange may repeat it.
	tokensKept = 30 * 24 * time.Hour
	// touchEvery is how exactly it is known when a token was last used.
	touchEvery = time.Hour
)

// expired reports whether the token's time is over.
func (k Token) expired(now time.Time) bool { return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) }

// Idle reports whether the token's use is worth a note.
func (k Token) Idle(now time.Time) bool { return now.Sub(k.UsedAt) >= touchEvery }

const selectToken = `SELECT id, digest, kind, name, scopes, worker, queues, labels, created_at, created_by, expires_at, used_at, successor FROM tokens `

func (k *Token) dest() []any {
	return []any{
		&k.ID, &k.Digest, &k.Kind, &k.Name, object{&k.Scopes}, &k.Worker, object{&k.Queues}, objectOrNull{&k.Labels},
		stamp{&k.CreatedAt}, &k.CreatedBy, stamp{&k.ExpiresAt}, stamp{&k.UsedAt}, &k.Successor,
	}
}

// CreateToken records a token that by asked for.
func (s *Store) CreateToken(ctx context.Context, now time.Time, k Token) error {
	_, err := add(ctx, s.writer, now, func(t *tx) (struct{}, error) {
		t.point("token")
		if err := t.insertToken(k); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.audit(k.CreatedBy, ActionTokenCreate, k.ID, string(k.Kind)+" "+k.Name)
	})
	return err
}

// insertToken adds a token, and drops those that expired long ago, or that nobody
// will ask for: credentials that have a successor.
func (t *tx) insertToken(k Token) error {
	scopes, err := jsonText(k.Scopes)
	if err != nil {
		return err
	}
	queues, err := jsonText(k.Queues)
	if err != nil {
		return err
	}
	labels, err := jsonText(k.Labels)
	if err != nil {
		return err
	}
	err = t.exec(`
		DELETE FROM tokens WHERE expires_at > 0 AND (expires_at < ?1 OR kind = 'worker' AND successor <> '' AND expires_at < ?2)`,
		micros(t.now.Add(-tokensKept)), micros(t.now))
	if err != nil {
		return err
	}
	n, err := t.count(`
		INSERT INTO tokens (id, digest, kind, name, scopes, worker, queues, labels, created_at, created_by, expires_at, used_at, successor)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, '')
		ON CONFLICT DO NOTHING`,
		k.ID, k.Digest, string(k.Kind), k.Name, scopes, k.Worker, queues, labels, micros(t.now), k.CreatedBy, micros(k.ExpiresAt))
	if err == nil && n == 0 {
		err = ErrTokenTaken
	}
	return err
}

// token reads a token by its id and locks it.
func (t *tx) token(id string) (k Token, found bool, err error) {
	found, err = t.row(selectToken+`WHERE id = ?1 FOR UPDATE`, k.dest(), id)
	return k, found, err
}

// NewCredential is a worker's credential as the worker has made it.
type NewCredential struct {
	ID, Digest string
	ExpiresAt  time.Time
}

// Enrol exchanges an enrolment token for the first credential of a worker. The
// same exchange once more, whose answer was lost, has the same outcome, even when
// the token has expired since.
func (s *Store) Enrol(ctx context.Context, now time.Time, enrolment, worker string, c NewCredential) (Token, error) {
	return add(ctx, s.writer, now, func(t *tx) (Token, error) {
		t.point("enrol")
		e, found, err := t.token(enrolment)
		switch {
		case err != nil:
			return Token{}, err
		case !found || e.Kind != TokenEnrolment:
			return Token{}, ErrNoToken
		case e.Successor != "":
			return t.again(e, c)
		case e.expired(t.now):
			return Token{}, ErrNoToken
		}
		// One that has expired does not stand in the way.
		err = t.exec(`UPDATE tokens SET successor = ?1 WHERE kind = 'worker' AND successor = '' AND worker = ?2 AND expires_at <= ?3`,
			c.ID, worker, micros(t.now))
		if err != nil {
			return Token{}, err
		}
		k := e.credential(worker, c, t.now)
		if err := t.insertToken(k); errors.Is(err, ErrTokenTaken) {
			return Token{}, ErrEnrolled
		} else if err != nil {
			return Token{}, err
		}
		if err := t.succeed(e, k.ID, e.ExpiresAt); err != nil {
			return Token{}, err
		}
		return k, t.audit(e.Name, ActionEnrol, worker, "credential "+k.ID)
	})
}

// Rotate gives a worker's credential a successor, and lets it be good for no
// longer than overlap from now on. The same call once more has the same outcome.
func (s *Store) Rotate(ctx context.Context, now time.Time, credential string, c NewCredential, overlap time.Duration) (Token, error) {
	return add(ctx, s.writer, now, func(t *tx) (Token, error) {
		t.point("rotate")
		old, found, err := t.token(credential)
		switch {
		case err != nil:
			return Token{}, err
		case !found || old.Kind != TokenWorker || old.expired(t.now):
			return Token{}, ErrNoToken
		case old.Successor != "":
			return t.again(old, c)
		}
		until := t.now.Add(overlap)
		if old.ExpiresAt.Before(until) {
			until = old.ExpiresAt
		}
		if err := t.succeed(old, c.ID, until); err != nil {
			return Token{}, err
		}
		k := old.credential(old.Worker, c, t.now)
		return k, t.insertToken(k)
	})
}

// again answers an exchange that has been made before.
func (t *tx) again(k Token, c NewCredential) (Token, error) {
	made, found, err := t.token(k.Successor)
	if err == nil && (!found || made.ID != c.ID || made.Digest != c.Digest) {
		err = &SpentError{made.Worker}
	}
	return made, err
}

// credential is what comes of a token for a worker.
func (k Token) credential(worker string, c NewCredential, now time.Time) Token {
	return Token{
		ID: c.ID, Digest: c.Digest, Kind: TokenWorker, Name: worker, Scopes: []string{"work"}, Worker: worker,
		Queues: k.Queues, Labels: k.Labels, CreatedAt: now, CreatedBy: k.Name, ExpiresAt: c.ExpiresAt,
	}
}

func (t *tx) succeed(k Token, successor string, until time.Time) error {
	return t.one(`UPDATE tokens SET successor = ?1, expires_at = ?2, used_at = ?3 WHERE id = ?4`,
		successor, micros(until), micros(t.now), k.ID)
}

// RevokeToken deletes a token, and with a worker's credential every other that the
// worker has. It returns what is gone.
func (s *Store) RevokeToken(ctx context.Context, now time.Time, id, by string) ([]Token, error) {
	return write(ctx, s.writer, now, func(t *tx) ([]Token, error) {
		t.point("token")
		k, found, err := t.token(id)
		if err == nil && !found {
			err = ErrNoToken
		}
		if err != nil {
			return nil, err
		}
		gone := []Token{k}
		if k.Kind == TokenWorker {
			if gone, err = t.credentials(k.Worker); err != nil {
				return nil, err
			}
		}
		for _, k := range gone {
			if err := t.exec(`DELETE FROM tokens WHERE id = ?1`, k.ID); err != nil {
				return nil, err
			}
		}
		return gone, t.audit(by, ActionTokenRevoke, k.ID, string(k.Kind)+" "+k.Name)
	})
}

// credentials are all that a worker has.
func (t *tx) credentials(worker string) (all []Token, _ error) {
	return all, t.rows(selectToken+`WHERE kind = 'worker' AND worker = ?1 ORDER BY id FOR UPDATE`, scanTokens(&all), worker)
}

func scanTokens(to *[]Token) func(scanner) error {
	return func(row scanner) error {
		var k Token
		err := row.Scan(k.dest()...)
		*to = append(*to, k)
		return err
	}
}

// TouchToken notes that a token is in use.
func (s *Store) TouchToken(ctx context.Context, now time.Time, id string) error {
	_, err := write(ctx, s.writer, now, func(t *tx) (struct{}, error) {
		t.point("token")
		return struct{}{}, t.exec(`UPDATE tokens SET used_at = ?1 WHERE id = ?2 AND used_at < ?1`, micros(t.now), id)
	})
	return err
}

// TokenByDigest finds a token, expired or not.
func (s *Store) TokenByDigest(ctx context.Context, digest string) (k Token, _ error) {
	err := s.query(ctx, selectToken+`WHERE digest = ?1`, func(row scanner) error { return row.Scan(k.dest()...) }, digest)
	if err == nil && k.ID == "" {
		err = ErrNoToken
	}
	return k, err
}

// Tokens lists all that are kept, the oldest first.
func (s *Store) Tokens(ctx context.Context) (all []Token, _ error) {
	return all, s.query(ctx, selectToken+`ORDER BY created_at, id`, scanTokens(&all))
}
