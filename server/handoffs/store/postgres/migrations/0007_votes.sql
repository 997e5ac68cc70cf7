-- The columns of votes take this place.
SELECT 1;
