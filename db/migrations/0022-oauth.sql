-- Apps at providers: who we are to them. account_id NULL: the installation's own, for all of its accounts.
CREATE TABLE provider_apps (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(200) NOT NULL,
  credentials BLOB NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (id),
  KEY provider_apps_account (account_id, provider_type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What a consent gave: tokens that one or several connections call with. One process refreshes them at a
-- time (lease_id, lease_until); asked_at stands while a refresh token is on its way whose answer is not
-- stored. due_at NULL: nothing is to be done ahead of time.
CREATE TABLE oauth_grants (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  app_id BINARY(16) NULL,
  kind VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  tokens MEDIUMBLOB NOT NULL,
  answer MEDIUMBLOB NULL,
  settings MEDIUMTEXT NOT NULL,
  scope TEXT NULL,
  expires_at BIGINT NULL,
  user_expires_at BIGINT NULL,
  ends_at BIGINT NULL,
  due_at BIGINT NULL,
  lease_id BINARY(16) NULL,
  lease_until BIGINT NULL,
  asked_at BIGINT NULL,
  retry_at BIGINT NULL,
  failures INT NOT NULL DEFAULT 0,
  last_error VARCHAR(1000) NULL,
  user_error VARCHAR(1000) NULL,
  dead_at BIGINT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (id),
  KEY oauth_grants_account (account_id, provider_type),
  KEY oauth_grants_due (due_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Logins that are under way, each bound to one browser; and what a consent brought that is still to be
-- chosen from (grant_id).
CREATE TABLE oauth_logins (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  user_id BINARY(16) NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  app_id BINARY(16) NOT NULL,
  connection_id BINARY(16) NULL,
  grant_id BINARY(16) NULL,
  browser BINARY(32) NOT NULL,
  payload MEDIUMBLOB NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (id),
  KEY oauth_logins_end (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- proven_at: the provider itself said that external_account_id is its own.
ALTER TABLE connections ADD COLUMN app_id BINARY(16) NULL, ADD COLUMN grant_id BINARY(16) NULL,
  ADD COLUMN proven_at BIGINT NULL, ADD COLUMN probed_at BIGINT NULL,
  ADD KEY connections_app (app_id), ADD KEY connections_grant (grant_id),
  ADD KEY connections_proven (provider_type, external_account_id, proven_at);
