-- Of one question, one is open. Who asks it takes the next number of those there are; where `handoffs db prune` removes
-- those in the same moment, two could take different numbers.
CREATE UNIQUE INDEX handoffs_open_once ON handoffs (fingerprint) WHERE state = 'open';
