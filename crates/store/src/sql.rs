//! Statements that read the same on both databases, each written once.
//!
//! PostgreSQL numbers parameters by what follows the `$`; SQLite takes `$1` for a name and numbers names in the
//! order in which they first appear. So that both mean the same, the first appearances are in the order of the
//! numbers, and a test holds that. Types differ (a moment is an integer to the one and a `timestamptz` to the
//! other), and are the business of each twin's `values`.

macro_rules! statements {
    ($($name:ident = $text:literal;)*) => {
        $(pub(crate) const $name: &str = $text;)*

        #[cfg(test)]
        const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

statements! {
    TEAM_GET = "SELECT id, name, created_at FROM team WHERE id = $1";
    API_KEY_GET = "SELECT k.id, k.team_id, k.name, k.prefix, k.created_at, k.revoked_at, k.rights, k.expires_at, k.used_at,
        t.id, t.name, t.created_at
        FROM api_key k JOIN team t ON t.id = k.team_id
        WHERE k.hash = $1";
    API_KEY_LIST = "SELECT id, team_id, name, prefix, created_at, revoked_at, rights, expires_at, used_at
        FROM api_key WHERE team_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    API_KEY_COUNT = "SELECT count(*) FROM api_key WHERE team_id = $1";
    AUDIT_LIST = "SELECT at, key_id, by_name, door, action, subject, detail, number, member_id
        FROM audit WHERE team_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3";
    API_KEY_INSERT = "INSERT INTO api_key (id, team_id, name, prefix, hash, created_at, revoked_at, rights,
            expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    API_KEY_TOUCH = "UPDATE api_key SET used_at = $1 WHERE id = $2";
    API_KEY_REVOKE = "UPDATE api_key SET revoked_at = $1
        WHERE id = $2 AND team_id = $3 AND revoked_at IS NULL";
    API_KEY_THERE = "SELECT 1 FROM api_key WHERE id = $1 AND team_id = $2";
    MEMBER_GET = "SELECT id, team_id, name, email, role, created_at, deactivated_at
        FROM member WHERE id = $1 AND team_id = $2";
    MEMBER_LIST = "SELECT id, team_id, name, email, role, created_at, deactivated_at
        FROM member WHERE team_id = $1 ORDER BY name_folded, id LIMIT $2";
    MEMBER_GROUPS = "SELECT group_id FROM group_member WHERE member_id = $1 ORDER BY group_id LIMIT $2";
    MEMBER_INSERT = "INSERT INTO member (team_id, name, name_folded, email, email_folded, role, created_at,
            deactivated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
    MEMBER_PUT = "UPDATE member
        SET name = $1, name_folded = $2, email = $3, email_folded = $4, role = $5, deactivated_at = $6
        WHERE id = $7";
    GROUP_GET = "SELECT id, team_id, name, avatar, colour, created_at
        FROM team_group WHERE id = $1 AND team_id = $2 AND removed_at IS NULL";
    GROUP_LIST = "SELECT id, team_id, name, avatar, colour, created_at
        FROM team_group WHERE team_id = $1 AND removed_at IS NULL ORDER BY name_folded LIMIT $2";
    GROUP_MEMBERS = "SELECT member_id FROM group_member WHERE group_id = $1 ORDER BY member_id";
    GROUP_MEMBERS_OF_TEAM = "SELECT p.group_id, p.member_id
        FROM team_group g JOIN group_member p ON p.group_id = g.id
        WHERE g.team_id = $1 AND g.removed_at IS NULL";
    GROUP_INSERT = "INSERT INTO team_group (team_id, name, name_folded, avatar, colour, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
    GROUP_PUT = "UPDATE team_group SET name = $1, name_folded = $2, avatar = $3, colour = $4 WHERE id = $5";
    GROUP_REMOVE = "UPDATE team_group SET removed_at = $1 WHERE id = $2";
    GROUP_MEMBER_INSERT = "INSERT INTO group_member (group_id, member_id) VALUES ($1, $2)";
    GROUP_MEMBERS_REMOVE = "DELETE FROM group_member WHERE group_id = $1";
    ANSWER_GET = "SELECT request, answer FROM kept_answer WHERE id = $1";
    ANSWER_PUT = "INSERT INTO kept_answer (id, at, request, answer) VALUES ($1, $2, $3, $4)";
    ANSWER_FORGET = "DELETE FROM kept_answer WHERE id IN (SELECT id FROM kept_answer WHERE at < $1 LIMIT $2)";
    TEMPLATE_LIST = "SELECT key, name FROM template WHERE team_id = $1
        ORDER BY name_folded, name, key LIMIT $2";
    TEMPLATE_COUNT = "SELECT count(*) FROM template WHERE team_id = $1";
    TEMPLATE_GET = "SELECT version FROM template WHERE key = $1 AND team_id = $2";
    TEMPLATE_KNOWN_TASKS = "SELECT key FROM template_task WHERE template_key = $1";
    TEMPLATE_KNOWN_CONTROLS = "SELECT key, id, type FROM template_control WHERE template_key = $1";
    TASK_FIND = "SELECT template_key, name, heading FROM template_task
        WHERE key = $1 AND team_id = $2";
    CONTROL_FIND = "SELECT template_key, task_key, name, type FROM template_control
        WHERE key = $1 AND team_id = $2";
    VERSION_GET = "SELECT template_key, document FROM template_version WHERE id = $1";
    CONTROL_IDS_RESERVE = "UPDATE counter SET next = next + $1 WHERE name = 'control'
        RETURNING next - $1";
    VERSION_INSERT = "INSERT INTO template_version (id, template_key, document, created_at)
        VALUES ($1, $2, $3, $4)";
    TASK_PUT = "UPDATE checklist_task
        SET status = $1, done_at = $2, done_by = $3, done_email = $4, completions = $5
        WHERE id = $6";
    CHECKLIST_PARAMETERS_PUT = "UPDATE checklist SET parameters = $1 WHERE id = $2";
    TASK_DUE_PUT = "UPDATE checklist_task SET due_at = $1 WHERE id = $2";
    CHECKLIST_END_PUT = "UPDATE checklist SET ended_at = $1 WHERE id = $2";
    FIELD_PUT = "INSERT INTO field (id, value) VALUES ($1, $2)
        ON CONFLICT (id) DO UPDATE SET value = excluded.value";
    FILE_INSERT = "INSERT INTO file (key, team_id, control_key, field_id, name, size, media_type,
        sha256, uploaded_at, uploaded_by, uploaded_email)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    SUBSCRIPTION_COUNT = "SELECT count(*) FROM subscription WHERE team_id = $1 AND state <> 'gone'";
    SEQUENCE_INSERT = "INSERT INTO subscription_sequence (subscription_id, last) VALUES ($1, 0)";
    SUBSCRIPTION_STATE_PUT = "UPDATE subscription
        SET state = $1, state_reason = $2, state_since = $3, state_by = $4, state_code = $5,
        probe_at = $6, probes = 0,
        warned = CASE WHEN $1 = 'paused' THEN warned ELSE 0 END,
        resumed_at = CASE WHEN state = 'paused' AND $1 IN ('active', 'failing') THEN $3 ELSE resumed_at END,
        failing_since = CASE WHEN $1 = 'failing' THEN $3 WHEN $1 = 'active' THEN NULL
            ELSE failing_since END,
        revision = revision + 1
        WHERE id = $7";
    DESTINATION = "SELECT s.target_url, s.team_id, s.state, s.revision,
        s.ordering, s.rate_per_second, s.settings,
        s.failing_since, s.warned, s.probe_at, s.probes,
        k.id, k.kind, k.sealed, k.created_at, k.valid_until, s.credentials
        FROM subscription s LEFT JOIN subscription_secret k ON k.subscription_id = s.id
        WHERE s.id = $1";
    SECRET_LIST = "SELECT id, kind, public_key, created_at, valid_until FROM subscription_secret
        WHERE subscription_id = $1 AND team_id = $2 ORDER BY created_at DESC, id DESC";
    SECRET_SEALED = "SELECT id, sealed FROM subscription_secret
        WHERE subscription_id = $1 AND team_id = $2 AND kind = $3 ORDER BY created_at DESC, id DESC";
    SECRET_PUBLISHED = "SELECT id, public_key FROM subscription_secret
        WHERE team_id = $1 AND public_key IS NOT NULL AND (valid_until IS NULL OR valid_until > $2)
        ORDER BY created_at DESC, id DESC LIMIT $3";
    SECRET_HOLD = "UPDATE subscription SET revision = revision + 1
        WHERE id = $1 AND team_id = $2 AND state <> 'gone'";
    SECRET_INSERT = "INSERT INTO subscription_secret (id, subscription_id, team_id, kind, sealed,
        public_key, created_at, valid_until)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    SECRET_END = "UPDATE subscription_secret SET valid_until = $1
        WHERE id = $2 AND subscription_id = $3";
    SECRET_REMOVE = "DELETE FROM subscription_secret WHERE id = $1 AND subscription_id = $2";
    FEED_HEAD = "SELECT s.revision, q.last,
        (SELECT sequence FROM delivery WHERE subscription_id = s.id AND sequence > 0 ORDER BY sequence LIMIT 1)
        FROM subscription s JOIN subscription_sequence q ON q.subscription_id = s.id
        WHERE s.id = $1 AND s.team_id = $2";
    SUBSCRIPTION_WARNED_PUT = "UPDATE subscription SET warned = $1, revision = revision + 1
        WHERE id = $2";
    SUBSCRIPTION_PROBED = "UPDATE subscription SET probe_at = $1, probes = $2 WHERE id = $3";
    STAND_GET = "SELECT state_code, failing_since, warned, probe_at, probes FROM subscription
        WHERE id = $1 AND team_id = $2";
    PROBE_NEXT = "SELECT min(probe_at) FROM subscription WHERE probe_at IS NOT NULL";
    NOTICE_INSERT = "INSERT INTO notice (team_id, id, kind, subscription_id, text, code, at, seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    NOTICE_TRIM = "DELETE FROM notice WHERE team_id = $1 AND id <= (
        SELECT id FROM notice WHERE team_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
    NOTICE_PAGE = "SELECT id, kind, subscription_id, text, code, at, seen_at FROM notice
        WHERE team_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    NOTICE_PAGE_UNSEEN = "SELECT id, kind, subscription_id, text, code, at, seen_at FROM notice
        WHERE team_id = $1 AND id < $2 AND seen_at IS NULL ORDER BY id DESC LIMIT $3";
    NOTICE_SEE = "UPDATE notice SET seen_at = $1
        WHERE team_id = $2 AND id >= $3 AND id <= $4 AND seen_at IS NULL";
    DELIVERY_CANCEL_MARK = "UPDATE delivery SET cancelled_by = $1 WHERE id = $2";
    DELIVERY_CANCEL = "UPDATE delivery SET cancelled_by = $1, due_at = NULL, manual_by = NULL,
        replay = NULL, state = CASE WHEN delivered_at IS NULL THEN 'cancelled' ELSE 'delivered' END
        WHERE id = $2";
    DELIVERY_REDELIVER = "UPDATE delivery SET state = 'waiting', manual_by = $1,
        due_at = CASE WHEN state = 'waiting' AND behind > 0 THEN due_at ELSE $2 END,
        reason = CASE WHEN state = 'waiting' AND behind > 0 THEN reason ELSE '' END,
        chain = CASE WHEN state = 'waiting' THEN chain END,
        behind = CASE WHEN state = 'waiting' THEN behind END,
        cancelled_by = NULL, replay = NULL
        WHERE id = $3";
    REPLAY_COLUMNS = "id, team_id, made_at, made_by, state, reason, filter, to_subscription,
        rate_per_second, bound, reached, reached_at, done, being_sent, body_gone, subscription_ended,
        already_there, next_at, ended_at";
    REPLAY_COUNT = "SELECT count(*) FROM replay_job
        WHERE team_id = $1 AND state IN ('running', 'paused')";
    REPLAY_BOUND = "SELECT id FROM delivery WHERE team_id = $1 ORDER BY id DESC LIMIT 1";
    REPLAY_INSERT = "INSERT INTO replay_job (id, team_id, made_at, made_by, state, reason, filter,
        to_subscription, rate_per_second, bound, done, being_sent, body_gone, subscription_ended,
        already_there, next_at)
        VALUES ($1, $2, $3, $4, $5, '', $6, $7, $8, $9, 0, 0, 0, 0, 0, $10)";
    REPLAY_PUT = "UPDATE replay_job SET state = $1, reason = $2, reached = $3, reached_at = $4,
        done = $5, being_sent = $6, body_gone = $7, subscription_ended = $8, already_there = $9,
        next_at = $10, ended_at = $11
        WHERE id = $12";
    REPLAY_FORGET = "DELETE FROM replay_job WHERE id IN (SELECT id FROM replay_job
        WHERE state IN ('done', 'cancelled') AND id < $1 AND ended_at < $2 LIMIT $3)";
    CHECKLIST_HEAD = "SELECT id, key, version, name, created_at, created_by, created_email,
        scheduled_at, started_at, ended_at, archived_at
        FROM checklist WHERE id = $1 AND team_id = $2";
    CHECKLIST_PARAMETERS = "SELECT parameters FROM checklist WHERE id = $1 AND team_id = $2";
    TASK_ASSIGNEES_REMOVE = "DELETE FROM task_assignee WHERE task_id = $1";
    TASK_ASSIGNEE_INSERT = "INSERT INTO task_assignee (task_id, place, member_id, group_id)
        VALUES ($1, $2, $3, $4)";
    TASK_ASSIGNED_PUT = "UPDATE checklist_task SET assigned = $1 WHERE id = $2";
    FIELD_VALUES = "SELECT id, value FROM field WHERE id >= $1 AND id < $2";
    FIELD_FILES = "SELECT key, field_id, name, size, media_type, sha256,
        uploaded_at, uploaded_by, uploaded_email
        FROM file WHERE field_id >= $1 AND field_id < $2 ORDER BY field_id, number";
    FILE_PAGE = "SELECT key, field_id, name, size, media_type, sha256,
        uploaded_at, uploaded_by, uploaded_email
        FROM file WHERE team_id = $1 AND control_key = $2
        ORDER BY number DESC LIMIT $3 OFFSET $4";
    FILE_GET = "SELECT key, field_id, name, size, media_type, sha256,
        uploaded_at, uploaded_by, uploaded_email
        FROM file WHERE key = $1 AND team_id = $2";
    FIELD_REMOVE = "DELETE FROM field WHERE id = $1";
    MARK_GET = "SELECT value FROM meta WHERE name = $1";
    MARK_MAKE = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    MARK_REPLACE = "UPDATE meta SET value = $1 WHERE name = $2";
    CHORE_BEGIN = "INSERT INTO chore (name, round, held_until, done_at) VALUES ($1, 1, $2, NULL)
        ON CONFLICT (name) DO UPDATE SET round = chore.round + 1, held_until = excluded.held_until
        WHERE (chore.held_until IS NULL OR chore.held_until <= $3)
            AND (chore.done_at IS NULL OR chore.done_at <= $4)
        RETURNING round";
    CHORE_GET = "SELECT held_until, done_at FROM chore WHERE name = $1";
    CHORE_KEEP = "UPDATE chore SET held_until = $1
        WHERE name = $2 AND round = $3 AND held_until > $4";
    CHORE_END = "UPDATE chore SET held_until = NULL, done_at = $1
        WHERE name = $2 AND round = $3 AND held_until > $1";
    ATTEMPTS_OF = "SELECT number, manual_by, started_at, duration_ms, outcome, status, error, target,
        signature, response_headers, response_body, response_truncated, replay
        FROM attempt WHERE delivery_id = $1 ORDER BY number";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of a text's parameters in the order in which they first appear.
    fn first_appearances(text: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for part in text.split('$').skip(1) {
            let digits = part
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(part.len());
            let number = part[..digits].parse().expect("a number follows the sign");
            if !found.contains(&number) {
                found.push(number);
            }
        }
        found
    }

    #[test]
    fn a_parameter_means_the_same_on_both() {
        for (name, text) in ALL {
            let found = first_appearances(text);
            let expected: Vec<usize> = (1..=found.len()).collect();
            assert_eq!(found, expected, "{name}: {text}");
        }
        assert_eq!(first_appearances("SET a = $2 WHERE id = $1 OR $2"), [2, 1]);
    }

    #[test]
    fn sqlite_numbers_them_as_this_says() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        for (text, expected) in [("SELECT $1, $2", (1, 2)), ("SELECT $2, $1", (1, 2))] {
            let row = db.query_row(text, (1, 2), |row| Ok((row.get(0)?, row.get(1)?)));
            assert_eq!(
                row.unwrap(),
                expected,
                "{text}: by place, whatever its number"
            );
        }
    }
}
