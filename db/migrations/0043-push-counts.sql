-- What came of pushes by the quarter of an hour, since days begin at one in any zone; slot: so that those who count at
-- the same time do not wait for each other. retried: attempts that failed and that others follow.
CREATE TABLE push_counts (
  account_id BINARY(16) NOT NULL,
  at BIGINT NOT NULL,
  connection_id BINARY(16) NOT NULL,
  slot SMALLINT NOT NULL,
  delivered INT NOT NULL,
  retried INT NOT NULL,
  failed INT NOT NULL,
  PRIMARY KEY (account_id, at, connection_id, slot),
  KEY push_counts_old (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What of a destination's leads is delivered, waits and failed is told from this key alone.
ALTER TABLE lead_deliveries ADD KEY lead_deliveries_state (account_id, connection_id, status, updated_at, route, next_at);
