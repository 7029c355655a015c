//! PostgreSQL keeps every promise of the seam, and the suite that says so notices when one is broken.

use crate::OnPostgres;
use testkit::Fault;

testkit::conformance_tests!(OnPostgres::new());

#[test]
fn a_lease_that_is_ignored_is_noticed() {
    Fault::LeaseIgnored.check_is_noticed(OnPostgres::new);
}

#[test]
fn an_event_without_its_deliveries_is_noticed() {
    Fault::EventWithoutDeliveries.check_is_noticed(OnPostgres::new);
}

#[test]
fn a_rollback_that_is_lost_is_noticed() {
    Fault::RollbackLost.check_is_noticed(OnPostgres::new);
}

#[test]
fn a_hand_over_before_the_commit_is_noticed() {
    Fault::HandOverBeforeCommit.check_is_noticed(OnPostgres::new);
}

#[test]
fn what_is_taken_twice_is_noticed() {
    Fault::TakenTwice.check_is_noticed(OnPostgres::new);
}

#[test]
fn a_retry_that_is_lost_is_noticed() {
    Fault::RetryLost.check_is_noticed(OnPostgres::new);
}

#[test]
fn an_attempt_that_a_rescue_forgets_is_noticed() {
    Fault::AttemptForgotten.check_is_noticed(OnPostgres::new);
}

#[test]
fn a_delivery_that_is_rescued_for_ever_is_noticed() {
    Fault::RescuedForEver.check_is_noticed(OnPostgres::new);
}
