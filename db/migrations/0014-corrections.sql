-- Of an answer its first 2,048 bytes are kept; and what the mapping asked for and the lead did not have.
ALTER TABLE lead_delivery_attempts MODIFY COLUMN answer VARCHAR(2048) NULL, ADD COLUMN missing VARCHAR(1000) NULL;

-- A lead that was sent again with other data has another form: revision counts them.
ALTER TABLE leads ADD COLUMN revision INT NOT NULL DEFAULT 1;
-- Which form a destination is to have, and the newest that it took, where it took one.
ALTER TABLE lead_deliveries ADD COLUMN wanted INT NOT NULL DEFAULT 1, ADD COLUMN taken INT NOT NULL DEFAULT 1;
