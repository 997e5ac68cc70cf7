-- The people who may decide, and what signs them in.

CREATE TABLE people (
    folded     TEXT    NOT NULL PRIMARY KEY,  -- the name without case: it is given once ever
    name       TEXT    NOT NULL UNIQUE,
    email      TEXT    NOT NULL,
    member_of  TEXT    NOT NULL,  -- JSON: the groups, in order
    handle     TEXT    NOT NULL,  -- stands for the person in authenticators
    added_at   INTEGER NOT NULL,
    removed_at INTEGER
) STRICT;

-- Who decides for a person who is away: one absence each.
CREATE TABLE absences (
    person TEXT    NOT NULL PRIMARY KEY,
    deputy TEXT    NOT NULL,
    starts INTEGER NOT NULL,
    ends   INTEGER NOT NULL
) STRICT;

CREATE TABLE passkeys (
    credential_id TEXT    NOT NULL PRIMARY KEY,
    person        TEXT    NOT NULL,
    public_key    BLOB    NOT NULL,  -- COSE
    sign_count    INTEGER NOT NULL,
    label         TEXT    NOT NULL,
    added_at      INTEGER NOT NULL,
    added_with    TEXT    NOT NULL,  -- the credential id that vouched for it; empty for the first
    active_from   INTEGER NOT NULL,
    last_used_at  INTEGER,
    removed_at    INTEGER            -- kept: what it signed is still checked with it
) STRICT;

CREATE INDEX passkeys_by_person ON passkeys (person, added_at);

-- The newest invitation of each person. Of its link, the digest.
CREATE TABLE invitations (
    person     TEXT    NOT NULL PRIMARY KEY,
    digest     TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;

-- The browsers in which people are signed in to the inbox. Of the cookie, the digest.
CREATE TABLE inbox_sessions (
    digest     TEXT    NOT NULL PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    person     TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX inbox_sessions_by_person ON inbox_sessions (person);
