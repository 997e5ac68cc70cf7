-- The public key that signs each post of a person's session; empty where its browser has brought none.
ALTER TABLE inbox_sessions ADD COLUMN page_key text COLLATE "C" NOT NULL DEFAULT '';
