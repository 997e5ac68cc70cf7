-- The people who may decide, and what signs them in.

CREATE TABLE people (
    folded     text COLLATE "C" NOT NULL PRIMARY KEY,  -- the name without case: it is given once ever
    name       text COLLATE "C" NOT NULL,
    email      text   NOT NULL,
    member_of  text   NOT NULL,  -- JSON: the groups, in order
    handle     text   NOT NULL,  -- stands for the person in authenticators
    added_at   bigint NOT NULL,
    removed_at bigint,
    write_id   bigint NOT NULL   -- of the last write: who lost the connection asks whether it was kept
);

CREATE INDEX people_by_name ON people (name);

-- Who decides for a person who is away: one absence each.
CREATE TABLE absences (
    person text COLLATE "C" NOT NULL PRIMARY KEY,
    deputy text   NOT NULL,
    starts bigint NOT NULL,
    ends   bigint NOT NULL
);

CREATE TABLE passkeys (
    credential_id text COLLATE "C" NOT NULL PRIMARY KEY,
    person        text COLLATE "C" NOT NULL,
    public_key    bytea  NOT NULL,  -- COSE
    sign_count    bigint NOT NULL,
    label         text   NOT NULL,
    added_at      bigint NOT NULL,
    added_with    text   NOT NULL,  -- the credential id that vouched for it; empty for the first
    active_from   bigint NOT NULL,
    last_used_at  bigint,
    removed_at    bigint,           -- kept: what it signed is still checked with it
    write_id      bigint NOT NULL
);

CREATE INDEX passkeys_by_person ON passkeys (person, added_at);

-- The newest invitation of each person. Of its link, the digest.
CREATE TABLE invitations (
    person     text COLLATE "C" NOT NULL PRIMARY KEY,
    digest     text   NOT NULL,
    expires_at bigint NOT NULL,
    used_at    bigint,
    write_id   bigint NOT NULL
);

-- The browsers in which people are signed in to the inbox. Of the cookie, the digest.
CREATE TABLE inbox_sessions (
    digest     text COLLATE "C" NOT NULL PRIMARY KEY,
    id         text COLLATE "C" NOT NULL UNIQUE,
    person     text COLLATE "C" NOT NULL,
    agent      text   NOT NULL,
    started_at bigint NOT NULL,
    seen_at    bigint NOT NULL
);

CREATE INDEX inbox_sessions_by_person ON inbox_sessions (person);
