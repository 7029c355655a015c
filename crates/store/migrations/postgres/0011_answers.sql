-- What was answered to requests with an Idempotency-Key: by a hash of who asked for what under which key.
CREATE TABLE kept_answer (
    id      bytea       PRIMARY KEY,
    at      timestamptz NOT NULL,
    request bytea       NOT NULL,
    answer  bytea       NOT NULL
);
CREATE INDEX kept_answer_age ON kept_answer (at);
