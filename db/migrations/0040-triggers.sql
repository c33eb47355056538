-- When a schedule is due next, how often a trigger has started a run, and what was wrong when it last could not.
ALTER TABLE flow_triggers
  ADD COLUMN next_at BIGINT NULL,
  ADD COLUMN fired BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN last_error VARCHAR(500) NULL,
  ADD COLUMN error_at BIGINT NULL;
