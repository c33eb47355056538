-- When each leaf of a record was last said, by the provider's clock (src/record/record-clock.h); NULL: all of it at
-- provider_updated_at, or never told.
ALTER TABLE records ADD COLUMN clocks MEDIUMTEXT NULL;

-- A time that lay in the future when it came counts as the time of receipt: records that such a one kept as they were
-- until then come loose.
UPDATE records SET provider_updated_at = updated_at WHERE provider_updated_at > updated_at + 600000000;
UPDATE record_changes SET provider_at = at WHERE provider_at > at + 600000000;
