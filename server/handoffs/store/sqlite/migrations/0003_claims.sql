-- What may be used once and has been: a key, and when nobody needs to remember it any longer.
CREATE TABLE claims (
    key  TEXT    NOT NULL PRIMARY KEY,
    ends INTEGER NOT NULL
) STRICT;
