-- Blanks, dashes, digits and invisible marks of every script are searched as ASCII: the words of
-- records that have other characters are made anew.
INSERT IGNORE INTO record_search_queue (record_id, account_id)
  SELECT id, account_id FROM records
  WHERE LENGTH(data) <> CHAR_LENGTH(data) OR LENGTH(external_id) <> CHAR_LENGTH(external_id);
