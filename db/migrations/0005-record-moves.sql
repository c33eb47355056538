-- Where a record stood in the lists before a change put it first: lists by cursor show it there, so that it is neither
-- repeated nor skipped. Kept as long as a cursor is worth, an hour.
CREATE TABLE record_moves (
  account_id BINARY(16) NOT NULL,
  from_at BIGINT NOT NULL,
  record_id BINARY(16) NOT NULL,
  moved_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, from_at, record_id),
  KEY record_moves_age (moved_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
