-- The first schema. Times are microseconds since 1970-01-01T00:00:00Z; ids are UUIDv7.
-- JSON is kept as text that the application has validated: the JSON type would parse it again on every write.

CREATE TABLE accounts (
  id BINARY(16) NOT NULL,
  name VARCHAR(200) NOT NULL,
  settings MEDIUMTEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE users (
  id BINARY(16) NOT NULL,
  email VARCHAR(254) NOT NULL,
  name VARCHAR(200) NOT NULL,
  password_hash VARCHAR(255) NOT NULL,
  totp_secret VARBINARY(255) NULL,
  created_at BIGINT NOT NULL,
  disabled_at BIGINT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY users_email (email)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE memberships (
  account_id BINARY(16) NOT NULL,
  user_id BINARY(16) NOT NULL,
  role VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, user_id),
  KEY memberships_user (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- id is the SHA-256 of the cookie's token: a copy of this table signs nobody in.
CREATE TABLE sessions (
  id BINARY(32) NOT NULL,
  account_id BINARY(16) NOT NULL,
  user_id BINARY(16) NOT NULL,
  csrf VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  remote_addr VARCHAR(64) NOT NULL,
  user_agent VARCHAR(255) NOT NULL,
  created_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (id),
  KEY sessions_user (user_id),
  KEY sessions_expiry (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE api_keys (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  name VARCHAR(200) NOT NULL,
  key_hash BINARY(32) NOT NULL,
  prefix VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  permissions TEXT NOT NULL,
  created_by BINARY(16) NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NULL,
  last_used_at BIGINT NULL,
  revoked_at BIGINT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY api_keys_hash (key_hash),
  KEY api_keys_account (account_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE audit_log (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  at BIGINT NOT NULL,
  actor_kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  actor_id BINARY(16) NULL,
  actor_name VARCHAR(254) NOT NULL,
  action VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  object_kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  object_id BINARY(16) NULL,
  remote_addr VARCHAR(64) NOT NULL,
  request_id VARCHAR(64) NOT NULL,
  details MEDIUMTEXT NULL,
  PRIMARY KEY (id),
  KEY audit_log_account (account_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One-time secrets for people: the first admin's set-up link.
CREATE TABLE one_time_tokens (
  id BINARY(32) NOT NULL,
  purpose VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_id BINARY(16) NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE idempotency_keys (
  account_id BINARY(16) NOT NULL,
  key_hash BINARY(32) NOT NULL,
  request_hash BINARY(32) NOT NULL,
  status INT NULL,
  content_type VARCHAR(100) NULL,
  headers TEXT NULL,
  body MEDIUMBLOB NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, key_hash),
  KEY idempotency_keys_age (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- credentials: JSON sealed with AES-256-GCM, bound to this row's id.
CREATE TABLE connections (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(200) NOT NULL,
  status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  external_account_id VARCHAR(255) NOT NULL,
  credentials BLOB NOT NULL,
  settings MEDIUMTEXT NOT NULL,
  last_error VARCHAR(1000) NULL,
  last_used_at BIGINT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (id),
  KEY connections_account (account_id, provider_type, id),
  KEY connections_external (provider_type, external_account_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Raw requests. Ids begin with their millisecond, so a range of ids is a range of time: the daily
-- partitions are made and dropped by the scheduler, and a look-up by id touches one of them.
CREATE TABLE events (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  connection_id BINARY(16) NOT NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(255) NULL,
  event_type VARCHAR(100) NULL,
  items INT NOT NULL,
  received_at BIGINT NOT NULL,
  latency_us INT NOT NULL,
  remote_addr VARCHAR(64) NOT NULL,
  request_id VARCHAR(64) NOT NULL,
  url VARCHAR(2000) NOT NULL,
  headers MEDIUMTEXT NOT NULL,
  body MEDIUMBLOB NOT NULL,
  PRIMARY KEY (id),
  KEY events_account (account_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
PARTITION BY RANGE COLUMNS (id) (PARTITION p_rest VALUES LESS THAN (MAXVALUE));

-- What makes a delivery a repeat: the provider's event id, hashed, within its connection.
CREATE TABLE event_keys (
  account_id BINARY(16) NOT NULL,
  connection_id BINARY(16) NOT NULL,
  key_hash BINARY(16) NOT NULL,
  event_id BINARY(16) NOT NULL,
  PRIMARY KEY (account_id, connection_id, key_hash),
  KEY event_keys_age (event_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE records (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  resource_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  external_id VARCHAR(255) NOT NULL,
  source VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  data MEDIUMTEXT NOT NULL,
  first_seen_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  provider_updated_at BIGINT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY records_external (account_id, provider_type, resource_type, external_id),
  KEY records_recent (account_id, updated_at, id),
  KEY records_type_recent (account_id, resource_type, updated_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Every change of a record: [{path,before,after}]; a creation is the empty list, since walking back from the present
-- through the changes gives what it was created with. provider_at is the provider's own time of the payload: with it a
-- late payload finds the place in time where it belongs.
CREATE TABLE record_changes (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  record_id BINARY(16) NOT NULL,
  at BIGINT NOT NULL,
  provider_at BIGINT NULL,
  source VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  event_id BINARY(16) NULL,
  changes MEDIUMTEXT NOT NULL,
  PRIMARY KEY (id),
  KEY record_changes_record (account_id, record_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Records by day of first sight, kept in the writing transaction. slot spreads the row that many writers add to.
CREATE TABLE record_counts (
  account_id BINARY(16) NOT NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  resource_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  day INT NOT NULL,
  slot SMALLINT NOT NULL,
  records BIGINT NOT NULL,
  PRIMARY KEY (account_id, provider_type, resource_type, day, slot)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE leads (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  connection_id BINARY(16) NULL,
  record_id BINARY(16) NULL,
  event_id BINARY(16) NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  provider_lead_id VARCHAR(255) NOT NULL,
  form_id VARCHAR(255) NULL,
  ad_id VARCHAR(255) NULL,
  campaign_id VARCHAR(255) NULL,
  stage VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sync_status VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  stage_error VARCHAR(1000) NULL,
  email VARCHAR(254) NULL,
  phone_number VARCHAR(64) NULL,
  full_name VARCHAR(255) NULL,
  lead MEDIUMTEXT NOT NULL,
  received_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY leads_provider (account_id, provider_type, provider_lead_id),
  KEY leads_recent (account_id, received_at, id),
  KEY leads_sync (account_id, sync_status, received_at, id),
  KEY leads_email (account_id, email)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The ledger: one row a lead and a destination. Its id is the Idempotency-Key of every attempt.
CREATE TABLE lead_deliveries (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  lead_id BINARY(16) NOT NULL,
  connection_id BINARY(16) NOT NULL,
  status VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  attempts INT NOT NULL,
  rounds INT NOT NULL,
  next_at BIGINT NULL,
  last_error VARCHAR(1000) NULL,
  last_status INT NULL,
  external_id VARCHAR(255) NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  pushed_at BIGINT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY lead_deliveries_lead (account_id, lead_id, connection_id),
  KEY lead_deliveries_status (account_id, status, id),
  KEY lead_deliveries_connection (account_id, connection_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE lead_delivery_attempts (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  delivery_id BINARY(16) NOT NULL,
  attempt INT NOT NULL,
  at BIGINT NOT NULL,
  duration_us BIGINT NOT NULL,
  status INT NULL,
  error VARCHAR(1000) NULL,
  answer VARCHAR(2000) NULL,
  PRIMARY KEY (id),
  KEY lead_delivery_attempts_delivery (account_id, delivery_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE mappings (
  account_id BINARY(16) NOT NULL,
  connection_id BINARY(16) NOT NULL,
  mapping MEDIUMTEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, connection_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The outbox. run_at is when a job may be claimed; a claim moves it to the end of the lease, so a dead
-- runner's jobs come up by themselves. A finished job is no row; a dead one has state 'dead'.
CREATE TABLE jobs (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject_id BINARY(16) NULL,
  state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  run_at BIGINT NOT NULL,
  attempts INT NOT NULL,
  lease_id BINARY(16) NULL,
  args MEDIUMTEXT NULL,
  last_error VARCHAR(1000) NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (id),
  KEY jobs_due (state, run_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Periodic work: who runs it next is decided here, over all hosts.
CREATE TABLE periodic_runs (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  next_at BIGINT NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
