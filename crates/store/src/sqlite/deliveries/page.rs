//! The text of a page of the log, put together from what is asked for.

use domain::TeamId;
use rusqlite::types::Value;

use super::{super::values::blob, log::COLUMNS};
use crate::{
    DeliveryQuery,
    identifiers::{CLOCK_BACK_MAX, earliest_id},
    shown::{Part, Term},
};

/// What is walked for a page, in which order.
struct Way {
    from: &'static str,
    order: &'static str,
}

/// The index by which an event is found, whatever its type.
pub(in crate::sqlite) const EVERY_TYPE: &str = "('new_checklist', 'task_completed',
    'file_uploaded', 'subscription_failing', 'subscription_paused', 'subscription_recovered')";

macro_rules! by_index {
    ($index:literal) => {
        concat!(
            "delivery d INDEXED BY ",
            $index,
            " CROSS JOIN event e ON e.number = d.event
                CROSS JOIN subscription s ON s.id = d.subscription_id"
        )
    };
}

/// The way in is chosen here, not by SQLite: an event and a checklist have few deliveries, what did not succeed has
/// its own indexes, a subscription its own order, and for the rest the team's order is walked.
///
/// What waits is few compared with what was delivered, so one subscription's is looked for among the team's.
const fn way(query: &DeliveryQuery, part: Part) -> Way {
    let from = match (part.term, query.subscription) {
        _ if part.copies && query.event.is_some() => {
            "event e INDEXED BY event_log CROSS JOIN delivery d INDEXED BY delivery_copied
                ON d.event = e.number AND d.copied_by IS NOT NULL
            JOIN subscription s ON s.id = d.subscription_id"
        }
        _ if part.copies => {
            "event e CROSS JOIN delivery d INDEXED BY delivery_copied
                ON d.event = e.number AND d.copied_by IS NOT NULL
            JOIN subscription s ON s.id = d.subscription_id"
        }
        _ if query.event.is_some() => {
            "event e INDEXED BY event_log CROSS JOIN delivery d ON d.id BETWEEN e.first_delivery
                AND e.last_delivery
            JOIN subscription s ON s.id = d.subscription_id"
        }
        _ if query.checklist.is_some() => {
            "event e CROSS JOIN delivery d ON d.id BETWEEN e.first_delivery
                AND e.last_delivery
            JOIN subscription s ON s.id = d.subscription_id"
        }
        (Term::Most(_), Some(_)) => {
            return Way {
                from: "delivery d CROSS JOIN event e ON e.number = d.event
            CROSS JOIN subscription s ON s.id = d.subscription_id",
                order: "d.sequence",
            };
        }
        (Term::Most(_), None) => by_index!("delivery_of_team"),
        // Few are being sent at any moment.
        (Term::Leased(_), _) => by_index!("delivery_leased"),
        (Term::Ended(_), Some(_)) => by_index!("delivery_ended"),
        (Term::Waiting(_) | Term::Ended(_), _) => by_index!("delivery_open"),
    };
    Way {
        from,
        order: "d.id",
    }
}

/// The text and the values of a page of the log.
pub(super) fn page_statement(
    team: TeamId,
    query: &DeliveryQuery,
    part: Part,
) -> (String, Vec<Value>) {
    let mut page = PageStatement::default();
    let Way { from, order } = way(query, part);
    if let Some(event) = query.event {
        page.and("e.team_id = ?", team.get());
        page.say(&format!("e.type IN {EVERY_TYPE}"));
        page.and("e.id = ?", blob(event.uuid()));
    }
    if let Some(checklist) = query.checklist {
        page.and("e.checklist_id = ?", checklist.get());
    }
    let by_subscription = from.contains("delivery_ended") || order == "d.sequence";
    if let Some(subscription) = query.subscription {
        let own = if by_subscription {
            "d.subscription_id = ?"
        } else {
            "+d.subscription_id = ?"
        };
        page.and(own, blob(subscription.uuid()));
    }
    page.and(
        if by_subscription {
            "+d.team_id = ?"
        } else {
            "d.team_id = ?"
        },
        team.get(),
    );
    if let Some(text) = part.term.text() {
        page.say(text);
    }
    page.filters(query, order);
    let PageStatement { text, mut bound } = page;
    bound.push(i64::from(query.limit).into());
    let sql = format!("SELECT {COLUMNS} FROM {from} WHERE {text} ORDER BY {order} DESC LIMIT ?");
    (sql, bound)
}

#[derive(Default)]
struct PageStatement {
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

    fn filters(&mut self, query: &DeliveryQuery, order: &str) {
        if let Some(event_type) = query.event_type {
            self.and("e.type = ?", event_type.word().to_owned());
        }
        if let Some(class) = query.status_class {
            self.and("d.last_status >= ?", i64::from(class) * 100);
            self.and("d.last_status < ?", (i64::from(class) + 1) * 100);
        }
        if let Some(since) = query.since {
            self.and("(e.at >= ? OR d.copied_by IS NOT NULL)", since.as_millis());
        }
        if let Some(until) = query.until {
            // What a job made of an older event is listed by when that was.
            self.and(
                "(e.at < ? OR d.copied_by IS NOT NULL AND d.id < ?)",
                until.as_millis(),
            );
            self.bound.push(blob(earliest_id(until)));
        }
        self.range(query, order);
    }

    /// Where in the order the page begins and ends.
    fn range(&mut self, query: &DeliveryQuery, order: &str) {
        let before = query.before.map(|before| blob(before.uuid()));
        if let (Some(subscription), "d.sequence") = (query.subscription, order) {
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
