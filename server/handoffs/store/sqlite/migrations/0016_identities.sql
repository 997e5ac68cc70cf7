-- The principals in whose name a person's agents ask over HTTP, as JSON in order: `oauth:SUB@ISSUER`.
ALTER TABLE people ADD COLUMN identities TEXT NOT NULL DEFAULT '[]';
