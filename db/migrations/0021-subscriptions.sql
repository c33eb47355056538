-- What connections have asked their providers to send webhooks for: a row for each connection and subscription of its
-- manifest. known: what there is to know of it, {"id","key","data"}, NULL: it is not there yet; former: the same of one
-- that it has replaced, which is still to be ended.
CREATE TABLE subscriptions (
  account_id BINARY(16) NOT NULL,
  connection_id BINARY(16) NOT NULL,
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  known MEDIUMTEXT NULL,
  former MEDIUMTEXT NULL,
  expires_at BIGINT NULL,
  checked_at BIGINT NULL,
  next_at BIGINT NOT NULL,
  failures INT NOT NULL DEFAULT 0,
  last_error VARCHAR(1000) NULL,
  PRIMARY KEY (account_id, connection_id, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
