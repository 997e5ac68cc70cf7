-- Whose decision it is, and what they have said so far; empty where no rule says so, and in rows of an earlier layout.
ALTER TABLE handoffs ADD COLUMN deciders text NOT NULL DEFAULT '';
ALTER TABLE handoffs ADD COLUMN votes text NOT NULL DEFAULT '[]';
