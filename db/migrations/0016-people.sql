-- zone: the person's own, NULL the account's (a member of its settings). totp_step: the last code that was taken.
-- token_epoch: bearer tokens of an earlier one no longer hold.
ALTER TABLE users
  ADD COLUMN zone VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN totp_step BIGINT NULL,
  ADD COLUMN token_epoch BIGINT NOT NULL DEFAULT 0;

-- SHA-256 of codes that stand in for the second factor, each once: one that was taken is no longer here.
CREATE TABLE recovery_codes (
  user_id BINARY(16) NOT NULL,
  code_hash BINARY(32) NOT NULL,
  PRIMARY KEY (user_id, code_hash)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Links that an account makes: an invitation has an email and a role, a new password a user. handle names the link in
-- lists; its secret is only hashed, in id.
ALTER TABLE one_time_tokens
  ADD COLUMN handle BINARY(16) NULL,
  ADD COLUMN account_id BINARY(16) NULL,
  ADD COLUMN email VARCHAR(254) NULL,
  ADD COLUMN role VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN created_by BINARY(16) NULL,
  ADD KEY one_time_tokens_account (account_id, purpose);

-- Who, what and which object: the filters of the log's page.
ALTER TABLE audit_log
  ADD KEY audit_log_actor (account_id, actor_name, id),
  ADD KEY audit_log_action (account_id, action, id),
  ADD KEY audit_log_object (account_id, object_id, id);
