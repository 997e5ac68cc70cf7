-- JSON: what runs if it is allowed; empty where nothing but an answer is wanted.
ALTER TABLE handoffs ADD COLUMN action text NOT NULL DEFAULT '';
