-- Append-only: what is here is never changed, only followed by the next file. Why something is as it is
-- in the twin for SQLite is said there; what differs is said here.
--
-- Tables that grow with use refer to others without a foreign key: each insert would lock, and so write,
-- the row it refers to, and all of a team's refer to one.

CREATE TABLE meta (
    name  text  PRIMARY KEY,
    value bytea NOT NULL
);

-- The delivery engines that work on this database, by the database's clock.
CREATE TABLE node (
    id      uuid        PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

CREATE TABLE chore (
    name       text        PRIMARY KEY,
    round      bigint      NOT NULL CHECK (round > 0),
    held_until timestamptz,
    done_at    timestamptz
);

CREATE TABLE counter (
    name text   PRIMARY KEY,
    next bigint NOT NULL
);
INSERT INTO counter (name, next) VALUES ('control', 1);

CREATE TABLE team (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE api_key (
    id         uuid        PRIMARY KEY,
    team_id    bigint      NOT NULL REFERENCES team (id),
    name       text        NOT NULL,
    prefix     text        NOT NULL,
    hash       bytea       NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX api_key_of_team ON api_key (team_id, created_at, id);

-- Numbered over all teams: to number within one, its writers would have to wait for each other.
CREATE TABLE audit (
    team_id bigint      NOT NULL,
    number  bigint      GENERATED ALWAYS AS IDENTITY,
    at      timestamptz NOT NULL,
    key_id  uuid,
    by_name text        NOT NULL,
    door    text        NOT NULL,
    action  text        NOT NULL,
    subject text        NOT NULL,
    detail  text        NOT NULL,
    PRIMARY KEY (team_id, number)
);

CREATE TABLE template (
    key         uuid        PRIMARY KEY,
    team_id     bigint      NOT NULL REFERENCES team (id),
    name        text        NOT NULL COLLATE "C",
    name_folded text        NOT NULL COLLATE "C",
    version     uuid        NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX template_of_team ON template (team_id, name_folded, name, key);

CREATE TABLE template_version (
    id           uuid        PRIMARY KEY,
    template_key uuid        NOT NULL,
    document     jsonb       NOT NULL,
    created_at   timestamptz NOT NULL
);

CREATE TABLE template_task (
    key          uuid    PRIMARY KEY,
    team_id      bigint  NOT NULL,
    template_key uuid    NOT NULL REFERENCES template (key),
    name         text    NOT NULL COLLATE "C",
    heading      boolean NOT NULL,
    current      boolean NOT NULL
);
CREATE INDEX template_task_of_template ON template_task (template_key);
CREATE INDEX template_task_by_name ON template_task (team_id, name, key) WHERE current AND NOT heading;

CREATE TABLE template_control (
    key          uuid    PRIMARY KEY,
    team_id      bigint  NOT NULL,
    template_key uuid    NOT NULL REFERENCES template (key),
    task_key     uuid    NOT NULL,
    id           bigint  NOT NULL UNIQUE CHECK (id > 0),
    name         text    NOT NULL COLLATE "C",
    type         text    NOT NULL,
    current      boolean NOT NULL
);
CREATE INDEX template_control_of_template ON template_control (template_key);
CREATE INDEX template_control_by_name ON template_control (team_id, type, name, key) WHERE current;

CREATE TABLE checklist (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key           uuid        NOT NULL UNIQUE,
    team_id       bigint      NOT NULL,
    template_key  uuid        NOT NULL,
    version       uuid        NOT NULL,
    name          text        NOT NULL,
    name_folded   text        NOT NULL,
    created_at    timestamptz NOT NULL,
    created_by    text        NOT NULL,
    created_email text,
    scheduled_at  timestamptz,
    started_at    timestamptz,
    ended_at      timestamptz,
    archived_at   timestamptz
);
CREATE INDEX checklist_of_template ON checklist (team_id, template_key, id);
CREATE INDEX checklist_kept ON checklist (team_id, id) WHERE archived_at IS NULL;

CREATE TABLE checklist_task (
    id          bigint  PRIMARY KEY,
    key         uuid    NOT NULL,
    status      text    NOT NULL CHECK (status IN ('Incomplete', 'Complete', 'NotApplicable')),
    done_at     timestamptz,
    done_by     text,
    done_email  text,
    completions bigint  NOT NULL CHECK (completions >= 0),
    CHECK ((status = 'Incomplete') = (done_at IS NULL)),
    CHECK ((done_at IS NULL) = (done_by IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX checklist_task_by_key ON checklist_task (key, id);

CREATE TABLE field (
    id    bigint PRIMARY KEY,
    value text   NOT NULL CHECK (value <> '')
);

CREATE TABLE file (
    number         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key            uuid        NOT NULL UNIQUE,
    team_id        bigint      NOT NULL,
    control_key    uuid        NOT NULL,
    field_id       bigint      NOT NULL,
    name           text        NOT NULL,
    size           bigint      NOT NULL CHECK (size >= 0),
    media_type     text        NOT NULL,
    sha256         bytea       NOT NULL CHECK (length(sha256) = 32),
    uploaded_at    timestamptz NOT NULL,
    uploaded_by    text        NOT NULL,
    uploaded_email text
);
CREATE INDEX file_of_control ON file (team_id, control_key, number);
CREATE INDEX file_of_field ON file (field_id, number);

CREATE TABLE subscription (
    id           uuid        PRIMARY KEY,
    team_id      bigint      NOT NULL REFERENCES team (id),
    source       text        NOT NULL,
    event_type   text        NOT NULL
        CHECK (event_type IN ('new_checklist', 'task_completed', 'file_uploaded')),
    scope        text        NOT NULL CHECK (scope IN ('team', 'template', 'task', 'control')),
    scope_key    uuid        NOT NULL,
    target_url   text        NOT NULL,
    -- SHA-256 of it: an entry of an index has at most 2,704 bytes, and an address may have more.
    target_hash  bytea       NOT NULL CHECK (length(target_hash) = 32),
    revision     bigint      NOT NULL,
    secret       bytea       NOT NULL,
    state        text        NOT NULL CHECK (state IN ('active', 'failing', 'paused', 'gone')),
    state_reason text        NOT NULL,
    state_since  timestamptz NOT NULL,
    state_by     text        NOT NULL,
    created_at   timestamptz NOT NULL
);
CREATE UNIQUE INDEX subscription_identity
    ON subscription (team_id, event_type, scope_key, source, target_hash)
    WHERE state <> 'gone';
CREATE INDEX subscription_of_team ON subscription (team_id, created_at, id) WHERE state <> 'gone';

CREATE TABLE subscription_sequence (
    subscription_id uuid   PRIMARY KEY REFERENCES subscription (id),
    last            bigint NOT NULL
) WITH (fillfactor = 50);

-- By its GUID, which grows with time: a number of its own would have to be asked for.
CREATE TABLE event (
    id             uuid        PRIMARY KEY,
    team_id        bigint      NOT NULL,
    type           text        NOT NULL
        CHECK (type IN ('new_checklist', 'task_completed', 'file_uploaded')),
    at             timestamptz NOT NULL,
    checklist_id   bigint      NOT NULL,
    template_key   uuid        NOT NULL,
    task_key       uuid        NOT NULL,
    control_key    uuid        NOT NULL,
    first_delivery uuid        NOT NULL,
    last_delivery  uuid        NOT NULL,
    body           bytea       NOT NULL
);
CREATE INDEX event_of_checklist ON event (checklist_id);

-- The sequence is given when the delivery is first leased, or first read, in a short transaction of its
-- own, so that no event waits for the commit of another; until then there is none.
CREATE TABLE delivery (
    id              uuid        PRIMARY KEY,
    team_id         bigint      NOT NULL,
    subscription_id uuid        NOT NULL,
    event           uuid        NOT NULL,
    sequence        bigint,
    state           text        NOT NULL CHECK (state IN
        ('waiting', 'leased', 'delivered', 'exhausted', 'cancelled', 'refused', 'expired')),
    reason          text        NOT NULL,
    attempts        bigint      NOT NULL CHECK (attempts >= 0),
    due_at          timestamptz,
    lease_node      uuid,
    lease_until     timestamptz,
    manual_by       text,
    delivered_at    timestamptz,
    last_ended_at   timestamptz,
    last_outcome    text,
    last_status     bigint,
    first_started_at         timestamptz,
    first_duration_ms        bigint,
    first_status             bigint,
    first_target             text,
    first_signature          text,
    first_response_headers   text,
    first_response_body      bytea,
    first_response_truncated boolean,
    CHECK ((state IN ('waiting', 'leased')) = (due_at IS NOT NULL)),
    CHECK ((state = 'leased') = (lease_node IS NOT NULL)),
    CHECK ((lease_node IS NULL) = (lease_until IS NULL)),
    CHECK (state <> 'delivered' OR delivered_at IS NOT NULL),
    CHECK (state = 'waiting' OR sequence IS NOT NULL)
);
CREATE INDEX delivery_of_team ON delivery (team_id, id);
CREATE INDEX delivery_of_subscription ON delivery (subscription_id, id);
CREATE UNIQUE INDEX delivery_sequence ON delivery (subscription_id, sequence) WHERE sequence IS NOT NULL;
CREATE INDEX delivery_unnumbered ON delivery (id) WHERE sequence IS NULL;
CREATE INDEX delivery_due ON delivery (subscription_id, due_at, id) WHERE state = 'waiting';
CREATE INDEX delivery_leased ON delivery (lease_until) WHERE state = 'leased';
CREATE INDEX delivery_open ON delivery (team_id, state, id)
    WHERE state <> 'delivered' AND state <> 'leased';

CREATE TABLE attempt (
    delivery_id        uuid        NOT NULL,
    number             bigint      NOT NULL CHECK (number > 0),
    manual_by          text,
    started_at         timestamptz NOT NULL,
    duration_ms        bigint      NOT NULL,
    outcome            text        NOT NULL,
    status             bigint,
    error              text        NOT NULL,
    target             text        NOT NULL,
    signature          text        NOT NULL,
    response_headers   text        NOT NULL,
    response_body      bytea       NOT NULL,
    response_truncated boolean     NOT NULL,
    PRIMARY KEY (delivery_id, number)
);
