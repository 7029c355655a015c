-- The members of a team. None is ever taken away: what they did is told of for as long as it is kept.
CREATE TABLE member (
    id             INTEGER PRIMARY KEY,
    team_id        INTEGER NOT NULL REFERENCES team (id),
    name           TEXT    NOT NULL,
    name_folded    TEXT    NOT NULL,
    email          TEXT    NOT NULL,
    email_folded   TEXT    NOT NULL,
    role           TEXT    NOT NULL CHECK (role IN ('Administrator', 'Member', 'Guest')),
    created_at     INTEGER NOT NULL,
    deactivated_at INTEGER
) STRICT;
CREATE UNIQUE INDEX member_email ON member (team_id, email_folded);
CREATE INDEX member_of_team ON member (team_id, name_folded, id);

-- A group that was removed stays for the tasks that were assigned to it, and has no members.
CREATE TABLE team_group (
    id          INTEGER PRIMARY KEY,
    team_id     INTEGER NOT NULL REFERENCES team (id),
    name        TEXT    NOT NULL,
    name_folded TEXT    NOT NULL,
    avatar      TEXT    NOT NULL,
    colour      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    removed_at  INTEGER
) STRICT;
CREATE UNIQUE INDEX team_group_name ON team_group (team_id, name_folded) WHERE removed_at IS NULL;

CREATE TABLE group_member (
    group_id  INTEGER NOT NULL REFERENCES team_group (id),
    member_id INTEGER NOT NULL REFERENCES member (id),
    PRIMARY KEY (group_id, member_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_member_of ON group_member (member_id, group_id);
