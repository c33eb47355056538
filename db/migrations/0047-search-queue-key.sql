-- A row is found by its record alone, so that taking some rows locks no others: with the account in front the server may
-- read all rows of the account to find some of them, and then waits for those that others are just writing.
ALTER TABLE record_search_queue DROP PRIMARY KEY, ADD PRIMARY KEY (record_id),
  ADD KEY record_search_queue_account (account_id, record_id);
