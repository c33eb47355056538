-- How many of the things that a webhook carried (items) were taken, and why the first of the others was not. NULL: of
-- events from before. Columns at the end, without a default that is a value: no partition is written anew.
ALTER TABLE events
  ADD COLUMN taken INT NULL,
  ADD COLUMN left_first INT NULL,
  ADD COLUMN left_reason VARCHAR(255) NULL;
