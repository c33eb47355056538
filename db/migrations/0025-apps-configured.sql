-- is_configured: the app stands in the file that the configuration names, and is changed there.
ALTER TABLE provider_apps ADD COLUMN is_configured TINYINT NOT NULL DEFAULT 0;
