-- Ids that were erased, so that what was told of them before does not bring them back: a keyed hash of provider, type
-- and external id, which tells nobody whose it was.
CREATE TABLE erasures (
  account_id BINARY(16) NOT NULL,
  id_hash BINARY(16) NOT NULL,
  erased_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, id_hash),
  KEY erasures_last (account_id, erased_at),
  KEY erasures_age (erased_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
