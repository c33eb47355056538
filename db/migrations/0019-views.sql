-- A view may be one person's own (NULL: everyone's), and views have an order that people choose.
ALTER TABLE views ADD COLUMN owner_id BINARY(16) NULL, ADD COLUMN place INT NOT NULL DEFAULT 0;
