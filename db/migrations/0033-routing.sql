-- Which leads a destination takes, and when (crm/crm-route.h); NULL: all, at once.
ALTER TABLE connections ADD COLUMN routing MEDIUMTEXT NULL;
-- Why a lead went there, waits or was skipped. route: 'wait' for its time, 'skip', or 'next' in turn where the one
-- before does not take it.
ALTER TABLE lead_deliveries ADD COLUMN reason VARCHAR(500) NULL, ADD COLUMN route VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NULL;
-- What is counted of a destination: leads of the day that is being filled (days since 1970 of the account's zone),
-- and whose turn it is in its group.
CREATE TABLE route_counts (
  account_id BINARY(16) NOT NULL,
  connection_id BINARY(16) NOT NULL,
  day INT NOT NULL,
  taken INT NOT NULL,
  credit BIGINT NOT NULL,
  PRIMARY KEY (account_id, connection_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
