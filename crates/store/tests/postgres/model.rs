//! PostgreSQL keeps every delivery as the reference has it, whatever happens, and the courses that say so notice
//! when it does not.

use crate::OnPostgres;
use testkit::{Fault, model};

#[test]
fn deliveries_stand_as_they_should_whatever_happens() {
    model::check(OnPostgres::new);
}

#[test]
fn a_lease_that_is_ignored_is_noticed() {
    model::check_notices(Fault::LeaseIgnored, OnPostgres::new);
}

#[test]
fn an_event_without_its_deliveries_is_noticed() {
    model::check_notices(Fault::EventWithoutDeliveries, OnPostgres::new);
}

#[test]
fn a_rollback_that_is_lost_is_noticed() {
    model::check_notices(Fault::RollbackLost, OnPostgres::new);
}

#[test]
fn a_hand_over_before_the_commit_is_noticed() {
    model::check_notices(Fault::HandOverBeforeCommit, OnPostgres::new);
}

#[test]
fn what_is_taken_twice_is_noticed() {
    model::check_notices(Fault::TakenTwice, OnPostgres::new);
}

#[test]
fn a_retry_that_is_lost_is_noticed() {
    model::check_notices(Fault::RetryLost, OnPostgres::new);
}

#[test]
fn an_attempt_that_a_rescue_forgets_is_noticed() {
    model::check_notices(Fault::AttemptForgotten, OnPostgres::new);
}

#[test]
fn a_delivery_that_is_rescued_for_ever_is_noticed() {
    model::check_notices(Fault::RescuedForEver, OnPostgres::new);
}
