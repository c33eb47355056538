-- A subscription of each form of a connection, where a provider takes no other: the row without a form stands for
-- all of them.
ALTER TABLE subscriptions
  ADD COLUMN form VARCHAR(255) NOT NULL DEFAULT '' AFTER name,
  ADD COLUMN form_name VARCHAR(255) NULL AFTER form,
  DROP PRIMARY KEY,
  ADD PRIMARY KEY (account_id, connection_id, name, form);
