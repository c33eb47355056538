-- An account's own jobs, for its dashboard.
ALTER TABLE jobs ADD KEY jobs_account (account_id, state, run_at);
