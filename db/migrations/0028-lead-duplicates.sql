-- Leads of one person. lead_rules: what makes two leads of an account one person's (email, phone, either; no row: nothing
-- but the provider's id), within how many days, and whether the later one is held back from destinations. lead_firsts:
-- who came first with an email or a phone number; key_hash names it. leads.duplicate_of: that one, duplicate_by: email or
-- phone.
CREATE TABLE lead_rules (
  account_id BINARY(16) NOT NULL,
  match_by VARCHAR(6) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  days INT NOT NULL,
  holds TINYINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE lead_firsts (
  account_id BINARY(16) NOT NULL,
  key_hash BINARY(16) NOT NULL,
  lead_id BINARY(16) NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (account_id, key_hash),
  KEY lead_firsts_lead (account_id, lead_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
ALTER TABLE leads
  ADD COLUMN duplicate_of BINARY(16) NULL,
  ADD COLUMN duplicate_by VARCHAR(6) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD KEY leads_phone (account_id, phone_number);
