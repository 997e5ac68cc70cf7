-- The number that stands for a person in the log; and of a person who was erased, what recognises the name.
ALTER TABLE people ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE people ADD COLUMN erased TEXT NOT NULL DEFAULT '';
UPDATE people SET id = 'p_' || lower(hex(randomblob(11)));

-- The last recovery of each person. Of its link, the digest.
CREATE TABLE recoveries (
    person     TEXT    NOT NULL PRIMARY KEY,
    asked_by   TEXT    NOT NULL,
    asked_at   INTEGER NOT NULL,
    begins_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    used_at    INTEGER,
    stopped_at INTEGER,
    digest     TEXT    NOT NULL
) STRICT;

-- Lines about the people and keys that are there. The tree makes their leaves.
INSERT INTO events (handoff_id, name, at, details)
    SELECT id, 'personadded', CAST(strftime('%s', 'now') AS INTEGER) * 1000000,
        json_object('email', email, 'groups', member_of, 'identities', identities, 'name', name)
    FROM people ORDER BY folded;
INSERT INTO events (handoff_id, name, at, details)
    SELECT id, 'keyadded', CAST(strftime('%s', 'now') AS INTEGER) * 1000000,
        json_object('active_from', strftime('%Y-%m-%dT%H:%M:%S', active_from / 1000000, 'unixepoch')
            || printf('.%06dZ', active_from % 1000000), 'added_with', added_with, 'credential', credential_id, 'name', name,
            'public_key', lower(hex(public_key)))
    FROM passkeys JOIN people ON people.name = passkeys.person ORDER BY passkeys.added_at, credential_id;
INSERT INTO events (handoff_id, name, at, details)
    SELECT id, 'keyremoved', CAST(strftime('%s', 'now') AS INTEGER) * 1000000,
        json_object('credential', credential_id, 'name', name)
    FROM passkeys JOIN people ON people.name = passkeys.person WHERE passkeys.removed_at IS NOT NULL
    ORDER BY passkeys.removed_at, credential_id;
INSERT INTO events (handoff_id, name, at, details)
    SELECT id, 'personremoved', CAST(strftime('%s', 'now') AS INTEGER) * 1000000, json_object('name', name)
    FROM people WHERE removed_at IS NOT NULL ORDER BY folded;
