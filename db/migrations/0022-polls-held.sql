-- Until then a connection's provider has asked not to be called: of all of its polls alike.
ALTER TABLE polls ADD COLUMN held_until BIGINT NOT NULL DEFAULT 0;
