-- ended_at: the provider has said that it has ended what the connection calls with; NULL: it has not. Until somebody
-- connects it anew nothing else makes it active. challenge_failed_at, challenge_error: the last check of its address, by
-- its sender, that it did not pass, and why.
ALTER TABLE connections ADD COLUMN ended_at BIGINT NULL, ADD COLUMN challenge_failed_at BIGINT NULL,
  ADD COLUMN challenge_error VARCHAR(255) NULL;
