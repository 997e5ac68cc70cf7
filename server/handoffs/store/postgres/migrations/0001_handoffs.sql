-- As in SQLite: times are whole microseconds since 1970-01-01 UTC, what has a shape of its own is JSON. Run in the store's
-- own schema. Never edit a migration: add the next one.

CREATE TABLE handoffs_layout (
    version integer NOT NULL  -- how many migrations there have been
);
INSERT INTO handoffs_layout VALUES (0);

CREATE TABLE handoffs (
    id            text COLLATE "C" NOT NULL PRIMARY KEY,
    fingerprint   text COLLATE "C" NOT NULL,
    subject       text    NOT NULL,
    client        text    NOT NULL,
    project       text    NOT NULL,
    message       text    NOT NULL,
    form          text    NOT NULL,  -- JSON: the cleaned elicitation schema
    breakout      integer NOT NULL,
    deadline      bigint  NOT NULL,
    created_at    bigint  NOT NULL,
    state         text    NOT NULL,
    version       integer NOT NULL,
    answer        text,              -- JSON: the values by field name
    ended_at      bigint,
    ended_by      text,
    ended_through text,              -- the channel
    note          text,
    collected_at  bigint,
    reached       text    NOT NULL,  -- JSON: the channels that have shown it, in that order
    reminded      text    NOT NULL,  -- JSON: the stages at which somebody took it on to tell a person
    sealed        text    NOT NULL,  -- JSON: the secrets of the answer by field name, sealed
    place         bigint  NOT NULL GENERATED ALWAYS AS IDENTITY,  -- of two made in one moment, the later has more
    nth           integer NOT NULL,  -- how many times this fingerprint has been asked, with this one
    asked         integer,           -- how many its subject has asked, with this one; empty where nobody counts
    size          integer NOT NULL GENERATED ALWAYS AS (octet_length(message) + octet_length(form)) STORED,
    -- The same question again. Two that ask it at once both take the next number, and one of them is refused.
    CONSTRAINT handoffs_asked_once UNIQUE (fingerprint, nth),
    CONSTRAINT handoffs_counted_once UNIQUE (subject, asked)
);

-- The pages of the inbox: every handoff, and the open ones only.
CREATE INDEX handoffs_by_age ON handoffs (created_at, place);
CREATE INDEX handoffs_open_by_age ON handoffs (created_at, place) WHERE state = 'open';

-- What is overdue.
CREATE INDEX handoffs_open_by_deadline ON handoffs (deadline) WHERE state = 'open';

-- What a caller has open, and what it asked last.
CREATE INDEX handoffs_open_by_subject ON handoffs (subject, deadline) INCLUDE (size) WHERE state = 'open';
CREATE INDEX handoffs_by_subject ON handoffs (subject, created_at);

CREATE TABLE events (
    number     bigint NOT NULL PRIMARY KEY,
    handoff_id text COLLATE "C" NOT NULL,
    name       text   NOT NULL,
    at         bigint NOT NULL,
    details    text   NOT NULL,      -- JSON
    write_id   bigint NOT NULL       -- of the write it came with: who lost the connection asks whether it was kept
);
CREATE SEQUENCE events_number OWNED BY events.number;

CREATE INDEX events_by_handoff ON events (handoff_id, number);

-- What may be used once and has been: a key, and when nobody needs to remember it any longer.
CREATE TABLE claims (
    key      text COLLATE "C" NOT NULL PRIMARY KEY,
    ends     bigint NOT NULL,
    write_id bigint NOT NULL
);
CREATE INDEX claims_by_end ON claims (ends);

-- Who may call over HTTP.
CREATE TABLE tokens (
    name       text   NOT NULL PRIMARY KEY,
    digest     text   NOT NULL UNIQUE,  -- SHA-256 of the token, which is kept nowhere
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint,
    used_at    bigint                   -- within an hour
);
