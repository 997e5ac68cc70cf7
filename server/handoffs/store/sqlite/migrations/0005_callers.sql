-- Who may call over HTTP, and how much each caller may have.

CREATE TABLE tokens (
    name       TEXT    NOT NULL PRIMARY KEY,
    digest     TEXT    NOT NULL UNIQUE,  -- SHA-256 of the token, which is kept nowhere
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    used_at    INTEGER                   -- within an hour
) STRICT;

-- Bytes of the question.
ALTER TABLE handoffs ADD COLUMN size INTEGER NOT NULL
    GENERATED ALWAYS AS (length(CAST(message AS BLOB)) + length(CAST(form AS BLOB))) VIRTUAL;

-- What a caller has open, and what it asked last.
CREATE INDEX handoffs_open_by_subject ON handoffs (subject, deadline, size) WHERE state = 'open';
CREATE INDEX handoffs_by_subject ON handoffs (subject, created_at);
