-- The files of an answer: in the handoff what is known of each, here their bytes, which no list of handoffs reads.
ALTER TABLE handoffs ADD COLUMN attachments text NOT NULL DEFAULT '[]';
-- Whether who asks receives them.
ALTER TABLE handoffs ADD COLUMN files bigint NOT NULL DEFAULT 0;
CREATE TABLE attachments (
    handoff_id text   NOT NULL,
    number     bigint NOT NULL,  -- from 1 on, in the order of the answer
    data       bytea  NOT NULL,
    PRIMARY KEY (handoff_id, number)
);
-- Images are compressed as they are.
ALTER TABLE attachments ALTER COLUMN data SET STORAGE EXTERNAL;
