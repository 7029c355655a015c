//! Use cases on a real store, without a door and without an engine.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod files;
mod hot_path;
mod proving;
mod samples;
mod support;
mod unsure;
