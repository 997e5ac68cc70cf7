-- The digest of the action; empty where there is none, and in rows of an earlier layout.
ALTER TABLE handoffs ADD COLUMN action_digest TEXT NOT NULL DEFAULT '';

-- What became of the same call before.
CREATE INDEX handoffs_by_action ON handoffs (action_digest, subject, created_at) WHERE action_digest <> '';
