-- The files of an answer: in the handoff what is known of each, here their bytes, which no list of handoffs reads.
ALTER TABLE handoffs ADD COLUMN attachments TEXT NOT NULL DEFAULT '[]';
-- Whether who asks receives them.
ALTER TABLE handoffs ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
CREATE TABLE attachments (
    handoff_id TEXT    NOT NULL,
    number     INTEGER NOT NULL,  -- from 1 on, in the order of the answer
    data       BLOB    NOT NULL,
    PRIMARY KEY (handoff_id, number)
) STRICT;
