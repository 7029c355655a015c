-- Which redelivery job asked for the next attempt of a delivery, for which one an attempt was made, and which one
-- made a delivery of an event that had gone to others.
ALTER TABLE delivery ADD COLUMN replay BLOB;
ALTER TABLE delivery ADD COLUMN copied_by BLOB;
ALTER TABLE attempt ADD COLUMN replay BLOB;
-- The row of an event says which deliveries came of it, but for these.
CREATE INDEX delivery_copied ON delivery (event, subscription_id) WHERE copied_by IS NOT NULL;

-- A redelivery job. Where it stands is moved in the commit that makes deliveries due: it walks the team's deliveries by
-- their identifiers up to `bound`; or events, by their numbers, where they go to another subscription.
CREATE TABLE replay_job (
    id                 BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    team_id            INTEGER NOT NULL REFERENCES team (id),
    made_at            INTEGER NOT NULL,
    made_by            TEXT    NOT NULL,
    state              TEXT    NOT NULL CHECK (state IN ('running', 'paused', 'done', 'cancelled')),
    reason             TEXT    NOT NULL,
    filter             TEXT    NOT NULL,
    to_subscription    BLOB,
    rate_per_second    INTEGER NOT NULL CHECK (rate_per_second > 0),
    bound              BLOB    NOT NULL,
    reached            BLOB,
    reached_at         INTEGER,
    done               INTEGER NOT NULL,
    being_sent         INTEGER NOT NULL,
    body_gone          INTEGER NOT NULL,
    subscription_ended INTEGER NOT NULL,
    already_there      INTEGER NOT NULL,
    -- Before that nothing is made due, so that the rate is kept.
    next_at            INTEGER NOT NULL,
    ended_at           INTEGER,
    CHECK ((state IN ('done', 'cancelled')) = (ended_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX replay_job_of_team ON replay_job (team_id, id);
CREATE INDEX replay_job_by_state ON replay_job (state, id);
