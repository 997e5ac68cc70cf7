-- JSON: the secrets of the answer by field name, sealed. In the answer itself each has its name in its place.
ALTER TABLE handoffs ADD COLUMN sealed TEXT NOT NULL DEFAULT '{}';
