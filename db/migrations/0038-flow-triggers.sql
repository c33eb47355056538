-- What starts a flow by itself: records of a provider and type that are stored, or are polled. resource_type '*': any.
CREATE TABLE flow_triggers (
  id BINARY(16) NOT NULL,
  account_id BINARY(16) NOT NULL,
  flow_id BINARY(16) NOT NULL,
  kind VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  trigger_name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  resource_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  connection_id BINARY(16) NULL,
  config TEXT NOT NULL,
  is_enabled TINYINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  fired_at BIGINT NULL,
  PRIMARY KEY (id),
  KEY flow_triggers_records (account_id, is_enabled, provider_type),
  KEY flow_triggers_flow (account_id, flow_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
