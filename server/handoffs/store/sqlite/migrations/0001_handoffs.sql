-- Times are whole microseconds since 1970-01-01 UTC. Never edit a migration: add the next one.

CREATE TABLE handoffs (
    id            TEXT    NOT NULL PRIMARY KEY,
    fingerprint   TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    client        TEXT    NOT NULL,
    project       TEXT    NOT NULL,
    message       TEXT    NOT NULL,
    form          TEXT    NOT NULL,  -- JSON: the cleaned elicitation schema
    breakout      INTEGER NOT NULL,
    deadline      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    answer        TEXT,              -- JSON: the values by field name
    ended_at      INTEGER,
    ended_by      TEXT,
    ended_through TEXT,              -- the channel
    note          TEXT,
    collected_at  INTEGER,
    reached       TEXT    NOT NULL   -- JSON: the channels that have shown it, in that order
) STRICT;

-- The same question again.
CREATE INDEX handoffs_by_fingerprint ON handoffs (fingerprint, created_at);

-- The pages of the inbox: every handoff, and the open ones only.
CREATE INDEX handoffs_by_age ON handoffs (created_at);
CREATE INDEX handoffs_open_by_age ON handoffs (created_at) WHERE state = 'open';

-- What is overdue.
CREATE INDEX handoffs_open_by_deadline ON handoffs (deadline) WHERE state = 'open';

CREATE TABLE events (
    number     INTEGER NOT NULL PRIMARY KEY,
    handoff_id TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    details    TEXT    NOT NULL      -- JSON
) STRICT;

CREATE INDEX events_by_handoff ON events (handoff_id);
