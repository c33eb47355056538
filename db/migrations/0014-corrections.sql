-- Of an answer its first 2,048 bytes are kept; and what the mapping asked for and the lead did not have.
ALTER TABLE lead_delivery_attempts MODIFY COLUMN answer VARCHAR(2048) NULL, ADD COLUMN missing VARCHAR(1000) NULL;
