-- To whom a task is assigned. That it is to somebody, and whether nobody else may complete it (2), is noted with the task, so
-- that one which is assigned to nobody (0) is read without looking here.
ALTER TABLE checklist_task ADD COLUMN assigned bigint NOT NULL DEFAULT 0 CHECK (assigned IN (0, 1, 2));

CREATE TABLE task_assignee (
    task_id   bigint NOT NULL REFERENCES checklist_task (id),
    place     bigint NOT NULL CHECK (place >= 0),
    member_id bigint REFERENCES member (id),
    group_id  bigint REFERENCES team_group (id),
    PRIMARY KEY (task_id, place),
    CHECK ((member_id IS NULL) <> (group_id IS NULL))
);
CREATE UNIQUE INDEX task_assignee_member ON task_assignee (member_id, task_id) WHERE member_id IS NOT NULL;
CREATE UNIQUE INDEX task_assignee_group ON task_assignee (group_id, task_id) WHERE group_id IS NOT NULL;
