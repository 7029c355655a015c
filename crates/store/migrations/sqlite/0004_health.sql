-- Subscriptions tell of themselves by events of three more types, so two checks take three more words. The
-- documented short way for a change that touches no stored row: the text of the table is put in the place of the old
-- one, and read anew. Building `event` anew would write every body a second time.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, '(''new_checklist'', ''task_completed'', ''file_uploaded'')',
    '(''new_checklist'', ''task_completed'', ''file_uploaded'',
            ''subscription_failing'', ''subscription_paused'', ''subscription_recovered'')')
WHERE type = 'table' AND name IN ('subscription', 'event');
PRAGMA writable_schema = RESET;

-- Why it is in its state, as a word for programs.
ALTER TABLE subscription ADD COLUMN state_code TEXT NOT NULL DEFAULT 'active';
-- Since when there were nothing but failures, and how many warnings of it were given.
ALTER TABLE subscription ADD COLUMN failing_since INTEGER;
ALTER TABLE subscription ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;
-- Of one that the system has paused: when its receiver is tried again, and how often that was done.
ALTER TABLE subscription ADD COLUMN probe_at INTEGER;
ALTER TABLE subscription ADD COLUMN probes INTEGER NOT NULL DEFAULT 0;
UPDATE subscription SET
    state_code = CASE state WHEN 'failing' THEN 'failing' WHEN 'paused' THEN 'paused_by_person'
        ELSE iif(state_by = 'system', 'receiver_gone', 'unsubscribed') END,
    failing_since = iif(state = 'failing', state_since, NULL)
WHERE state <> 'active';
CREATE INDEX subscription_probe ON subscription (probe_at) WHERE probe_at IS NOT NULL;

-- Who stopped its retries. One that was being sent at that moment is stored as cancelled once that is over.
ALTER TABLE delivery ADD COLUMN cancelled_by TEXT;
-- What ended badly, by subscription. Nothing that is delivered is ever in it.
CREATE INDEX delivery_ended ON delivery (subscription_id, state, id)
    WHERE state <> 'delivered' AND state <> 'leased' AND state <> 'waiting';

-- The log of events, and those that nobody wanted.
CREATE INDEX event_log ON event (team_id, type, id);
CREATE INDEX event_unmatched ON event (team_id, type, id) WHERE first_delivery IS NULL;

-- What a team is told of its subscriptions. The oldest of a team go when there are too many.
CREATE TABLE notice (
    team_id         INTEGER NOT NULL REFERENCES team (id),
    id              BLOB    NOT NULL CHECK (length(id) = 16),
    kind            TEXT    NOT NULL,
    subscription_id BLOB    NOT NULL CHECK (length(subscription_id) = 16),
    text            TEXT    NOT NULL,
    code            TEXT    NOT NULL,
    at              INTEGER NOT NULL,
    seen_at         INTEGER,
    PRIMARY KEY (team_id, id)
) STRICT, WITHOUT ROWID;
