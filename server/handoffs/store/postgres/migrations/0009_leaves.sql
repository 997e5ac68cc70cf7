-- The verifiable log: each event's leaf, and the salt of its commitments; empty in events that are older than the log, and
-- in those of a server of an earlier version until the tree takes them up.
ALTER TABLE events ADD COLUMN leaf text NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN salt text NOT NULL DEFAULT '';

-- Leaves that have no event: number 0 says that there are events without leaves, the others are of events that were removed.
CREATE TABLE kept_leaves (
    number bigint NOT NULL PRIMARY KEY,
    leaf   text   NOT NULL
);

-- The number of the last event that is older than the log; no row where there is none.
CREATE TABLE log_began (
    one    integer NOT NULL PRIMARY KEY CHECK (one = 1),
    number bigint  NOT NULL
);
INSERT INTO log_began SELECT 1, max(number) FROM events HAVING count(*) > 0;
INSERT INTO kept_leaves SELECT 0, '{"at":"' || to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')
    || 'Z","event":"began","facts":{"events":' || count(*) || '},"v":1}' FROM events HAVING count(*) > 0;

-- The tree over the leaves, as far as it was built: nothing of it is lost with these two tables.
CREATE TABLE log_tiles (
    level        integer NOT NULL,
    place        bigint  NOT NULL,
    hashes       bytea   NOT NULL,
    first_number bigint  NOT NULL,  -- on level 0: of the event of its first leaf
    PRIMARY KEY (level, place)
);
CREATE INDEX log_tiles_by_number ON log_tiles (first_number) WHERE level = 0;
CREATE TABLE log_state (
    one    integer NOT NULL PRIMARY KEY CHECK (one = 1),
    size   bigint  NOT NULL,
    number bigint  NOT NULL  -- of the last leaf's event
);

CREATE VIEW leaves AS
    SELECT number, handoff_id, leaf, salt FROM events WHERE number > coalesce((SELECT number FROM log_began), 0)
    UNION ALL SELECT number, '', leaf, '' FROM kept_leaves;
