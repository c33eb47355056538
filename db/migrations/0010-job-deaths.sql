-- How many runners died under a job since it last ended a run: counted apart from its attempts, for it may be the job that
-- kills them.
ALTER TABLE jobs ADD COLUMN deaths INT NOT NULL DEFAULT 0;
