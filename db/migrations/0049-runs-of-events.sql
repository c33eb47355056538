-- Which request a run came of, for its page and for that of the request.
ALTER TABLE executions ADD COLUMN event_id BINARY(16) NULL AFTER record_id,
  ADD KEY executions_event (account_id, event_id, id);
