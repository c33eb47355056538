-- How a lead came, and when it passed each stage. source: webhook, poll, import or manual. fetched_at: its details, NULL
-- where they came with it. ready_at: normalized and stored. delivered_at: when a destination took it first.
ALTER TABLE leads
  ADD COLUMN source VARCHAR(9) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN fetched_at BIGINT NULL,
  ADD COLUMN ready_at BIGINT NULL,
  ADD COLUMN delivered_at BIGINT NULL;
UPDATE leads SET source = CASE WHEN event_id IS NOT NULL THEN 'webhook' WHEN connection_id IS NULL THEN 'manual' ELSE 'poll' END
  WHERE source IS NULL;
