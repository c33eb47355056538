-- What was sent stands beside what was answered.
ALTER TABLE lead_delivery_attempts ADD COLUMN request VARCHAR(2048) NULL;

-- The deliveries of a task that pushes many: those that are not over, and those that failed.
CREATE TABLE push_items (
  account_id BINARY(16) NOT NULL,
  task_id BINARY(16) NOT NULL,
  is_over BOOLEAN NOT NULL,
  delivery_id BINARY(16) NOT NULL,
  PRIMARY KEY (account_id, task_id, is_over, delivery_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Leads of a source, or to a destination, are pushed by themselves.
ALTER TABLE connections ADD COLUMN auto_push BOOLEAN NOT NULL DEFAULT TRUE;
