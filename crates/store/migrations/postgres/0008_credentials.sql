-- What of a subscription's wishes about its requests is secret or long, encrypted like the signing secret. Null for
-- those without any, who cost nothing more than before.
ALTER TABLE subscription ADD COLUMN credentials bytea;
