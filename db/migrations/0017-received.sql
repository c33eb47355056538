-- When a source was last heard of: a request that verified, and a handshake. Noted once a minute at most.
ALTER TABLE connections ADD COLUMN received_at BIGINT NULL, ADD COLUMN handshake_at BIGINT NULL;
