-- Tokens that the server has issued. Those of its settings are not here.
CREATE TABLE tokens (
    id         TEXT COLLATE "C" PRIMARY KEY, -- the part of the token that may be seen
    digest     TEXT COLLATE "C" NOT NULL UNIQUE, -- SHA-256 of the whole token, in hex
    kind       TEXT COLLATE "C" NOT NULL, -- token, enrolment or worker
    name       TEXT COLLATE "C" NOT NULL,
    scopes     TEXT COLLATE "C" NOT NULL, -- JSON array
    worker     TEXT COLLATE "C" NOT NULL, -- the only one it may act as, or of an enrolment the pattern of names; empty is any
    queues     TEXT COLLATE "C" NOT NULL, -- JSON array, or null for any
    labels     TEXT COLLATE "C" NOT NULL, -- JSON object, or null for any
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL, -- name of the token that asked for it
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL, -- within the hour before the last call that showed it
    successor  TEXT COLLATE "C" NOT NULL -- id of the credential that came of it; empty is none yet
);

-- A worker has one credential that nothing has succeeded.
CREATE UNIQUE INDEX tokens_worker ON tokens (worker) WHERE kind = 'worker' AND successor = '';
