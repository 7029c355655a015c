-- What signs a subscription's deliveries: several at once while one is rolled. The secret that each subscription had
-- keeps the subscription's own id, which it is encrypted with.
CREATE TABLE subscription_secret (
    id              uuid        PRIMARY KEY,
    subscription_id uuid        NOT NULL REFERENCES subscription (id),
    team_id         bigint      NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('hmac', 'ed25519')),
    sealed          bytea       NOT NULL,
    public_key      bytea,
    created_at      timestamptz NOT NULL,
    -- From when on it no longer signs.
    valid_until     timestamptz,
    CHECK ((kind = 'ed25519') = (public_key IS NOT NULL))
);
CREATE INDEX subscription_secret_of ON subscription_secret (subscription_id, created_at, id);
CREATE INDEX subscription_secret_public ON subscription_secret (team_id, created_at, id)
    WHERE public_key IS NOT NULL;
INSERT INTO subscription_secret (id, subscription_id, team_id, kind, sealed, created_at)
    SELECT id, id, team_id, 'hmac', secret, created_at FROM subscription;
ALTER TABLE subscription DROP COLUMN secret;
