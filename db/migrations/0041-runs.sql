-- replayed_by: the last run that repeats this one.
ALTER TABLE executions ADD COLUMN replayed_by BINARY(16) NULL;

-- Runs of flows that let but so many run at a time: those that do, and those that wait for it, oldest first.
CREATE TABLE execution_turns (
  account_id BINARY(16) NOT NULL,
  flow_id BINARY(16) NOT NULL,
  has_turn TINYINT NOT NULL,
  execution_id BINARY(16) NOT NULL,
  PRIMARY KEY (account_id, flow_id, execution_id),
  KEY execution_turns_next (account_id, flow_id, has_turn, execution_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
