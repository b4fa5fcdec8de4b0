-- Times are microseconds since 1970 in UTC; zero means never.

-- A run asks for exactly one route, so a claim reads one range of one index.
CREATE TABLE routes (
    id       BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    key      TEXT COLLATE "C" NOT NULL UNIQUE, -- hash of the next five
    queue    TEXT COLLATE "C" NOT NULL,
    pipeline TEXT COLLATE "C" NOT NULL,
    digest   TEXT COLLATE "C" NOT NULL, -- of the pipeline; empty is any
    labels   TEXT COLLATE "C" NOT NULL, -- JSON object with sorted keys
    priority BIGINT NOT NULL,
    used_at  BIGINT NOT NULL -- within the hour before the last submit that asked for it
);

-- One row per worker is the lease on everything that it runs.
CREATE TABLE sessions (
    worker        TEXT COLLATE "C" PRIMARY KEY,
    session       TEXT COLLATE "C" NOT NULL,
    version       TEXT COLLATE "C" NOT NULL,
    capacity      BIGINT NOT NULL,
    queues        TEXT COLLATE "C" NOT NULL, -- JSON array
    labels        TEXT COLLATE "C" NOT NULL, -- JSON object
    pipelines     TEXT COLLATE "C" NOT NULL, -- JSON array, or null for any
    lease         BIGINT NOT NULL, -- microseconds
    registered_at BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    draining_at   BIGINT NOT NULL,
    shutdown_at   BIGINT NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE runs (
    seq             BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    cookie          TEXT COLLATE "C" NOT NULL UNIQUE,
    digest          TEXT COLLATE "C" NOT NULL, -- of the request
    route           BIGINT NOT NULL, -- of routes, whose rows are kept for as long as a run has them
    pipeline        TEXT COLLATE "C" NOT NULL, -- also in the route; here for the listing index
    delivery        BIGINT NOT NULL,
    max_attempts    BIGINT NOT NULL,
    not_before      BIGINT NOT NULL,
    queue_timeout   BIGINT NOT NULL, -- microseconds, as is the next
    run_timeout     BIGINT NOT NULL,
    detach          BIGINT NOT NULL,
    idempotency_key TEXT COLLATE "C" NOT NULL,
    submitter       TEXT COLLATE "C" NOT NULL,
    tags            TEXT COLLATE "C" NOT NULL, -- JSON object
    send_parent     TEXT COLLATE "C" NOT NULL,
    send_state      TEXT COLLATE "C" NOT NULL,
    request_parent  TEXT COLLATE "C" NOT NULL,
    request_state   TEXT COLLATE "C" NOT NULL,
    submitted_at    BIGINT NOT NULL,

    version         BIGINT NOT NULL, -- one higher with every change
    state           BIGINT NOT NULL,
    fence           BIGINT NOT NULL,
    attempts        BIGINT NOT NULL,
    worker          TEXT COLLATE "C" NOT NULL,
    session         TEXT COLLATE "C" NOT NULL,
    span            TEXT COLLATE "C" NOT NULL,
    worker_digest   TEXT COLLATE "C" NOT NULL, -- of the pipeline as the worker has it
    queued_at       BIGINT NOT NULL,
    offered_at      BIGINT NOT NULL,
    accepted_at     BIGINT NOT NULL,
    claimed_at      BIGINT NOT NULL,
    finished_at     BIGINT NOT NULL,
    cancel_at       BIGINT NOT NULL,
    cancel_by       TEXT COLLATE "C" NOT NULL,
    cancel_reason   TEXT COLLATE "C" NOT NULL,
    cancel_told_at   BIGINT NOT NULL,
    cancel_heeded_at BIGINT NOT NULL,
    stop            TEXT COLLATE "C" NOT NULL, -- how a cancelled run stopped
    due             BIGINT NOT NULL,
    rc              TEXT COLLATE "C" NOT NULL,

    concurrency_key    TEXT COLLATE "C" NOT NULL, -- empty is none
    concurrency_limit  BIGINT NOT NULL,
    concurrency_policy BIGINT NOT NULL,
    blocked            BIGINT NOT NULL, -- 1 is queued without a slot of its key

    retry   TEXT COLLATE "C" NOT NULL, -- JSON object
    retries BIGINT NOT NULL,

    requeued_from TEXT COLLATE "C" NOT NULL, -- cookies; empty is none
    requeued_as   TEXT COLLATE "C" NOT NULL
);

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
    name    TEXT COLLATE "C" PRIMARY KEY,
    used_at BIGINT NOT NULL
);

-- What people and programs changed, other than workers at their work. A submit
-- is in runs.
CREATE TABLE audit (
    id     BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at     BIGINT NOT NULL,
    actor  TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_target ON audit (target, id);
CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_at ON audit (at);

-- Which server sees to what only one needs to.
CREATE TABLE chores (
    name   TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    until  BIGINT NOT NULL
);

-- Payloads stand apart from the runs, whose rows are written at every move.
CREATE TABLE variables (
    run  BIGINT PRIMARY KEY,
    body BYTEA NOT NULL
);

CREATE TABLE results (
    run        BIGINT PRIMARY KEY,
    error      TEXT COLLATE "C" NOT NULL,
    stacktrace TEXT COLLATE "C" NOT NULL,
    result     BYTEA -- NULL is absent
);

CREATE TABLE tags (
    name  TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    run   BIGINT NOT NULL,
    PRIMARY KEY (name, value, run)
);
CREATE INDEX tags_run ON tags (run);

-- Accepted leases that have ended. The current one stands in the run, and so does
-- the last of a run that has ended by its result.
CREATE TABLE attempts (
    run         BIGINT NOT NULL,
    fence       BIGINT NOT NULL,
    number      BIGINT NOT NULL,
    worker      TEXT COLLATE "C" NOT NULL,
    session     TEXT COLLATE "C" NOT NULL,
    span        TEXT COLLATE "C" NOT NULL,
    digest      TEXT COLLATE "C" NOT NULL, -- of the pipeline as the worker has it
    queued_at   BIGINT NOT NULL,
    offered_at  BIGINT NOT NULL,
    accepted_at BIGINT NOT NULL,
    claimed_at  BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,
    outcome     TEXT COLLATE "C" NOT NULL,
    rc          TEXT COLLATE "C" NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run, fence)
);

-- What a run logs. The number is made of the fence and the worker's own count,
-- so that a repeat is recognised and a later attempt sorts after an earlier.
CREATE TABLE events (
    run   BIGINT NOT NULL,
    n     BIGINT NOT NULL,
    at    BIGINT NOT NULL,
    kind  TEXT COLLATE "C" NOT NULL,
    data  BYTEA NOT NULL,
    PRIMARY KEY (run, n)
);

-- What the events of a run come to, and where it is; of runs that have any.
-- Numbers are made as those of events are.
CREATE TABLE activity (
    run         BIGINT PRIMARY KEY,
    lines       BIGINT NOT NULL, -- that are kept
    bytes       BIGINT NOT NULL, -- of their data
    last        BIGINT NOT NULL, -- of the attempt that ended last, as its result says
    progress_n  BIGINT NOT NULL,
    progress_at BIGINT NOT NULL,
    progress    BYTEA NOT NULL
);

-- Results that came too late or contradicted the stored one, kept as evidence.
CREATE TABLE late (
    run        BIGINT NOT NULL,
    n          BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    worker     TEXT COLLATE "C" NOT NULL,
    fence      BIGINT NOT NULL,
    rc         TEXT COLLATE "C" NOT NULL,
    error      TEXT COLLATE "C" NOT NULL,
    stacktrace TEXT COLLATE "C" NOT NULL,
    result     BYTEA, -- NULL if it was absent or too large to keep
    size       BIGINT NOT NULL, -- bytes of the result that came
    PRIMARY KEY (run, n)
);

-- What PostgreSQL has to be told and SQLite has not. A run's row is written at
-- every move, and claims walk over what vacuum has not taken away yet. Payloads
-- are stored as they are: compressing them costs more than it saves.
ALTER TABLE runs SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE sessions SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE variables ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE results ALTER COLUMN result SET STORAGE EXTERNAL;
ALTER TABLE events ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE late ALTER COLUMN result SET STORAGE EXTERNAL;
