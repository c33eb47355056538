-- Mappings have versions, each of which is kept: a push reads the present one from its own row.
ALTER TABLE mappings ADD COLUMN version INT NOT NULL DEFAULT 1;
-- mapping is NULL where the destination's own names were gone back to.
CREATE TABLE mapping_versions (
  account_id BINARY(16) NOT NULL,
  connection_id BINARY(16) NOT NULL,
  version INT NOT NULL,
  mapping MEDIUMTEXT NULL,
  author VARCHAR(320) NULL,
  saved_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, connection_id, version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
-- The fields that a destination has told of itself, as they were last asked for.
CREATE TABLE mapping_fields (
  account_id BINARY(16) NOT NULL,
  connection_id BINARY(16) NOT NULL,
  fields MEDIUMTEXT NOT NULL,
  fetched_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, connection_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
