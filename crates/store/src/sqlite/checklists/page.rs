//! The text of a list of checklists, put together from what is asked for.

use domain::{ChecklistFilter, RECENTLY};
use rusqlite::types::Value;

use super::super::values::blob;
use crate::{
    ChecklistQuery,
    names::{containing, folded},
};

/// The text and the values of a list of checklists.
pub(super) fn page_statement(query: &ChecklistQuery) -> (String, Vec<Value>) {
    let mut bound = vec![blob(query.template.uuid()), query.team.get().into()];
    // A unary plus keeps a term from choosing the index: by key there is one row at most.
    let mut sql = "SELECT id FROM checklist WHERE ".to_owned();
    if let Some(key) = query.key {
        sql += "+template_key = ? AND +team_id = ? AND key = ?";
        bound.push(blob(key.uuid()));
    } else {
        sql += "template_key = ? AND team_id = ?";
    }
    sql += match query.status {
        ChecklistFilter::All => "",
        ChecklistFilter::Scheduled => " AND started_at IS NULL",
        ChecklistFilter::InProgress => " AND started_at IS NOT NULL AND ended_at IS NULL",
        ChecklistFilter::RecentlyComplete => " AND ended_at >= ?",
        ChecklistFilter::Complete => " AND ended_at IS NOT NULL",
    };
    if query.status == ChecklistFilter::RecentlyComplete {
        bound.push(query.now.before(RECENTLY).as_millis().into());
    }
    if let Some(name) = &query.name {
        sql += r" AND name_folded LIKE ? ESCAPE '\'";
        bound.push(containing(&folded(name)).into());
    }
    sql += " ORDER BY id DESC LIMIT ? OFFSET ?";
    bound.extend([
        i64::from(query.page.size).into(),
        query.page.offset().into(),
    ]);
    (sql, bound)
}
