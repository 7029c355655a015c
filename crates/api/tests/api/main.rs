//! The router in process, on a real SQLite store: whole answers, as a client sees them.

#![expect(clippy::unwrap_used, reason = "panicking is how a test fails")]

mod acting;
mod assignments;
mod bad_input;
mod checklists;
mod edges;
mod erasing;
mod event_types;
mod explain;
mod feed;
mod files;
mod harness;
mod health;
mod lists;
mod once;
mod people;
mod proving;
mod rates;
mod replays;
mod rights;
mod rules;
mod secrets;
mod subscription_changes;
mod subscription_requests;
mod tasks;
mod templates;
mod unreadable;
mod webhooks;
