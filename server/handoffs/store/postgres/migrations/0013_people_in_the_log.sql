-- The number that stands for a person in the log; and of a person who was erased, what recognises the name.
ALTER TABLE people ADD COLUMN id text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE people ADD COLUMN erased text NOT NULL DEFAULT '';
UPDATE people SET id = 'p_' || substr(md5(random()::text || random()::text || clock_timestamp()::text), 1, 22);

-- The last recovery of each person. Of its link, the digest.
CREATE TABLE recoveries (
    person     text COLLATE "C" NOT NULL PRIMARY KEY,
    asked_by   text   NOT NULL,
    asked_at   bigint NOT NULL,
    begins_at  bigint NOT NULL,
    ends_at    bigint NOT NULL,
    used_at    bigint,
    stopped_at bigint,
    digest     text   NOT NULL,
    write_id   bigint NOT NULL
);

-- Lines about the people and keys that are there. The tree makes their leaves. Nobody else numbers a line meanwhile.
LOCK TABLE events IN EXCLUSIVE MODE;
INSERT INTO events (number, handoff_id, name, at, details, write_id)
    SELECT nextval('events_number'), id, 'personadded', extract(epoch FROM date_trunc('second', now()))::bigint * 1000000,
        json_build_object('email', email, 'groups', member_of, 'identities', identities, 'name', name)::text, 0
    FROM (SELECT * FROM people ORDER BY folded) AS all_of_them;
INSERT INTO events (number, handoff_id, name, at, details, write_id)
    SELECT nextval('events_number'), id, 'keyadded', extract(epoch FROM date_trunc('second', now()))::bigint * 1000000,
        json_build_object('active_from', to_char(to_timestamp(active_from / 1000000) AT TIME ZONE 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad((active_from % 1000000)::text, 6, '0') || 'Z', 'added_with', added_with,
            'credential', credential_id, 'name', name, 'public_key', encode(public_key, 'hex'))::text, 0
    FROM (SELECT people.id, people.name, passkeys.active_from, passkeys.added_with, passkeys.credential_id, passkeys.public_key
        FROM passkeys JOIN people ON people.name = passkeys.person ORDER BY passkeys.added_at, credential_id) AS all_of_them;
INSERT INTO events (number, handoff_id, name, at, details, write_id)
    SELECT nextval('events_number'), id, 'keyremoved', extract(epoch FROM date_trunc('second', now()))::bigint * 1000000,
        json_build_object('credential', credential_id, 'name', name)::text, 0
    FROM (SELECT people.id, people.name, passkeys.credential_id FROM passkeys JOIN people ON people.name = passkeys.person
        WHERE passkeys.removed_at IS NOT NULL ORDER BY passkeys.removed_at, credential_id) AS all_of_them;
INSERT INTO events (number, handoff_id, name, at, details, write_id)
    SELECT nextval('events_number'), id, 'personremoved', extract(epoch FROM date_trunc('second', now()))::bigint * 1000000,
        json_build_object('name', name)::text, 0
    FROM (SELECT * FROM people WHERE removed_at IS NOT NULL ORDER BY folded) AS all_of_them;
