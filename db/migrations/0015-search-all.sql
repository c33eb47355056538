-- All of a record is searched now, however long it is, and numbers, dates, phones and emails wherever they stand in a
-- text: the words of every record are made anew, behind the answers. Until then searches look at the records themselves.
-- Who waits is asked by account, so that one with many holds up no other.
DROP TABLE IF EXISTS record_search_queue;
CREATE TABLE record_search_queue (
  account_id BINARY(16) NOT NULL,
  record_id BINARY(16) NOT NULL,
  PRIMARY KEY (account_id, record_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT IGNORE INTO record_search_queue (record_id, account_id) SELECT id, account_id FROM records;
