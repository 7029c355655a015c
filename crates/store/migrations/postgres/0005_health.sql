-- Subscriptions tell of themselves by events of three more types. What is stored satisfies the longer lists, for it
-- satisfied the shorter ones; so nothing is looked through.
ALTER TABLE subscription DROP CONSTRAINT subscription_event_type_check,
    ADD CONSTRAINT subscription_event_type_check CHECK (event_type IN
        ('new_checklist', 'task_completed', 'file_uploaded',
        'subscription_failing', 'subscription_paused', 'subscription_recovered')) NOT VALID;
ALTER TABLE event DROP CONSTRAINT event_type_check,
    ADD CONSTRAINT event_type_check CHECK (type IN
        ('new_checklist', 'task_completed', 'file_uploaded',
        'subscription_failing', 'subscription_paused', 'subscription_recovered')) NOT VALID;

ALTER TABLE subscription ADD COLUMN state_code text NOT NULL DEFAULT 'active',
    ADD COLUMN failing_since timestamptz,
    ADD COLUMN warned bigint NOT NULL DEFAULT 0,
    ADD COLUMN probe_at timestamptz,
    ADD COLUMN probes bigint NOT NULL DEFAULT 0;
UPDATE subscription SET
    state_code = CASE WHEN state = 'failing' THEN 'failing' WHEN state = 'paused' THEN 'paused_by_person'
        WHEN state_by = 'system' THEN 'receiver_gone' ELSE 'unsubscribed' END,
    failing_since = CASE WHEN state = 'failing' THEN state_since END
WHERE state <> 'active';
CREATE INDEX subscription_probe ON subscription (probe_at) WHERE probe_at IS NOT NULL;

ALTER TABLE delivery ADD COLUMN cancelled_by text;
CREATE INDEX delivery_ended ON delivery (subscription_id, state, id)
    WHERE state <> 'delivered' AND state <> 'leased' AND state <> 'waiting';

-- An event that reached nobody has no deliveries to name, and says so.
ALTER TABLE event ALTER COLUMN first_delivery DROP NOT NULL, ALTER COLUMN last_delivery DROP NOT NULL;
UPDATE event e SET first_delivery = NULL, last_delivery = NULL
WHERE e.first_delivery = e.last_delivery
    AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.id = e.first_delivery);
CREATE INDEX event_log ON event (team_id, type, id);
CREATE INDEX event_unmatched ON event (team_id, type, id) WHERE first_delivery IS NULL;

CREATE TABLE notice (
    team_id         bigint      NOT NULL REFERENCES team (id),
    id              uuid        NOT NULL,
    kind            text        NOT NULL,
    subscription_id uuid        NOT NULL,
    text            text        NOT NULL,
    code            text        NOT NULL,
    at              timestamptz NOT NULL,
    seen_at         timestamptz,
    PRIMARY KEY (team_id, id)
);
