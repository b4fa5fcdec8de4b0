-- Tokens that the server has issued. Those of its settings are not here.
CREATE TABLE tokens (
    id         TEXT    PRIMARY KEY, -- the part of the token that may be seen
    digest     TEXT    NOT NULL UNIQUE, -- SHA-256 of the whole token, in hex
    kind       TEXT    NOT NULL, -- token, enrolment or worker
    name       TEXT    NOT NULL,
    scopes     TEXT    NOT NULL, -- JSON array
    worker     TEXT    NOT NULL, -- the only one it may act as, or of an enrolment the pattern of names; empty is any
    queues     TEXT    NOT NULL, -- JSON array, or null for any
    labels     TEXT    NOT NULL, -- JSON object, or null for any
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL, -- name of the token that asked for it
    expires_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL, -- within the hour before the last call that showed it
    successor  TEXT    NOT NULL -- id of the credential that came of it; empty is none yet
) STRICT;

-- A worker has one credential that nothing has succeeded.
CREATE UNIQUE INDEX tokens_worker ON tokens (worker) WHERE kind = 'worker' AND successor = '';
