-- Is last_error of a push? It stands until another push passes: that something else works, such as a test, does not say
-- that leads are taken.
ALTER TABLE connections ADD COLUMN push_failed BOOLEAN NOT NULL DEFAULT FALSE;
