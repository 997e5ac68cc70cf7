-- The verifiable log: each event's leaf, and the salt of its commitments; empty in events that are older than the log, and
-- in those of a server of an earlier version until the tree takes them up.
ALTER TABLE events ADD COLUMN leaf TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN salt TEXT NOT NULL DEFAULT '';

-- Leaves that have no event: number 0 says that there are events without leaves, the others are of events that were removed.
CREATE TABLE kept_leaves (
    number INTEGER NOT NULL PRIMARY KEY,
    leaf   TEXT    NOT NULL
) STRICT;

-- The number of the last event that is older than the log; no row where there is none.
CREATE TABLE log_began (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO log_began SELECT 1, max(number) FROM events HAVING count(*) > 0;
INSERT INTO kept_leaves SELECT 0, '{"at":"' || strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z","event":"began","facts":{"events":'
    || count(*) || '},"v":1}' FROM events HAVING count(*) > 0;

-- The tree over the leaves, as far as it was built: nothing of it is lost with these two tables.
CREATE TABLE log_tiles (
    level        INTEGER NOT NULL,
    place        INTEGER NOT NULL,
    hashes       BLOB    NOT NULL,
    first_number INTEGER NOT NULL,  -- on level 0: of the event of its first leaf
    PRIMARY KEY (level, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX log_tiles_by_number ON log_tiles (first_number) WHERE level = 0;
CREATE TABLE log_state (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    size   INTEGER NOT NULL,
    number INTEGER NOT NULL  -- of the last leaf's event
) STRICT;

CREATE VIEW leaves AS
    SELECT number, handoff_id, leaf, salt FROM events WHERE number > coalesce((SELECT number FROM log_began), 0)
    UNION ALL SELECT number, '', leaf, '' FROM kept_leaves;
