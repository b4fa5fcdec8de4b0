package store

import "errors"

// What callers tell apart with errors.Is. Every other error is the database's.
var (
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("store: closed")
	// ErrFailed is returned by every write after the disk failed one. What was
	// acknowledged before is safe; the process wants a restart.
	ErrFailed = errors.New("store: refuses writes after a disk error")
	// ErrUnknown says that a commit failed half way: the operation may have
	// been recorded or not. Repeating it is safe.
	ErrUnknown = errors.New("store: outcome unknown")
	// ErrUnavailable says that the database cannot be reached, or that the
	// connection broke before the answer came: the operation may have been
	// recorded or not. Repeating it is safe, and may help in a moment.
	ErrUnavailable = errors.New("store: database unavailable")
	// ErrFull says that the disk is full and nothing was recorded.
	ErrFull = errors.New("store: disk full")
	// ErrDamaged says that a page that the operation needs does not carry its
	// checksum. Operations on other pages go on.
	ErrDamaged = errors.New("store: damaged page")
	// ErrNoBackup says that the database has tools of its own for that.
	ErrNoBackup = errors.New("PostgreSQL is backed up with its own tools, such as pg_dump")
	// ErrAddress says that the address of the database is wrong: it cannot be read,
	// or is not one of a database that this store may use.
	ErrAddress = errors.New("store: wrong address")
	// ErrLocked says that another process has the database open.
	ErrLocked = errors.New("in use by another process; is another server running?")

	// ErrNotFound is returned for a cookie that no run has.
	ErrNotFound = errors.New("no such run")
	// ErrNotRequeueable is returned for a run that has not ended or has succeeded.
	ErrNotRequeueable = errors.New("the run has not ended, or it has succeeded")
	// ErrRunEnded is returned for a run that a worker wants and that has ended.
	ErrRunEnded = errors.New("the run has ended")
	// ErrNoPipeline is returned for a run whose pipeline the worker that wants it
	// does not have.
	ErrNoPipeline = errors.New("the run is of a pipeline that this worker does not have")
	// ErrCookieCollision says that the cookie belongs to a different run.
	ErrCookieCollision = errors.New("cookie already used by a different run")
	// ErrKeyCollision says that the submitter used the Idempotency-Key before,
	// for a different run.
	ErrKeyCollision = errors.New("idempotency key already used for a different run")
	// ErrNoSlot says that the run was not to wait for a slot of its concurrency
	// key, and that none is free.
	ErrNoSlot = errors.New("no slot of the concurrency key is free")
	// ErrQueueFull says that as many runs wait in the queue as may.
	ErrQueueFull = errors.New("queue is full")
	// ErrTooManyRoutes says that the runs that have not ended combine queues,
	// pipelines, digests, labels and priorities in as many ways as they may.
	ErrTooManyRoutes = errors.New("too many combinations of queue, pipeline, digest, labels and priority")

	// ErrNoSession says that the worker has no session, or no longer: its lease
	// ran out. It registers again.
	ErrNoSession = errors.New("no session")
	// ErrSuperseded says that a newer session of the same worker name exists.
	ErrSuperseded = errors.New("session superseded")
)

// wrongAddress is an error that is an ErrAddress, whose own words suffice.
type wrongAddress struct{ error }

func (e wrongAddress) Unwrap() error      { return e.error }
func (wrongAddress) Is(target error) bool { return target == ErrAddress }
