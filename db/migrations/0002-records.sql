-- Search, catalogue, views, imports and retention of the records.

-- What is searched: the folded words of a record, each behind four characters that stand for its account, in ASCII. So a
-- word's list in the full-text index holds one account's records only, no word is a stop word or too short, and the
-- server's full-text settings do not matter. Words of filters (_p_hubspot, _t_contact, _s_import) are among them.
CREATE TABLE record_search (
  record_id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  words MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (record_id),
  FULLTEXT KEY record_search_words (words)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Which paths the payloads of a resource type have: counted over seen records, types as a list of names.
CREATE TABLE record_fields (
  account_id BINARY(16) NOT NULL,
  resource_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  path_hash BINARY(16) NOT NULL,
  path VARCHAR(512) NOT NULL,
  types VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  seen BIGINT NOT NULL,
  examples TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, resource_type, path_hash)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- How far the catalogue has read the history, and how many records of each type it has seen.
CREATE TABLE record_field_totals (
  account_id BINARY(16) NOT NULL,
  resource_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  seen BIGINT NOT NULL,
  PRIMARY KEY (account_id, resource_type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE record_field_progress (
  name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  last_change_id BINARY(16) NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE views (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  name VARCHAR(200) NOT NULL,
  slug VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  definition MEDIUMTEXT NOT NULL,
  created_by BINARY(16) NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY views_slug (account_id, slug),
  UNIQUE KEY views_name (account_id, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE imports (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  resource_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  file_name VARCHAR(255) NOT NULL,
  path VARCHAR(1000) NOT NULL,
  options MEDIUMTEXT NOT NULL,
  received BIGINT NOT NULL,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  unchanged BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  line BIGINT NOT NULL,
  bytes_done BIGINT NOT NULL,
  bytes_total BIGINT NOT NULL,
  error VARCHAR(1000) NULL,
  created_by BINARY(16) NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT NULL,
  finished_at BIGINT NULL,
  PRIMARY KEY (id),
  KEY imports_account (account_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- row_text is the row as it stood in the file, cut to a bound.
CREATE TABLE import_errors (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  import_id BINARY(16) NOT NULL,
  line BIGINT NOT NULL,
  reason VARCHAR(500) NOT NULL,
  row_text MEDIUMTEXT NOT NULL,
  PRIMARY KEY (id),
  KEY import_errors_import (account_id, import_id, line, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Records of a type not touched for so many days are deleted; no row: kept.
CREATE TABLE record_retention (
  account_id BINARY(16) NOT NULL,
  resource_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  days INT NOT NULL,
  PRIMARY KEY (account_id, resource_type)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
