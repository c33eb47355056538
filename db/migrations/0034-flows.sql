-- Flows: a trigger and steps. `steps` and `settings` are the draft; `version` is the published one, 0: none yet;
-- `versions` the number of the latest.
CREATE TABLE flows (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  name VARCHAR(200) NOT NULL,
  description VARCHAR(1000) NULL,
  status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version INT NOT NULL DEFAULT 0,
  versions INT NOT NULL DEFAULT 0,
  has_draft TINYINT NOT NULL DEFAULT 1,
  steps MEDIUMTEXT NOT NULL,
  settings TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  published_at BIGINT NULL,
  PRIMARY KEY (id),
  KEY flows_account (account_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What was published, never changed: a run keeps the version that it began with. source_version: reverted to.
CREATE TABLE flow_versions (
  account_id BINARY(16) NOT NULL,
  flow_id BINARY(16) NOT NULL,
  version INT NOT NULL,
  name VARCHAR(200) NOT NULL,
  steps MEDIUMTEXT NOT NULL,
  settings TEXT NOT NULL,
  source_version INT NULL,
  published_by BINARY(16) NULL,
  published_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, flow_id, version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Runs. version 0: of the draft, whose steps and settings stand in `plan`. wait_until: of a run that waits. output: what
-- a run gave whose parent waits for it. order_key: a digest; runs of one key go one after the other.
CREATE TABLE executions (
  account_id BINARY(16) NOT NULL,
  id BINARY(16) NOT NULL,
  flow_id BINARY(16) NOT NULL,
  version INT NOT NULL,
  status VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  trigger_kind VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  trigger_id BINARY(16) NULL,
  record_id BINARY(16) NULL,
  parent_id BINARY(16) NULL,
  replay_of BINARY(16) NULL,
  depth TINYINT NOT NULL DEFAULT 0,
  is_cancelling TINYINT NOT NULL DEFAULT 0,
  order_key BINARY(16) NULL,
  payload MEDIUMTEXT NULL,
  plan MEDIUMTEXT NULL,
  output MEDIUMTEXT NULL,
  error VARCHAR(1000) NULL,
  error_step VARCHAR(64) NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT NULL,
  wait_until BIGINT NULL,
  finished_at BIGINT NULL,
  PRIMARY KEY (account_id, id),
  KEY executions_flow (account_id, flow_id, id),
  KEY executions_status (account_id, status, id),
  KEY executions_record (account_id, record_id, id),
  KEY executions_order (account_id, order_key, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What each step of a run was given and gave, for people: cut where long, secrets masked. seq: the order in which they
-- began. id: the Idempotency-Key of what it does outside. place: within loops, the turns: "3[0].1".
CREATE TABLE execution_steps (
  account_id BINARY(16) NOT NULL,
  execution_id BINARY(16) NOT NULL,
  seq INT NOT NULL,
  id BINARY(16) NOT NULL,
  step VARCHAR(64) NOT NULL,
  place VARCHAR(100) NOT NULL,
  name VARCHAR(200) NULL,
  kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  attempts INT NOT NULL,
  input MEDIUMTEXT NULL,
  output MEDIUMTEXT NULL,
  error VARCHAR(1000) NULL,
  started_at BIGINT NOT NULL,
  duration_us BIGINT NULL,
  PRIMARY KEY (account_id, execution_id, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Where a run stands that has not ended, or that failed: what it goes on from.
CREATE TABLE execution_states (
  account_id BINARY(16) NOT NULL,
  execution_id BINARY(16) NOT NULL,
  state MEDIUMTEXT NOT NULL,
  PRIMARY KEY (account_id, execution_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- How runs ended, by day; kept when the runs themselves have gone. Slots spread the writers.
CREATE TABLE flow_counts (
  account_id BINARY(16) NOT NULL,
  flow_id BINARY(16) NOT NULL,
  day INT NOT NULL,
  slot TINYINT NOT NULL,
  completed BIGINT NOT NULL DEFAULT 0,
  failed BIGINT NOT NULL DEFAULT 0,
  filtered BIGINT NOT NULL DEFAULT 0,
  cancelled BIGINT NOT NULL DEFAULT 0,
  duration_us BIGINT NOT NULL DEFAULT 0,
  last_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, flow_id, day, slot)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
