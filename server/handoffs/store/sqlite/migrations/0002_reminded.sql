-- JSON: the stages at which somebody took it on to tell a person, in that order.
ALTER TABLE handoffs ADD COLUMN reminded TEXT NOT NULL DEFAULT '[]';
