-- Times are milliseconds since 1970 in UTC, GUIDs blobs of 16 bytes. Append-only: what is here is
-- never changed, only followed by the next file.

-- What the database knows of itself: the id of the master key and a value to check it by.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Numbers that are handed out ahead of the rows that carry them.
CREATE TABLE counter (
    name TEXT    NOT NULL PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counter (name, next) VALUES ('control', 1);

-- What one server does at a time: until when it is somebody's, and when it was last done.
CREATE TABLE chore (
    name       TEXT    NOT NULL PRIMARY KEY,
    round      INTEGER NOT NULL CHECK (round > 0),
    held_until INTEGER,
    done_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE team (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_key (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    team_id    INTEGER NOT NULL REFERENCES team (id),
    name       TEXT    NOT NULL,
    prefix     TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_of_team ON api_key (team_id, created_at, id);

-- Numbered within its team, so that one tree holds both the rows and their order.
CREATE TABLE audit (
    team_id INTEGER NOT NULL REFERENCES team (id),
    number  INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    key_id  BLOB,
    by_name TEXT    NOT NULL,
    door    TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    PRIMARY KEY (team_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE template (
    key         BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 16),
    team_id     INTEGER NOT NULL REFERENCES team (id),
    name        TEXT    NOT NULL,
    name_folded TEXT    NOT NULL,
    version     BLOB    NOT NULL CHECK (length(version) = 16),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX template_of_team ON template (team_id, name_folded, name, key);

-- One edition: the document with every key, never changed.
CREATE TABLE template_version (
    number       INTEGER PRIMARY KEY,
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    template_key BLOB    NOT NULL,
    document     TEXT    NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;

-- Tasks that any edition has; `current` says whether the newest one does.
CREATE TABLE template_task (
    key          BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 16),
    team_id      INTEGER NOT NULL,
    template_key BLOB    NOT NULL REFERENCES template (key),
    name         TEXT    NOT NULL,
    heading      INTEGER NOT NULL CHECK (heading IN (0, 1)),
    current      INTEGER NOT NULL CHECK (current IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX template_task_of_template ON template_task (template_key);
CREATE INDEX template_task_by_name ON template_task (team_id, name, key)
    WHERE current = 1 AND heading = 0;

CREATE TABLE template_control (
    key          BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 16),
    team_id      INTEGER NOT NULL,
    template_key BLOB    NOT NULL REFERENCES template (key),
    task_key     BLOB    NOT NULL,
    id           INTEGER NOT NULL UNIQUE CHECK (id > 0),
    name         TEXT    NOT NULL,
    type         TEXT    NOT NULL,
    current      INTEGER NOT NULL CHECK (current IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX template_control_of_template ON template_control (template_key);
CREATE INDEX template_control_by_name ON template_control (team_id, type, name, key)
    WHERE current = 1;

CREATE TABLE checklist (
    id            INTEGER PRIMARY KEY,
    key           BLOB    NOT NULL UNIQUE CHECK (length(key) = 16),
    team_id       INTEGER NOT NULL REFERENCES team (id),
    template_key  BLOB    NOT NULL,
    version       BLOB    NOT NULL,
    name          TEXT    NOT NULL,
    name_folded   TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    created_by    TEXT    NOT NULL,
    created_email TEXT,
    scheduled_at  INTEGER,
    started_at    INTEGER,
    ended_at      INTEGER,
    archived_at   INTEGER
) STRICT;
CREATE INDEX checklist_of_template ON checklist (team_id, template_key, id);
CREATE INDEX checklist_kept ON checklist (team_id, id) WHERE archived_at IS NULL;

-- The tasks of a checklist lie side by side: the number of a task is that of its checklist times
-- 1024, plus its place. Headings have no state, and so no row.
CREATE TABLE checklist_task (
    id          INTEGER PRIMARY KEY,
    key         BLOB    NOT NULL CHECK (length(key) = 16),
    status      TEXT    NOT NULL CHECK (status IN ('Incomplete', 'Complete', 'NotApplicable')),
    done_at     INTEGER,
    done_by     TEXT,
    done_email  TEXT,
    completions INTEGER NOT NULL CHECK (completions >= 0),
    CHECK ((status = 'Incomplete') = (done_at IS NULL)),
    CHECK ((done_at IS NULL) = (done_by IS NULL))
) STRICT;
CREATE INDEX checklist_task_by_key ON checklist_task (key, id);

-- What a control of a checklist holds, by a number like that of a task (times 4096). No row where
-- it is empty.
CREATE TABLE field (
    id    INTEGER PRIMARY KEY,
    value TEXT    NOT NULL CHECK (value <> '')
) STRICT;

CREATE TABLE file (
    number         INTEGER PRIMARY KEY,
    key            BLOB    NOT NULL UNIQUE CHECK (length(key) = 16),
    team_id        INTEGER NOT NULL REFERENCES team (id),
    control_key    BLOB    NOT NULL,
    field_id       INTEGER NOT NULL,
    name           TEXT    NOT NULL,
    size           INTEGER NOT NULL CHECK (size >= 0),
    media_type     TEXT    NOT NULL,
    sha256         BLOB    NOT NULL CHECK (length(sha256) = 32),
    uploaded_at    INTEGER NOT NULL,
    uploaded_by    TEXT    NOT NULL,
    uploaded_email TEXT
) STRICT;
CREATE INDEX file_of_control ON file (team_id, control_key, number);
CREATE INDEX file_of_field ON file (field_id, number);

CREATE TABLE subscription (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    team_id      INTEGER NOT NULL REFERENCES team (id),
    source       TEXT    NOT NULL,
    event_type   TEXT    NOT NULL
        CHECK (event_type IN ('new_checklist', 'task_completed', 'file_uploaded')),
    scope        TEXT    NOT NULL CHECK (scope IN ('team', 'template', 'task', 'control')),
    scope_key    BLOB    NOT NULL CHECK (length(scope_key) = 16),
    target_url   TEXT    NOT NULL,
    -- Goes up with every change of the target, the secret or the state.
    revision     INTEGER NOT NULL,
    secret       BLOB    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('active', 'failing', 'paused', 'gone')),
    state_reason TEXT    NOT NULL,
    state_since  INTEGER NOT NULL,
    state_by     TEXT    NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- What makes two the same, and at once what an event finds its subscriptions by.
CREATE UNIQUE INDEX subscription_identity
    ON subscription (team_id, event_type, scope_key, source, target_url) WHERE state <> 'gone';
CREATE INDEX subscription_of_team ON subscription (team_id, created_at, id) WHERE state <> 'gone';

-- Apart from its subscription, because it is written with every delivery and the rest hardly ever.
CREATE TABLE subscription_sequence (
    subscription_id BLOB    NOT NULL PRIMARY KEY REFERENCES subscription (id),
    last            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- With a number of its own rather than by its GUID: bodies fill pages better in a table by row
-- number, and nobody looks an event up by GUID. Its deliveries have consecutive GUIDs.
CREATE TABLE event (
    number         INTEGER PRIMARY KEY,
    id             BLOB    NOT NULL CHECK (length(id) = 16),
    team_id        INTEGER NOT NULL,
    type           TEXT    NOT NULL
        CHECK (type IN ('new_checklist', 'task_completed', 'file_uploaded')),
    at             INTEGER NOT NULL,
    checklist_id   INTEGER NOT NULL,
    template_key   BLOB    NOT NULL,
    task_key       BLOB    NOT NULL,
    control_key    BLOB    NOT NULL,
    first_delivery BLOB,
    last_delivery  BLOB,
    body           BLOB    NOT NULL
) STRICT;
CREATE INDEX event_of_checklist ON event (checklist_id);

-- `held`, and `cancelled` because the subscription is gone, are not stored: they follow from the
-- state of the subscription, so that pausing or ending one with a million deliveries writes one
-- row. No foreign key to `event` or `team`: pruning would have to look for children without an
-- index, and nobody else writes here.
CREATE TABLE delivery (
    id              BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    team_id         INTEGER NOT NULL,
    subscription_id BLOB    NOT NULL REFERENCES subscription (id),
    event           INTEGER NOT NULL,
    sequence        INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN
        ('waiting', 'leased', 'delivered', 'exhausted', 'cancelled', 'refused', 'expired')),
    reason          TEXT    NOT NULL,
    attempts        INTEGER NOT NULL CHECK (attempts >= 0),
    -- Of one that waits: when it is due. Of one that is leased: since when it is.
    due_at          INTEGER,
    lease_node      BLOB,
    lease_until     INTEGER,
    manual_by       TEXT,
    -- Once set, the delivery stays delivered, whatever comes of later attempts.
    delivered_at    INTEGER,
    last_ended_at   INTEGER,
    last_outcome    TEXT,
    last_status     INTEGER,
    -- The first attempt, when it was not asked for by hand and the receiver took it. Every other
    -- attempt is in `attempt`.
    first_started_at         INTEGER,
    first_duration_ms        INTEGER,
    first_status             INTEGER,
    first_target             TEXT,
    first_signature          TEXT,
    first_response_headers   TEXT,
    first_response_body      BLOB,
    first_response_truncated INTEGER,
    UNIQUE (subscription_id, sequence),
    CHECK ((state IN ('waiting', 'leased')) = (due_at IS NOT NULL)),
    CHECK ((state = 'leased') = (lease_node IS NOT NULL)),
    CHECK ((lease_node IS NULL) = (lease_until IS NULL)),
    CHECK (state <> 'delivered' OR delivered_at IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_of_team ON delivery (team_id, id);
CREATE INDEX delivery_due ON delivery (subscription_id, due_at, sequence) WHERE state = 'waiting';
CREATE INDEX delivery_leased ON delivery (lease_until) WHERE state = 'leased';
-- A delivery that succeeds straight through is never in this one.
CREATE INDEX delivery_open ON delivery (team_id, state, id)
    WHERE state <> 'delivered' AND state <> 'leased';

CREATE TABLE attempt (
    delivery_id        BLOB    NOT NULL REFERENCES delivery (id),
    number             INTEGER NOT NULL CHECK (number > 0),
    manual_by          TEXT,
    started_at         INTEGER NOT NULL,
    duration_ms        INTEGER NOT NULL,
    outcome            TEXT    NOT NULL,
    status             INTEGER,
    error              TEXT    NOT NULL,
    target             TEXT    NOT NULL,
    signature          TEXT    NOT NULL,
    response_headers   TEXT    NOT NULL,
    response_body      BLOB    NOT NULL,
    response_truncated INTEGER NOT NULL CHECK (response_truncated IN (0, 1)),
    PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;
