-- What a gate remembers: the definitions of tools as they were shown to a person, and permissions for later uses.

CREATE TABLE pins (
    server     text COLLATE "C" NOT NULL,
    tool       text COLLATE "C" NOT NULL,
    digest     text   NOT NULL,  -- SHA-256 of the definition
    definition text   NOT NULL,  -- JSON, as the server listed it
    pinned_at  bigint NOT NULL,
    PRIMARY KEY (server, tool)
);

CREATE TABLE grants (
    id               text COLLATE "C" NOT NULL PRIMARY KEY,
    subject          text   NOT NULL,  -- whose calls it allows
    project          text   NOT NULL,
    server           text   NOT NULL,
    tool             text   NOT NULL,
    definition       text   NOT NULL,  -- the digest of the pinned definition it was given for
    reach            text   NOT NULL,  -- exact, tool
    arguments_digest text   NOT NULL,  -- empty unless exact
    conditions       text   NOT NULL,  -- JSON: name, equals or prefix, value, of each
    session          text   NOT NULL,  -- empty: any
    created_at       bigint NOT NULL,
    granted_by       text   NOT NULL,
    channel          text   NOT NULL,
    handoff_id       text   NOT NULL,  -- with whose answer it was given; that one may be gone
    expires_at       bigint,
    uses_left        bigint,           -- null: any number of times
    uses             bigint NOT NULL,
    last_used_at     bigint,
    revoked_at       bigint,
    suspended_at     bigint,
    write_id         bigint NOT NULL   -- of the last write: who lost the connection asks whether it was kept
);

-- What may allow a call, and what ends with a definition; the page of all, and of one caller.
CREATE INDEX grants_by_tool ON grants (server, tool, subject, created_at, id);
CREATE INDEX grants_by_age ON grants (created_at, id);
CREATE INDEX grants_by_subject ON grants (subject, created_at, id);

-- While there is a row, no grant is used.
CREATE TABLE stops (
    one        bigint NOT NULL PRIMARY KEY CHECK (one = 1),
    stopped_by text   NOT NULL,
    stopped_at bigint NOT NULL,
    write_id   bigint NOT NULL
);
