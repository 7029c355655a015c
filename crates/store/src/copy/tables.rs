//! What is copied: every table and column that both databases have, in an order in which what is referred to
//! comes first. Whatever is in a schema and not here is named below, with the reason; `tests` compares.

/// What a column holds, whichever database it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Bool,
    Text,
    Bytes,
    Guid,
    Time,
    Json,
}

/// A column that is copied.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// A table that is copied.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Its primary key, as SQL lists it.
    pub(crate) key: &'static str,
    pub(crate) columns: &'static [Column],
    /// Whether a database in which nobody has done anything yet has rows of it, which the copied ones replace.
    pub(crate) preset: bool,
}

impl Table {
    /// Where in its rows the column `name` stands.
    pub(crate) fn place(&self, name: &str) -> usize {
        let found = self.columns.iter().position(|column| column.name == name);
        found.expect("only columns of the list are asked for")
    }
}

macro_rules! table {
    ($name:ident by $key:literal: $($kind:ident $($column:ident)+;)+) => {
        Table {
            name: stringify!($name),
            key: $key,
            columns: &[$($(Column { name: column_name(stringify!($column)), kind: Kind::$kind },)+)+],
            preset: false,
        }
    };
    (preset $($table:tt)+) => {
        Table { preset: true, ..table!($($table)+) }
    };
}

/// `type` is a word of Rust, so it is written `r#type` above.
const fn column_name(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// All that is copied.
pub(crate) static TABLES: [Table; 26] = [
    table!(preset meta by "name": Text name; Bytes value;),
    table!(preset counter by "name": Text name; Int next;),
    table!(team by "id": Int id; Text name; Time created_at;),
    table!(api_key by "id":
        Guid id; Int team_id; Text name prefix; Bytes hash; Time created_at revoked_at;
        Text rights; Time expires_at used_at;),
    table!(audit by "team_id, number":
        Int team_id number; Time at; Guid key_id; Text by_name door action subject detail;
        Int member_id;),
    table!(member by "id":
        Int id team_id; Text name name_folded email email_folded role; Time created_at deactivated_at;),
    table!(team_group by "id":
        Int id team_id; Text name name_folded avatar colour; Time created_at removed_at;),
    table!(group_member by "group_id, member_id": Int group_id member_id;),
    table!(kept_answer by "id": Bytes id; Time at; Bytes request answer;),
    table!(template by "key":
        Guid key; Int team_id; Text name name_folded; Guid version; Time created_at updated_at;),
    table!(template_version by "id": Guid id template_key; Json document; Time created_at;),
    table!(template_task by "key":
        Guid key; Int team_id; Guid template_key; Text name; Bool heading current;),
    table!(template_control by "key":
        Guid key; Int team_id; Guid template_key task_key; Int id; Text name r#type; Bool current;),
    table!(checklist by "id":
        Int id; Guid key; Int team_id; Guid template_key version; Text name name_folded;
        Time created_at; Text created_by created_email;
        Time scheduled_at started_at ended_at archived_at; Text parameters;),
    table!(checklist_task by "id":
        Int id; Guid key; Text status; Time done_at; Text done_by done_email;
        Int completions assigned; Time due_at;),
    table!(task_assignee by "task_id, place": Int task_id place member_id group_id;),
    table!(field by "id": Int id; Text value;),
    table!(file by "number":
        Int number; Guid key; Int team_id; Guid control_key; Int field_id; Text name; Int size;
        Text media_type; Bytes sha256; Time uploaded_at; Text uploaded_by uploaded_email;),
    table!(subscription by "id":
        Guid id; Int team_id; Text source event_type scope; Guid scope_key; Text target_url;
        Int revision; Text state state_reason; Time state_since; Text state_by;
        Time created_at; Text ordering; Int rate_per_second; Text settings;
        Text state_code; Time failing_since; Int warned; Time probe_at; Int probes;
        Bytes credentials; Time resumed_at;),
    table!(subscription_secret by "id":
        Guid id subscription_id; Int team_id; Text kind; Bytes sealed public_key;
        Time created_at valid_until;),
    table!(subscription_sequence by "subscription_id": Guid subscription_id; Int last;),
    table!(event by "id":
        Guid id; Int team_id; Text r#type; Time at; Int checklist_id;
        Guid template_key task_key control_key first_delivery last_delivery; Bytes body;),
    table!(delivery by "id":
        Guid id; Int team_id; Guid subscription_id event; Int sequence; Text state reason;
        Int attempts; Time due_at; Guid lease_node; Time lease_until; Text manual_by;
        Time delivered_at last_ended_at; Text last_outcome; Int last_status;
        Time first_started_at; Int first_duration_ms first_status;
        Text first_target first_signature first_response_headers; Bytes first_response_body;
        Bool first_response_truncated; Int chain behind; Text cancelled_by; Guid replay copied_by;),
    table!(attempt by "delivery_id, number":
        Guid delivery_id; Int number; Text manual_by; Time started_at; Int duration_ms;
        Text outcome; Int status; Text error target signature response_headers;
        Bytes response_body; Bool response_truncated; Guid replay;),
    table!(notice by "team_id, id":
        Int team_id; Guid id; Text kind; Guid subscription_id; Text text code; Time at seen_at;),
    table!(replay_job by "id":
        Guid id; Int team_id; Time made_at; Text made_by state reason filter; Guid to_subscription;
        Int rate_per_second; Guid bound reached; Time reached_at;
        Int done being_sent body_gone subscription_ended already_there; Time next_at ended_at;),
];

/// The table `name`.
pub(crate) fn table(name: &str) -> &'static Table {
    let found = TABLES.iter().find(|table| table.name == name);
    found.expect("only tables of the list are asked for")
}

/// Tables that are not copied, and why.
#[cfg(test)]
pub(crate) const NOT_COPIED: [(&str, &str); 3] = [
    (
        "chore",
        "which server does at the moment what one does at a time",
    ),
    ("node", "who is alive on this database at the moment"),
    ("schema_step", "how this database came to its schema"),
];

/// Columns that only one of the two databases has, and why they are not copied.
#[cfg(test)]
pub(crate) const OF_ONE: [(&str, &str, &str); 3] = [
    (
        "template_version",
        "number",
        "SQLite's own number of the row",
    ),
    ("event", "number", "SQLite's own number of the row"),
    (
        "subscription",
        "target_hash",
        "PostgreSQL's own, made from target_url",
    ),
];
