-- Long work of every kind, one row each: what imports was, where deletions and replays stood with other meanings of its
-- columns. args is what was asked, position where its job goes on, both JSON of the kind; total 0: not known.
CREATE TABLE tasks (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  title VARCHAR(255) NOT NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  resource_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  args MEDIUMTEXT NOT NULL,
  position TEXT NULL,
  done BIGINT NOT NULL,
  total BIGINT NOT NULL,
  received BIGINT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  unchanged BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  error VARCHAR(1000) NULL,
  created_by BINARY(16) NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT NULL,
  finished_at BIGINT NULL,
  PRIMARY KEY (id),
  KEY tasks_account (account_id, id),
  KEY tasks_status (account_id, status, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- An import's done are bytes and its position is a line; what the others had done were the records received.
INSERT INTO tasks (id, account_id, kind, status, title, provider_type, resource_type, args, position, done, total,
  received, created, updated, unchanged, failed, error, created_by, created_at, started_at, finished_at)
SELECT id, account_id, IF(kind = 'records', 'import', kind), status, file_name, provider_type, resource_type, options,
  IF(kind = 'records' AND bytes_done > 0, CONCAT('{"line":', line, '}'), NULL),
  IF(kind = 'records', bytes_done, received), bytes_total,
  received, created, updated, unchanged, failed, error, created_by, created_at, started_at, finished_at
FROM imports;

-- Deletions and replays kept their position among the arguments of their job.
UPDATE tasks t JOIN jobs j ON j.subject_id = t.id AND j.kind IN ('record.delete', 'record.replay')
  SET t.position = JSON_EXTRACT(j.args, '$.position')
  WHERE t.status IN ('queued', 'running') AND JSON_EXTRACT(j.args, '$.position') IS NOT NULL;

UPDATE jobs SET args = NULL WHERE kind IN ('record.delete', 'record.replay');

ALTER TABLE import_errors RENAME COLUMN import_id TO task_id;

DROP TABLE imports;
