-- Periodic work runs as jobs, of class 2 and no account: a runner writes their rows when it starts, due at once.
DROP TABLE IF EXISTS periodic_runs;
