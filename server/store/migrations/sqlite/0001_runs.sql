-- Times are microseconds since 1970 in UTC; zero means never.

-- A run asks for exactly one route, so a claim reads one range of one index.
CREATE TABLE routes (
    id       INTEGER PRIMARY KEY,
    key      TEXT    NOT NULL UNIQUE, -- hash of the next five
    queue    TEXT    NOT NULL,
    pipeline TEXT    NOT NULL,
    digest   TEXT    NOT NULL, -- of the pipeline; empty is any
    labels   TEXT    NOT NULL, -- JSON object with sorted keys
    priority INTEGER NOT NULL,
    used_at  INTEGER NOT NULL -- within the hour before the last submit that asked for it
) STRICT;

-- One row per worker is the lease on everything that it runs.
CREATE TABLE sessions (
    worker        TEXT    PRIMARY KEY,
    session       TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    capacity      INTEGER NOT NULL,
    queues        TEXT    NOT NULL, -- JSON array
    labels        TEXT    NOT NULL, -- JSON object
    pipelines     TEXT    NOT NULL, -- JSON array, or null for any
    lease         INTEGER NOT NULL, -- microseconds
    registered_at INTEGER NOT NULL,
    seen_at       INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    draining_at   INTEGER NOT NULL,
    shutdown_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE runs (
    seq             INTEGER PRIMARY KEY,
    cookie          TEXT    NOT NULL UNIQUE,
    digest          TEXT    NOT NULL, -- of the request
    route           INTEGER NOT NULL, -- of routes, whose rows are kept for as long as a run has them
    pipeline        TEXT    NOT NULL, -- also in the route; here for the listing index
    delivery        INTEGER NOT NULL,
    max_attempts    INTEGER NOT NULL,
    not_before      INTEGER NOT NULL,
    queue_timeout   INTEGER NOT NULL, -- microseconds, as is the next
    run_timeout     INTEGER NOT NULL,
    detach          INTEGER NOT NULL,
    idempotency_key TEXT    NOT NULL,
    submitter       TEXT    NOT NULL,
    tags            TEXT    NOT NULL, -- JSON object
    send_parent     TEXT    NOT NULL,
    send_state      TEXT    NOT NULL,
    request_parent  TEXT    NOT NULL,
    request_state   TEXT    NOT NULL,
    submitted_at    INTEGER NOT NULL,

    version         INTEGER NOT NULL, -- one higher with every change
    state           INTEGER NOT NULL,
    fence           INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    worker          TEXT    NOT NULL,
    session         TEXT    NOT NULL,
    span            TEXT    NOT NULL,
    worker_digest   TEXT    NOT NULL, -- of the pipeline as the worker has it
    queued_at       INTEGER NOT NULL,
    offered_at      INTEGER NOT NULL,
    accepted_at     INTEGER NOT NULL,
    claimed_at      INTEGER NOT NULL,
    finished_at     INTEGER NOT NULL,
    cancel_at       INTEGER NOT NULL,
    cancel_by       TEXT    NOT NULL,
    cancel_reason   TEXT    NOT NULL,
    cancel_told_at   INTEGER NOT NULL,
    cancel_heeded_at INTEGER NOT NULL,
    stop            TEXT    NOT NULL, -- how a cancelled run stopped
    due             INTEGER NOT NULL,
    rc              TEXT    NOT NULL,

    concurrency_key    TEXT    NOT NULL, -- empty is none
    concurrency_limit  INTEGER NOT NULL,
    concurrency_policy INTEGER NOT NULL,
    blocked            INTEGER NOT NULL, -- 1 is queued without a slot of its key

    retry   TEXT    NOT NULL, -- JSON object
    retries INTEGER NOT NULL,

    requeued_from TEXT NOT NULL, -- cookies; empty is none
    requeued_as   TEXT NOT NULL
) STRICT;

-- The states in these predicates are the numbers of store.State. A statement
-- uses a partial index only if it repeats the predicate literally. Their last
-- columns are for counting a queue's load, which reads no rows.
CREATE INDEX runs_queued ON runs (route, seq, queued_at) WHERE state = 1 AND blocked = 0;
CREATE INDEX runs_scheduled ON runs (route) WHERE state = 0;
CREATE INDEX runs_key_live ON runs (concurrency_key, blocked, state, seq, route) WHERE concurrency_key <> '' AND state < 4;
CREATE INDEX runs_leased ON runs (worker) WHERE state IN (2, 3);
CREATE INDEX runs_due ON runs (due) WHERE due > 0;
CREATE INDEX runs_failed ON runs (seq) WHERE state > 4;
CREATE INDEX runs_ended ON runs (state, finished_at) WHERE state > 3;
CREATE INDEX runs_submitter ON runs (submitter, seq);
CREATE INDEX runs_pipeline ON runs (pipeline, seq, route); -- the last for looking which routes are in use
CREATE UNIQUE INDEX runs_key ON runs (submitter, idempotency_key) WHERE idempotency_key <> '';

-- A row is locked by whoever gives out slots of its key.
CREATE TABLE concurrency (
    name    TEXT    PRIMARY KEY,
    used_at INTEGER NOT NULL
) STRICT;

-- What people and programs changed, other than workers at their work. A submit
-- is in runs.
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_target ON audit (target, id);
CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_at ON audit (at);

-- Which server sees to what only one needs to.
CREATE TABLE chores (
    name   TEXT    PRIMARY KEY,
    holder TEXT    NOT NULL,
    until  INTEGER NOT NULL
) STRICT;

-- Payloads stand apart from the runs, whose rows are written at every move.
CREATE TABLE variables (
    run  INTEGER PRIMARY KEY,
    body BLOB    NOT NULL
) STRICT;

CREATE TABLE results (
    run        INTEGER PRIMARY KEY,
    error      TEXT NOT NULL,
    stacktrace TEXT NOT NULL,
    result     BLOB -- NULL is absent
) STRICT;

CREATE TABLE tags (
    name  TEXT    NOT NULL,
    value TEXT    NOT NULL,
    run   INTEGER NOT NULL,
    PRIMARY KEY (name, value, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_run ON tags (run);

-- Accepted leases that have ended. The current one stands in the run, and so does
-- the last of a run that has ended by its result.
CREATE TABLE attempts (
    run         INTEGER NOT NULL,
    fence       INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    worker      TEXT    NOT NULL,
    session     TEXT    NOT NULL,
    span        TEXT    NOT NULL,
    digest      TEXT    NOT NULL, -- of the pipeline as the worker has it
    queued_at   INTEGER NOT NULL,
    offered_at  INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    claimed_at  INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL,
    outcome     TEXT    NOT NULL,
    rc          TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    PRIMARY KEY (run, fence)
) STRICT, WITHOUT ROWID;

-- What a run logs. The number is made of the fence and the worker's own count,
-- so that a repeat is recognised and a later attempt sorts after an earlier.
CREATE TABLE events (
    run   INTEGER NOT NULL,
    n     INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    kind  TEXT    NOT NULL,
    data  BLOB    NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;

-- What the events of a run come to, and where it is; of runs that have any.
-- Numbers are made as those of events are.
CREATE TABLE activity (
    run         INTEGER PRIMARY KEY,
    lines       INTEGER NOT NULL, -- that are kept
    bytes       INTEGER NOT NULL, -- of their data
    last        INTEGER NOT NULL, -- of the attempt that ended last, as its result says
    progress_n  INTEGER NOT NULL,
    progress_at INTEGER NOT NULL,
    progress    BLOB    NOT NULL
) STRICT;

-- Results that came too late or contradicted the stored one, kept as evidence.
CREATE TABLE late (
    run        INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    worker     TEXT    NOT NULL,
    fence      INTEGER NOT NULL,
    rc         TEXT    NOT NULL,
    error      TEXT    NOT NULL,
    stacktrace TEXT    NOT NULL,
    result     BLOB, -- NULL if it was absent or too large to keep
    size       INTEGER NOT NULL, -- bytes of the result that came
    PRIMARY KEY (run, n)
) STRICT;
