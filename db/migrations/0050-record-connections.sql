-- The connection that a record last came by, so that two of one provider are told apart in lists of records as well. Of what
-- was stored before nobody knows; a record has one from its next change on.
ALTER TABLE records ADD COLUMN connection_id BINARY(16) NULL;
