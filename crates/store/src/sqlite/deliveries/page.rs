//! The text of a page of the log, put together from what is asked for.

use domain::{DeliveryState, TeamId};
use rusqlite::types::Value;

use super::{super::values::blob, log::COLUMNS};
use crate::{
    DeliveryQuery,
    identifiers::{CLOCK_BACK_MAX, earliest_id},
};

/// The text and the values of a page of the log.
///
/// The way in is chosen here, not by SQLite: a checklist has few events, a subscription its own
/// order, what did not succeed its own index, and for the rest the team's order is walked.
pub(super) fn page_statement(
    team: TeamId,
    query: &DeliveryQuery,
    state: Option<&'static str>,
) -> (String, Vec<Value>) {
    let mut page = PageStatement::default();
    let mut order = "d.id";
    if let Some(checklist) = query.checklist {
        page.from = "event e CROSS JOIN delivery d ON d.id BETWEEN e.first_delivery
                AND e.last_delivery
            JOIN subscription s ON s.id = d.subscription_id";
        page.and("e.checklist_id = ?", checklist.get());
        page.and("d.team_id = ?", team.get());
    } else if let Some(subscription) = query.subscription {
        page.from = "delivery d CROSS JOIN event e ON e.number = d.event
            CROSS JOIN subscription s ON s.id = d.subscription_id";
        page.and("d.subscription_id = ?", blob(subscription.uuid()));
        page.and("+d.team_id = ?", team.get());
        order = "d.sequence";
    } else {
        page.from = match query.state {
            None | Some(DeliveryState::Delivered) => {
                "delivery d INDEXED BY delivery_of_team CROSS JOIN event e ON e.number = d.event
                CROSS JOIN subscription s ON s.id = d.subscription_id"
            }
            // Few are being sent at any moment.
            Some(DeliveryState::Leased) => {
                "delivery d INDEXED BY delivery_leased CROSS JOIN event e ON e.number = d.event
                CROSS JOIN subscription s ON s.id = d.subscription_id"
            }
            Some(_) => {
                "delivery d INDEXED BY delivery_open CROSS JOIN event e ON e.number = d.event
                CROSS JOIN subscription s ON s.id = d.subscription_id"
            }
        };
        page.and("d.team_id = ?", team.get());
    }
    if let (Some(subscription), true) = (query.subscription, query.checklist.is_some()) {
        page.and("+d.subscription_id = ?", blob(subscription.uuid()));
    }
    if let Some(state) = state {
        page.say(state);
    }
    page.filters(query);
    let PageStatement {
        from,
        text,
        mut bound,
    } = page;
    bound.push(i64::from(query.limit).into());
    let sql = format!("SELECT {COLUMNS} FROM {from} WHERE {text} ORDER BY {order} DESC LIMIT ?");
    (sql, bound)
}

#[derive(Default)]
struct PageStatement {
    from: &'static str,
    text: String,
    bound: Vec<Value>,
}

impl PageStatement {
    fn say(&mut self, term: &str) {
        if !self.text.is_empty() {
            self.text += " AND ";
        }
        self.text += term;
    }

    fn and(&mut self, term: &str, value: impl Into<Value>) {
        self.say(term);
        self.bound.push(value.into());
    }

    fn filters(&mut self, query: &DeliveryQuery) {
        if let Some(event_type) = query.event_type {
            self.and("s.event_type = ?", event_type.word().to_owned());
        }
        if let Some(class) = query.status_class {
            self.and("d.last_status >= ?", i64::from(class) * 100);
            self.and("d.last_status < ?", (i64::from(class) + 1) * 100);
        }
        if let Some(since) = query.since {
            self.and("e.at >= ?", since.as_millis());
        }
        if let Some(until) = query.until {
            self.and("e.at < ?", until.as_millis());
        }
        self.range(query);
    }

    /// Where in the order the page begins and ends.
    fn range(&mut self, query: &DeliveryQuery) {
        let before = query.before.map(|before| blob(before.uuid()));
        if let (Some(subscription), None) = (query.subscription, query.checklist) {
            if let Some(before) = before {
                // Its sequence says where it stands. Of one that was pruned since, that of the oldest after it
                // does: what is older than one that was pruned are few.
                self.say(
                    "d.sequence < coalesce(
                        (SELECT c.sequence FROM delivery c WHERE c.id = ? AND +c.subscription_id = ?),
                        (SELECT n.sequence FROM delivery n WHERE n.subscription_id = ? AND n.id > ?
                            ORDER BY n.sequence LIMIT 1),
                        9223372036854775807)",
                );
                let of = blob(subscription.uuid());
                self.bound.extend([before.clone(), of.clone(), of, before]);
            }
            return;
        }
        if let Some(before) = before {
            self.and("d.id < ?", before);
        }
        // An identifier is never of an earlier time than its event.
        if let Some(since) = query.since {
            self.and("d.id >= ?", blob(earliest_id(since)));
        }
        if let Some(until) = query.until {
            self.and("d.id < ?", blob(earliest_id(until.after(CLOCK_BACK_MAX))));
        }
    }
}
