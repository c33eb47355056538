-- Which classes of a target's jobs a person has paused, a bit each: an account's imports can be paused while its leads go
-- on, a connection's lanes are paused together.
ALTER TABLE job_breakers CHANGE COLUMN is_paused paused TINYINT NOT NULL;
UPDATE job_breakers SET paused = 3 WHERE paused <> 0;

-- What runners tell of their lanes, for people: how many jobs of a lane each may run at a time. Written now and then, apart
-- from the jobs; at is when, and what is a minute old counts no more.
CREATE TABLE job_windows (
  account_id BINARY(16) NOT NULL,
  class TINYINT NOT NULL,
  target_id BINARY(16) NOT NULL,
  runner_id BINARY(16) NOT NULL,
  slots INT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (account_id, class, target_id, runner_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
