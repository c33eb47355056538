-- Polls: where each stands with its provider, and what it has brought; a row for each connection and poll of its
-- manifest. known: the cursor between rounds; place: where the round under way stands, NULL: none is. turn: how often it
-- was stored, so that two runs cannot both go on. wanted: how often somebody asked for it besides its clock; served:
-- of these, before the round began. covered_at: all up to then is here. held_until: the provider has
-- asked not to be called before, by any poll of the connection.
CREATE TABLE polls (
  account_id BINARY(16) NOT NULL,
  connection_id BINARY(16) NOT NULL,
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  is_paused TINYINT NOT NULL DEFAULT 0,
  interval_s INT NULL,
  page_size INT NULL,
  known MEDIUMTEXT NULL,
  place MEDIUMTEXT NULL,
  turn BIGINT NOT NULL DEFAULT 0,
  wanted BIGINT NOT NULL DEFAULT 0,
  served BIGINT NOT NULL DEFAULT 0,
  since_at BIGINT NOT NULL,
  next_at BIGINT NOT NULL,
  held_until BIGINT NOT NULL DEFAULT 0,
  started_at BIGINT NULL,
  ended_at BIGINT NULL,
  covered_at BIGINT NULL,
  failures INT NOT NULL DEFAULT 0,
  last_error VARCHAR(1000) NULL,
  note VARCHAR(255) NULL,
  seen BIGINT NOT NULL DEFAULT 0,
  created BIGINT NOT NULL DEFAULT 0,
  changed BIGINT NOT NULL DEFAULT 0,
  round_seen BIGINT NOT NULL DEFAULT 0,
  round_created BIGINT NOT NULL DEFAULT 0,
  round_changed BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, connection_id, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
