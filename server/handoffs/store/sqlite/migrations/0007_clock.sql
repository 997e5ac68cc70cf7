-- Of this start of the machine: what the clock on the wall differs by from the time since it, in microseconds; and
-- another offset that was found, and when.
CREATE TABLE clock (
    boot        TEXT    NOT NULL,
    kept        INTEGER NOT NULL,
    rival       INTEGER,
    rival_since INTEGER
) STRICT;
