-- Tables of a customer's own. shape: the columns as JSON, each with the number under which rows keep its values, so that
-- a new name moves nothing; pending: a shape that is being tried on rows that are there, NULL: none.
CREATE TABLE user_tables (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  slug VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(200) NOT NULL,
  shape MEDIUMTEXT NOT NULL,
  pending MEDIUMTEXT NULL,
  created_by BINARY(16) NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY user_tables_slug (account_id, slug)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A table's rows lie together, in the order in which they were made.
CREATE TABLE table_rows (
  account_id BINARY(16) NOT NULL,
  table_id BINARY(16) NOT NULL,
  id BINARY(16) NOT NULL,
  external_key VARBINARY(255) NULL,
  data MEDIUMTEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (table_id, id),
  UNIQUE KEY table_rows_key (account_id, table_id, external_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The index of marked columns: one cell for each row and index, whose sort_key has the order of the values.
CREATE TABLE table_cells (
  account_id BINARY(16) NOT NULL,
  table_id BINARY(16) NOT NULL,
  index_no INT NOT NULL,
  sort_key VARBINARY(64) NOT NULL,
  row_id BINARY(16) NOT NULL,
  PRIMARY KEY (table_id, index_no, sort_key, row_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- How many rows a table has: the sum of its slots, so that writers need not wait for each other.
CREATE TABLE table_counts (
  account_id BINARY(16) NOT NULL,
  table_id BINARY(16) NOT NULL,
  slot TINYINT NOT NULL,
  filled BIGINT NOT NULL,
  PRIMARY KEY (table_id, slot)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
