-- Lanes: whose share of the runner a job has. class is 0 live, 1 bulk, 2 periodic; target_id is the connection (later:
-- subscription, flow) that the job works for, or zeros. One index finds the earliest due job of each lane by one look-up
-- a lane, and the due jobs of a lane in their order, whatever waits in others. A dead runner's jobs are found by its lease.
-- tries counts what a job has tried of its own accord, its waits between being rows with a time; attempts counts claims.
ALTER TABLE jobs
  ADD COLUMN class TINYINT NOT NULL DEFAULT 0,
  ADD COLUMN target_id BINARY(16) NOT NULL DEFAULT '',
  ADD COLUMN tries INT NOT NULL DEFAULT 0,
  DROP KEY jobs_due,
  DROP KEY jobs_account,
  ADD KEY jobs_lane (account_id, class, target_id, state, run_at),
  ADD KEY jobs_lease (lease_id);
UPDATE jobs SET class = 1 WHERE kind IN ('crm.push_all', 'record.delete', 'record.replay', 'record.import');

-- The lanes that have, or had within a day, a job: by them the runner finds the earliest due job of each lane with one step
-- in the index of the jobs. seen_at is renewed each hour while jobs are written.
CREATE TABLE job_lanes (
  account_id BINARY(16) NOT NULL,
  class TINYINT NOT NULL,
  target_id BINARY(16) NOT NULL,
  seen_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, class, target_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO job_lanes (account_id, class, target_id, seen_at)
  SELECT DISTINCT account_id, class, target_id, UNIX_TIMESTAMP() * 1000000 FROM jobs;

-- Circuit breakers, for all hosts: a target that looks dead, or that a person has paused. No row: it is well.
CREATE TABLE job_breakers (
  account_id BINARY(16) NOT NULL,
  target_id BINARY(16) NOT NULL,
  opened_at BIGINT NULL,
  probe_at BIGINT NULL,
  probes INT NOT NULL,
  is_paused TINYINT NOT NULL,
  last_error VARCHAR(1000) NULL,
  last_error_at BIGINT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, target_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
