-- What a gate remembers: the definitions of tools as they were shown to a person, and permissions for later uses.

CREATE TABLE pins (
    server     TEXT    NOT NULL,
    tool       TEXT    NOT NULL,
    digest     TEXT    NOT NULL,  -- SHA-256 of the definition
    definition TEXT    NOT NULL,  -- JSON, as the server listed it
    pinned_at  INTEGER NOT NULL,
    PRIMARY KEY (server, tool)
) STRICT;

CREATE TABLE grants (
    id               TEXT    NOT NULL PRIMARY KEY,
    subject          TEXT    NOT NULL,  -- whose calls it allows
    project          TEXT    NOT NULL,
    server           TEXT    NOT NULL,
    tool             TEXT    NOT NULL,
    definition       TEXT    NOT NULL,  -- the digest of the pinned definition it was given for
    reach            TEXT    NOT NULL,  -- exact, tool
    arguments_digest TEXT    NOT NULL,  -- empty unless exact
    conditions       TEXT    NOT NULL,  -- JSON: name, equals or prefix, value, of each
    session          TEXT    NOT NULL,  -- empty: any
    created_at       INTEGER NOT NULL,
    granted_by       TEXT    NOT NULL,
    channel          TEXT    NOT NULL,
    handoff_id       TEXT    NOT NULL,  -- with whose answer it was given; that one may be gone
    expires_at       INTEGER,
    uses_left        INTEGER,           -- null: any number of times
    uses             INTEGER NOT NULL,
    last_used_at     INTEGER,
    revoked_at       INTEGER,
    suspended_at     INTEGER
) STRICT;

-- What may allow a call, and what ends with a definition; the page of all, and of one caller.
CREATE INDEX grants_by_tool ON grants (server, tool, subject, created_at, id);
CREATE INDEX grants_by_age ON grants (created_at, id);
CREATE INDEX grants_by_subject ON grants (subject, created_at, id);

-- While there is a row, no grant is used.
CREATE TABLE stops (
    one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    stopped_by TEXT    NOT NULL,
    stopped_at INTEGER NOT NULL
) STRICT;
