-- Polls that bring leads are compared with what their provider has, once a day. reconcile_at: the next time; NULL: it was
-- not planned yet. reconciled_at: the last one ended, with so many seen in it, of which so many had been missed;
-- missed_in_all: since there is this row.
ALTER TABLE polls
  ADD COLUMN reconcile_at BIGINT NULL,
  ADD COLUMN reconciled_at BIGINT NULL,
  ADD COLUMN reconciled_seen BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN reconciled_missed BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN missed_in_all BIGINT NOT NULL DEFAULT 0;
