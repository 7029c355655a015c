-- The members of a team. None is ever taken away: what they did is told of for as long as it is kept.
CREATE TABLE member (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id        bigint      NOT NULL REFERENCES team (id),
    name           text        NOT NULL,
    name_folded    text        NOT NULL,
    email          text        NOT NULL,
    email_folded   text        NOT NULL,
    role           text        NOT NULL CHECK (role IN ('Administrator', 'Member', 'Guest')),
    created_at     timestamptz NOT NULL,
    deactivated_at timestamptz
);
CREATE UNIQUE INDEX member_email ON member (team_id, email_folded);
CREATE INDEX member_of_team ON member (team_id, name_folded, id);

-- A group that was removed stays for the tasks that were assigned to it, and has no members.
CREATE TABLE team_group (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id     bigint      NOT NULL REFERENCES team (id),
    name        text        NOT NULL,
    name_folded text        NOT NULL,
    avatar      text        NOT NULL,
    colour      text        NOT NULL,
    created_at  timestamptz NOT NULL,
    removed_at  timestamptz
);
CREATE UNIQUE INDEX team_group_name ON team_group (team_id, name_folded) WHERE removed_at IS NULL;

CREATE TABLE group_member (
    group_id  bigint NOT NULL REFERENCES team_group (id),
    member_id bigint NOT NULL REFERENCES member (id),
    PRIMARY KEY (group_id, member_id)
);
CREATE INDEX group_member_of ON group_member (member_id, group_id);
