-- When a sender first signed with a scheme that makes older ones of it outdated: those are refused since.
ALTER TABLE connections ADD COLUMN strict_at BIGINT NULL;
