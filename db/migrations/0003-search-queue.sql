-- Records whose words are not in the full-text index yet. Webhooks leave that to connect-cron: the index costs more than
-- all their other rows together. Searches look at the waiting ones themselves.
CREATE TABLE record_search_queue (
  record_id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  PRIMARY KEY (record_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
