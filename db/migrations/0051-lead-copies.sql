-- What our own pushes made of leads at a CRM whose leads come back as records: those are no second leads. A row for each
-- lead that is a lead there too; of what was pushed before, by the ledger.
CREATE TABLE lead_copies (
  account_id BINARY(16) NOT NULL,
  provider_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  external_id VARCHAR(255) NOT NULL,
  lead_id BINARY(16) NOT NULL,
  PRIMARY KEY (account_id, provider_type, external_id),
  KEY lead_copies_lead (account_id, lead_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT IGNORE INTO lead_copies (account_id, provider_type, external_id, lead_id)
  SELECT d.account_id, c.provider_type, d.external_id, d.lead_id FROM connections c
  STRAIGHT_JOIN lead_deliveries d ON d.account_id = c.account_id AND d.connection_id = c.id
  WHERE c.provider_type = 'salesforce' AND d.external_id IS NOT NULL;
