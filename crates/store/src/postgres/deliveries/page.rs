//! The text of a page of the log, put together from what is asked for.

use domain::TeamId;

use super::{
    super::{tx::Owned, values::Moment},
    log::COLUMNS,
};
use crate::{
    DeliveryQuery,
    identifiers::{CLOCK_BACK_MAX, earliest_id},
    shown::Part,
};

/// The text and the values of a page of the log, newest first by identifier.
pub(super) fn page_statement(
    team: TeamId,
    query: &DeliveryQuery,
    Part { term, copies }: Part,
) -> (String, Vec<Owned>) {
    let mut page = PageStatement::default();
    page.and("d.team_id = ?", team.get());
    if let Some(checklist) = query.checklist {
        page.and("e.checklist_id = ?", checklist.get());
    }
    if let Some(event) = query.event {
        page.and("e.id = ?", event.uuid());
        page.and("e.team_id = ?", team.get());
    }
    let from = if copies {
        "event e JOIN delivery d ON d.event = e.id AND d.copied_by IS NOT NULL
            JOIN subscription s ON s.id = d.subscription_id"
    } else if query.of_event() {
        "event e JOIN delivery d ON d.id BETWEEN e.first_delivery AND e.last_delivery
                AND d.event = e.id
            JOIN subscription s ON s.id = d.subscription_id"
    } else {
        "delivery d JOIN event e ON e.id = d.event
            JOIN subscription s ON s.id = d.subscription_id"
    };
    if let Some(subscription) = query.subscription {
        page.and("d.subscription_id = ?", subscription.uuid());
    }
    if let Some(text) = term.text() {
        page.say(text);
    }
    page.filters(query);
    page.bound.push(Box::new(i64::from(query.limit)));
    let PageStatement { text, bound } = page;
    let limit = bound.len();
    let sql =
        format!("SELECT {COLUMNS} FROM {from} WHERE {text} ORDER BY d.id DESC LIMIT ${limit}");
    (sql, bound)
}

#[derive(Default)]
struct PageStatement {
    text: String,
    bound: Vec<Owned>,
}

impl PageStatement {
    fn say(&mut self, term: &str) {
        if !self.text.is_empty() {
            self.text += " AND ";
        }
        self.text += term;
    }

    fn and(
        &mut self,
        term: &str,
        value: impl tokio_postgres::types::ToSql + Sync + Send + 'static,
    ) {
        self.bound.push(Box::new(value));
        self.say(&term.replace('?', &format!("${}", self.bound.len())));
    }

    fn filters(&mut self, query: &DeliveryQuery) {
        if let Some(event_type) = query.event_type {
            self.and("e.type = ?", event_type.word());
        }
        if let Some(class) = query.status_class {
            self.and("d.last_status >= ?", i64::from(class) * 100);
            self.and("d.last_status < ?", (i64::from(class) + 1) * 100);
        }
        if let Some(before) = query.before {
            self.and("d.id < ?", before.uuid());
        }
        // An identifier is never of an earlier time than its event.
        if let Some(since) = query.since {
            self.and("(e.at >= ? OR d.copied_by IS NOT NULL)", Moment(since));
            self.and("d.id >= ?", earliest_id(since));
        }
        if let Some(until) = query.until {
            // What a job made of an older event is listed by when that was.
            self.bound.push(Box::new(earliest_id(until)));
            let made = self.bound.len();
            self.and(
                &format!("(e.at < ? OR d.copied_by IS NOT NULL AND d.id < ${made})"),
                Moment(until),
            );
            self.and("d.id < ?", earliest_id(until.after(CLOCK_BACK_MAX)));
        }
    }
}
