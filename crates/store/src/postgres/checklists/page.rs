//! The text of a list of checklists, put together from what is asked for.

use domain::{ChecklistFilter, RECENTLY};

use super::super::{tx::Owned, values::Moment};
use crate::{
    ChecklistQuery,
    names::{containing, folded},
};

/// The text and the values of a list of checklists.
pub(super) fn page_statement(query: &ChecklistQuery) -> (String, Vec<Owned>) {
    let mut bound: Vec<Owned> = vec![
        Box::new(query.team.get()),
        Box::new(query.template.uuid()),
        Box::new(i64::from(query.page.size)),
        Box::new(query.page.offset()),
    ];
    let mut sql = "SELECT id FROM checklist WHERE team_id = $1 AND template_key = $2".to_owned();
    let mut and = |term: &str, value: Owned| {
        bound.push(value);
        sql += &term.replace('?', &format!("${}", bound.len()));
    };
    if let Some(key) = query.key {
        and(" AND key = ?", Box::new(key.uuid()));
    }
    if query.status == ChecklistFilter::RecentlyComplete {
        and(
            " AND ended_at >= ?",
            Box::new(Moment(query.now.before(RECENTLY))),
        );
    }
    if let Some(name) = &query.name {
        let pattern = containing(&folded(name));
        and(r" AND name_folded LIKE ? ESCAPE '\'", Box::new(pattern));
    }
    sql += match query.status {
        ChecklistFilter::All | ChecklistFilter::RecentlyComplete => "",
        ChecklistFilter::Scheduled => " AND started_at IS NULL",
        ChecklistFilter::InProgress => " AND started_at IS NOT NULL AND ended_at IS NULL",
        ChecklistFilter::Complete => " AND ended_at IS NOT NULL",
    };
    sql += " ORDER BY id DESC LIMIT $3 OFFSET $4";
    (sql, bound)
}
