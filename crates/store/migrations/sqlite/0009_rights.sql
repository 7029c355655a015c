-- What a key may do, until when, and when it last did. Keys of before go on doing all that they could.
ALTER TABLE api_key ADD COLUMN rights TEXT NOT NULL DEFAULT 'admin';
ALTER TABLE api_key ADD COLUMN expires_at INTEGER;
ALTER TABLE api_key ADD COLUMN used_at INTEGER;
-- Identifiers sort by time, so that a page can go on after one.
DROP INDEX api_key_of_team;
CREATE INDEX api_key_of_team ON api_key (team_id, id);
