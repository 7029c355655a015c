//! Deliveries explored at random: a reference that says how they should stand, and courses of operations
//! after each of which a store must agree with it.
//!
//! A backend hands itself over as a [`Fixture`]. What is checked, whatever happens:
//!
//! - *Nothing is lost.* An event has exactly one delivery for each subscription that it reaches, numbered
//!   without gaps; each stands as the reference has it, is due when it says, and was tried as often.
//! - *Nothing is settled twice.* An attempt ends once, and only for whoever holds its lease. What was undone
//!   has changed nothing.
//! - *What arrived has arrived.* A delivery that its receiver took ends as delivered, whoever has it sent again.
//! - *A probe is one.* Of a subscription that the system has paused one delivery at most is tried at a time, and no
//!   probe is the last attempt.
//! - *Nothing is pulled from under who sends it.* What is not kept any longer goes from wherever it stands, but for
//!   what is leased.
//! - *A job says what it did.* Redelivery jobs find what they are about, and their counts are what became due.
//! - *Every state has a way out.* From wherever a course has led, all comes to an end once its subscription
//!   sends, time passes, and whoever may act does; or, where nobody does, once it is too old. The reference is asked
//!   that after each operation, and the store at the end.

mod again;
mod agree;
mod asking;
mod command;
mod course;
mod effects;
mod end;
mod ending;
mod jobs;
mod less;
mod operation;
mod outlook;
mod probing;
mod record;
mod seen;
mod state;
#[cfg(test)]
mod walk;

use std::{cell::Cell, sync::Arc};

use proptest::test_runner::TestCaseResult;

use crate::{Fault, Faulty, Fixture, Trials};
use course::Course;
use operation::Operation;

/// How many courses are tried where nobody wants more: some ten seconds' worth.
const COURSES: u32 = 80;

/// Tries courses on stores that `fixture` opens, and fails with the shortest that goes wrong.
pub fn check<F: Fixture>(fixture: impl Fn() -> F) {
    check_courses(COURSES, fixture);
}

/// Tries so many, on stores that take long to open.
pub fn check_courses<F: Fixture>(courses: u32, fixture: impl Fn() -> F) {
    Trials::new(courses).run(&operation::course(), |operations| {
        run(Arc::new(fixture()), &operations)
    });
}

/// Checks that `fault`, in front of what `sound` makes, goes wrong within as many courses.
pub fn check_notices<F: Fixture>(fault: Fault, sound: impl Fn() -> F) {
    let trials = Trials::new(COURSES).without_shrinking();
    let tried = Cell::new(0);
    let complaint = trials.complaint(&operation::course(), |operations| {
        tried.set(tried.get() + 1);
        run(Arc::new(Faulty::new(sound(), fault)), &operations)
    });
    println!("course {} of at most {COURSES} notices it", tried.get());
    assert!(
        complaint.is_some(),
        "{COURSES} courses do not notice {fault:?}"
    );
}

/// One course, in a runtime of its own.
fn run(fixture: Arc<dyn Fixture>, operations: &[Operation]) -> TestCaseResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut course = Course::start(fixture).await;
        for operation in operations {
            course.step(operation).await?;
        }
        course.end().await
    })
}
