ALTER TABLE delivery
    ADD COLUMN replay    uuid,
    ADD COLUMN copied_by uuid;
ALTER TABLE attempt ADD COLUMN replay uuid;
CREATE INDEX delivery_copied ON delivery (event, subscription_id) WHERE copied_by IS NOT NULL;

-- As on SQLite; events are walked by their identifiers.
CREATE TABLE replay_job (
    id                 uuid        PRIMARY KEY,
    team_id            bigint      NOT NULL,
    made_at            timestamptz NOT NULL,
    made_by            text        NOT NULL,
    state              text        NOT NULL CHECK (state IN ('running', 'paused', 'done', 'cancelled')),
    reason             text        NOT NULL,
    filter             text        NOT NULL,
    to_subscription    uuid,
    rate_per_second    bigint      NOT NULL CHECK (rate_per_second > 0),
    bound              uuid        NOT NULL,
    reached            uuid,
    reached_at         timestamptz,
    done               bigint      NOT NULL,
    being_sent         bigint      NOT NULL,
    body_gone          bigint      NOT NULL,
    subscription_ended bigint      NOT NULL,
    already_there      bigint      NOT NULL,
    next_at            timestamptz NOT NULL,
    ended_at           timestamptz,
    CHECK ((state IN ('done', 'cancelled')) = (ended_at IS NOT NULL))
);
CREATE INDEX replay_job_of_team ON replay_job (team_id, id);
CREATE INDEX replay_job_by_state ON replay_job (state, id);
