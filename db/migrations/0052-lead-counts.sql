-- How many leads came, by the quarter of an hour, since days begin at one in any zone, and by their provider; slot: so that
-- those who count at the same time do not wait for each other.
CREATE TABLE lead_counts (
  account_id BINARY(16) NOT NULL,
  at BIGINT NOT NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  slot SMALLINT NOT NULL,
  leads INT NOT NULL,
  PRIMARY KEY (account_id, at, provider_type, slot),
  KEY lead_counts_old (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO lead_counts (account_id, at, provider_type, slot, leads)
  SELECT account_id, received_at - received_at % 900000000, provider_type, 0, COUNT(*) FROM leads
  WHERE received_at >= (UNIX_TIMESTAMP() - 40 * 86400) * 1000000
  GROUP BY account_id, received_at - received_at % 900000000, provider_type;
