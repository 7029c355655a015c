-- What was answered to requests with an Idempotency-Key: by a hash of who asked for what under which key.
CREATE TABLE kept_answer (
    id      BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    at      INTEGER NOT NULL,
    request BLOB    NOT NULL CHECK (length(request) = 32),
    answer  BLOB    NOT NULL
) STRICT;
CREATE INDEX kept_answer_age ON kept_answer (at);
