-- What signs a subscription's deliveries: several at once while one is rolled. The secret that each subscription had
-- keeps the subscription's own id, which it is encrypted with.
CREATE TABLE subscription_secret (
    id              BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    subscription_id BLOB    NOT NULL REFERENCES subscription (id),
    team_id         INTEGER NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('hmac', 'ed25519')),
    sealed          BLOB    NOT NULL,
    public_key      BLOB,
    created_at      INTEGER NOT NULL,
    -- From when on it no longer signs.
    valid_until     INTEGER,
    CHECK ((kind = 'ed25519') = (public_key IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX subscription_secret_of ON subscription_secret (subscription_id, created_at, id);
CREATE INDEX subscription_secret_public ON subscription_secret (team_id, created_at, id)
    WHERE public_key IS NOT NULL;
INSERT INTO subscription_secret (id, subscription_id, team_id, kind, sealed, created_at)
    SELECT id, id, team_id, 'hmac', secret, created_at FROM subscription;
ALTER TABLE subscription DROP COLUMN secret;
