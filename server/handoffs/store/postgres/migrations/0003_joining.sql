-- What a person said instead of picking an option.
ALTER TABLE handoffs ADD COLUMN other text NOT NULL DEFAULT '';
-- How many calls of the agent wait for it at once.
ALTER TABLE handoffs ADD COLUMN calls integer NOT NULL DEFAULT 1;
-- The tool use to which the outcome was handed, and the one that asked, by the host's ids.
ALTER TABLE handoffs ADD COLUMN handed_to text NOT NULL DEFAULT '';
-- Outside of which no identical call may join it; empty: every one of the caller may.
ALTER TABLE handoffs ADD COLUMN session text NOT NULL DEFAULT '';
ALTER TABLE handoffs ADD COLUMN tool_use text NOT NULL DEFAULT '';
-- The same question, decided a short while before this one was asked.
ALTER TABLE handoffs ADD COLUMN earlier text NOT NULL DEFAULT '';
-- Of one question, one is open in each session that is kept apart.
DROP INDEX handoffs_open_once;
CREATE UNIQUE INDEX handoffs_open_once ON handoffs (fingerprint, session) WHERE state = 'open';
