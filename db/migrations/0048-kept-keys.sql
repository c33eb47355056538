-- Keys of the product's own that outlive the key file's: what is hashed with one is kept for years. id: of its purpose.
CREATE TABLE kept_keys (
  id BINARY(16) NOT NULL,
  sealed VARBINARY(255) NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
