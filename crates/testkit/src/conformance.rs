//! The conformance suite: what every backend of the store must do, case by case.
//!
//! A backend hands itself over as a [`Fixture`] and runs every case as a test of its own:
//!
//! ```text
//! testkit::conformance_tests!(MyFixture::new());
//! ```
//!
//! There is one list of cases, in this file. A case that is written and not listed is dead code to
//! the compiler, so none can be left out, by the suite or by a backend.

mod answers;
mod assignments;
mod checklists;
mod chores;
mod credentials;
mod crowds;
mod feed;
mod fields;
mod files;
mod filters;
mod handover;
mod health;
mod keeping;
mod log;
mod marks;
mod matching;
mod ordering;
mod people;
mod redelivering;
mod replaying;
mod rescuing;
mod searching;
mod secrets;
mod settling;
mod subscriptions;
mod taking;
mod tasks;
mod teams;
mod templates;
mod units;

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
};

use async_trait::async_trait;
use domain::Source;
use store::Store;

use crate::World;

/// A database of its own for one test, empty at first.
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// Opens the store. The test opens it again after [`Store::stop`], to see what is durable.
    async fn open(&self, source: Source) -> Store;

    /// Runs a statement behind the store's back, to see what it makes of rows that cannot be.
    fn tamper(&self, statement: &str) {
        panic!("nobody gets behind this store to run {statement}");
    }

    /// Whether changes stand in one line, however many are asked for at once. Where they do not, one that
    /// is under way may hold what another would have got, and then be undone.
    fn is_one_line(&self) -> bool {
        true
    }
}

/// A case on its way.
pub type Running<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// One thing that every backend must do.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name, `module::what_holds`.
    pub name: &'static str,
    /// Panics where it does not hold.
    pub run: for<'a> fn(&'a mut World) -> Running<'a>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Case {
    /// The case with this name.
    pub fn named(name: &str) -> Self {
        let found = CASES.iter().find(|case| case.name == name);
        *found.unwrap_or_else(|| panic!("there is no case {name}"))
    }

    /// Runs the case in a runtime of its own, so that it can be called from a plain test.
    pub fn check(self, fixture: impl Fixture) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(self.check_on(Arc::new(fixture)));
    }

    /// Runs the case like [`Case::check`], and answers what it complains of, if anything.
    pub fn complaint(self, fixture: impl Fixture) -> Option<String> {
        let panic = catch_unwind(AssertUnwindSafe(|| self.check(fixture))).err()?;
        Some(message(&*panic))
    }

    /// Runs the case in the present runtime.
    pub async fn check_on(self, fixture: Arc<dyn Fixture>) {
        let mut world = World::start(fixture).await;
        (self.run)(&mut world).await;
        world.finish().await;
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(ToString::to_string);
    let message = literal.or_else(|| panic.downcast_ref::<String>().cloned());
    message.unwrap_or_else(|| "a panic without words".to_owned())
}

macro_rules! cases {
    ($d:tt $($module:ident { $($name:ident,)* })*) => {
        /// Every case.
        pub const CASES: &[Case] = &[$($(Case {
            name: concat!(stringify!($module), "::", stringify!($name)),
            run: |world| Box::pin($module::$name(world)),
        },)*)*];

        /// Makes a test of each case, on the fixture that the expression makes.
        #[macro_export]
        macro_rules! conformance_tests {
            ($d fixture:expr) => {
                $(mod $module {
                    use super::*;
                    $(#[test]
                    fn $name() {
                        let name = concat!(stringify!($module), "::", stringify!($name));
                        $d crate::Case::named(name).check($d fixture);
                    })*
                })*
            };
        }
    };
}

cases! { $
    teams {
        a_team_is_found_by_its_number,
        a_key_is_found_by_its_hash_with_its_team,
        keys_of_a_team_are_listed_oldest_first,
        a_revoked_key_says_so_from_the_commit_on,
        a_key_keeps_what_it_may_do_until_when_and_its_last_use,
        audit_lines_are_read_back_newest_first,
    }
    people {
        a_member_is_read_back_and_changed,
        an_address_is_one_members_whatever_its_case,
        people_of_another_team_are_not_there,
        people_are_listed_by_name,
        a_group_has_the_members_that_it_was_given_last,
        a_removed_group_is_gone_and_its_name_is_free,
        who_changes_people_waits_for_who_does_already,
    }
    assignments {
        a_task_shows_whom_it_is_assigned_to_in_the_order_given,
        what_is_assigned_is_found_by_member_and_by_group,
        names_are_those_of_now_and_stay_with_what_was_assigned,
    }
    answers {
        an_answer_is_read_back_as_it_was_given,
        an_answer_goes_with_its_change_or_not_at_all,
        of_two_under_one_name_at_once_the_other_finds_the_first,
        answers_are_forgotten_by_age_in_slices,
    }
    chores {
        a_chore_is_one_nodes_until_it_is_done_and_comes_round_again,
        a_chore_of_which_nothing_is_heard_goes_to_the_next,
        who_lost_a_chore_changes_nothing_more,
        a_chore_that_many_ask_for_at_once_is_one_nodes,
        chores_do_not_wait_for_each_other,
    }
    marks {
        the_first_mark_of_a_name_stays_until_it_is_replaced,
        of_marks_made_at_once_all_get_the_same,
    }
    templates {
        a_template_is_read_back_whole,
        a_template_of_another_team_is_not_there,
        templates_are_listed_by_name,
        a_checklist_keeps_the_edition_it_was_made_from,
        known_keys_are_those_of_any_edition,
        what_an_edit_took_out_stays_findable,
        suggestions_are_of_the_newest_editions_by_name,
        a_number_for_a_control_is_given_once,
        a_control_keeps_its_number_across_editions,
    }
    checklists {
        a_checklist_is_read_back_whole,
        a_checklist_gets_a_number_of_its_own,
        a_checklist_of_another_team_is_not_there,
        checklists_are_listed_newest_first_page_by_page,
        a_list_is_about_one_template,
        what_a_checklist_was_made_with_is_kept_for_its_team,
        a_checklist_is_found_by_its_key,
        a_list_is_filtered_by_how_its_checklists_stand,
        filters_of_a_list_hold_together,
    }
    searching {
        a_name_is_searched_whatever_its_case,
        case_is_passed_over_beyond_ascii_as_well,
        signs_of_a_pattern_are_plain_characters_in_a_search,
    }
    fields {
        a_value_is_stored_replaced_and_removed,
        as_much_of_the_fields_is_loaded_as_was_asked_for,
        what_rules_look_at_is_loaded_whatever_was_asked_for,
    }
    tasks {
        the_state_of_a_task_is_stored_with_who_and_when,
        a_due_date_by_hand_outlives_the_state_of_its_task,
        the_end_time_is_stored_and_cleared,
        tasks_are_listed_newest_checklist_first_without_headings,
        tasks_are_filtered_by_key_and_by_status,
        tasks_of_other_teams_and_of_archived_checklists_are_left_out,
        two_at_once_completing_the_last_two_tasks_see_the_end,
        two_at_once_completing_one_task_complete_it_once,
    }
    files {
        a_file_is_read_back_whole_and_by_its_team_alone,
        a_checklist_is_loaded_with_its_files_oldest_first,
        files_of_a_control_are_listed_newest_first_over_all_checklists,
        orphans_are_the_keys_without_a_row,
        the_newest_are_of_whichever_team,
    }
    subscriptions {
        a_subscription_is_read_back_whole_and_by_its_team_alone,
        the_same_one_is_found_and_no_other,
        the_same_one_can_not_be_stored_twice,
        whoever_looks_before_storing_the_same_at_once_finds_it,
        one_that_is_gone_does_not_count,
        a_change_of_state_is_stored_with_its_reason,
        what_can_be_changed_is_stored_until_it_is_gone,
        settings_that_cannot_be_read_are_shown_as_such_and_can_be_ended,
        what_is_sent_after_a_change_is_sent_so,
        changes_of_a_subscription_at_once_are_made_one_after_the_other,
        subscriptions_are_listed_oldest_first,
    }
    secrets {
        what_may_be_known_of_secrets_is_listed_newest_first_to_their_team_alone,
        a_secret_is_known_again_by_its_own_subscription_alone,
        what_is_taken_after_a_change_of_secrets_is_signed_so,
        only_one_that_is_there_and_not_gone_is_held,
        those_who_roll_at_once_see_each_others_secrets,
        public_keys_of_a_team_are_published_until_they_end,
    }
    credentials {
        credentials_are_read_back_whole_and_by_their_team_alone,
        what_is_sent_after_a_wish_is_sent_so,
        a_subscription_that_cannot_be_read_holds_up_nobody_else,
        credentials_are_there_after_a_restart,
        credentials_that_cannot_be_opened_are_told_and_replaced,
        a_secret_that_cannot_be_opened_is_named,
    }
    matching {
        an_event_reaches_exactly_the_scopes_it_falls_under,
        an_event_for_one_subscription_reaches_that_one_and_no_other,
        an_event_about_a_subscription_never_reaches_that_one,
        the_answer_is_how_many_were_reached,
        an_event_never_reaches_another_team,
        a_failing_subscription_is_sent_to,
        a_paused_subscription_gets_its_events_recorded,
        a_subscription_that_is_gone_gets_nothing_more,
        a_subscription_made_a_moment_before_is_reached,
    }
    units {
        the_work_its_event_and_its_deliveries_commit_together,
        a_refused_unit_leaves_nothing,
        a_unit_that_panics_is_undone_and_answers_so,
        a_read_that_panics_answers_so,
        a_refusal_passes_through_as_it_is,
        a_unit_sees_what_it_did_itself,
    }
    crowds {
        many_writers_at_once_each_get_their_own_answer,
        a_read_sees_one_state_from_beginning_to_end,
        what_was_submitted_before_a_stop_is_finished,
        events_of_many_at_once_are_numbered_without_gaps,
    }
    health {
        a_state_says_since_when_and_how_often_was_warned,
        what_a_change_of_health_does_is_known_at_the_next_lease,
        one_held_delivery_is_probed_at_a_time_and_waits_double,
        only_what_a_pause_held_counts_as_held,
        a_waiting_delivery_can_be_stopped,
        what_was_stopped_while_it_was_sent_never_waits_again,
        what_is_not_delivered_is_one_list_with_reasons,
        the_log_of_events_shows_whom_each_reached_and_who_reached_nobody,
        notices_are_listed_newest_first_seen_once_and_bounded,
    }
    handover {
        what_can_be_sent_at_once_is_handed_over_leased,
        what_is_taken_says_the_same_as_what_is_handed_over,
        hand_overs_come_in_the_order_of_the_commits,
        nothing_is_handed_over_while_the_unit_runs,
        a_refused_unit_hands_nothing_over_and_gives_its_permits_back,
        what_gets_no_permit_is_due_and_the_lanes_are_woken,
        what_has_a_permit_goes_and_the_rest_waits_behind_it,
        one_lane_without_a_permit_does_not_hold_up_another,
        a_store_without_lanes_stores_everything_as_due,
        every_permit_is_asked_for_before_it_is_used,
    }
    taking {
        a_take_leases_and_counts_the_attempt,
        only_what_is_due_is_taken,
        only_the_lanes_that_are_named_are_taken_from,
        a_lane_is_taken_from_by_due_time_then_by_sequence,
        a_take_says_which_lanes_are_drained,
        a_lane_that_gives_no_more_than_its_rate_is_not_drained,
        lanes_that_do_not_send_give_nothing_and_are_drained,
        two_who_take_at_once_never_get_the_same,
        the_lanes_with_something_to_send_are_listed_earliest_first,
        what_is_given_back_is_due_and_its_attempt_not_counted,
        a_lease_that_is_not_ours_can_not_be_given_back,
        what_is_put_off_waits_and_its_attempt_is_not_counted,
        what_was_handed_over_can_be_given_back,
        what_was_never_sent_goes_back_before_later_events,
    }
    ordering {
        of_one_checklist_one_may_go_at_a_time,
        one_that_fails_holds_back_its_own_checklist_alone,
        whatever_ends_the_first_lets_the_next_go,
        a_rescue_that_ends_the_first_lets_the_next_go,
        one_behind_another_says_what_it_waits_for,
        a_lane_in_which_all_wait_for_another_has_nothing_to_send,
        the_first_goes_straight_through_and_the_next_does_not,
        one_that_was_through_holds_nothing_back_when_it_is_sent_again,
        one_behind_another_keeps_its_place_when_it_is_asked_for,
        order_holds_from_the_next_event_on,
        one_added_while_the_one_before_it_ends_is_let_go,
        one_added_while_the_one_before_it_is_being_settled_is_let_go,
        a_chain_of_which_nobody_let_the_next_go_is_found,
        one_that_is_removed_lets_the_next_go,
        one_that_ends_with_its_body_lets_the_next_go,
        one_that_is_found_without_its_body_lets_the_next_go,
        one_that_a_probe_finds_without_its_body_lets_the_next_go,
        one_that_is_stopped_lets_the_next_go,
        a_probe_takes_none_that_waits_behind_another,
        one_that_a_job_sends_again_holds_nothing_back,
    }
    settling {
        a_settlement_stores_the_attempt_and_the_final_state,
        a_settlement_can_let_it_wait,
        another_node_can_not_settle_it,
        another_attempt_can_not_settle_it,
        it_is_settled_once,
        a_lease_that_lapsed_and_was_rescued_settles_nothing,
        a_lapsed_lease_goes_to_the_next_node,
        what_never_was_can_not_be_settled,
        answers_come_in_the_order_of_the_settlements,
        a_delivery_of_a_paused_subscription_can_be_settled,
    }
    rescuing {
        only_leases_that_lapsed_are_rescued,
        a_rescue_writes_an_attempt_nobody_knows_the_end_of,
        a_delivery_that_ends_the_process_each_time_runs_out_of_attempts,
        attempts_of_both_kinds_count_together,
        at_a_start_all_leases_but_our_own_end,
        a_rescue_takes_no_more_than_it_may,
        what_lapses_in_a_pause_is_tried_once_more,
        what_was_handed_over_is_rescued_like_any_other,
    }
    redelivering {
        one_that_waits_is_due_now,
        who_asked_is_told_of_that_attempt_alone,
        one_that_came_to_a_bad_end_can_be_sent_again,
        one_that_was_delivered_stays_so_whatever_comes_of_it,
        one_that_was_delivered_is_not_retried_by_the_schedule,
        one_that_was_delivered_stays_so_when_its_node_dies,
        one_that_is_being_sent_is_left_alone,
        a_subscription_that_does_not_send_says_so,
        one_of_another_team_is_not_there,
        the_lanes_are_told_of_it,
    }
    log {
        a_delivery_that_was_not_tried_yet_is_listed_whole,
        deliveries_of_another_team_are_not_there,
        the_cursor_walks_every_row_once_newest_first,
        the_log_of_a_delivery_is_complete_and_in_order,
        the_log_tells_of_a_first_attempt_that_succeeded,
        the_log_is_there_after_a_restart,
        the_newest_come_first_though_the_clock_went_back_over_a_restart,
    }
    feed {
        the_feed_holds_what_each_delivery_carries,
        the_feed_goes_on_after_a_sequence_and_ends_at_its_bounds,
        the_feed_goes_on_past_what_is_not_kept,
        the_feed_holds_what_was_not_sent_and_goes_on_when_nothing_is,
        the_feed_of_another_team_is_not_there,
        the_feed_shows_what_its_own_transaction_stored,
    }
    keeping {
        events_are_walked_oldest_first_and_tell_what_is_left_of_them,
        the_events_of_a_checklist_are_walked_alone,
        an_event_goes_with_its_deliveries_and_their_attempts,
        numbers_go_on_after_what_was_removed,
        a_slice_takes_no_more_than_it_may,
        a_delivery_that_is_being_sent_keeps_its_event,
        what_waits_or_has_expired_may_be_kept_longer,
        what_waits_ends_when_its_body_goes,
        one_that_was_delivered_stays_so_when_its_body_goes,
        what_is_being_sent_when_its_body_goes_is_not_sent_again,
        what_is_being_sent_is_stopped_where_whoever_takes_its_body_wants_so,
        answers_go_and_the_log_says_that_there_was_more,
        a_body_goes_once_all_who_wish_so_have_it,
        a_body_stays_for_whoever_may_need_it,
        a_body_stays_for_what_came_to_a_bad_end,
        of_two_who_have_it_last_at_once_one_drops_it,
        a_list_goes_on_from_a_cursor_that_was_removed,
        nothing_young_is_lost_whatever_is_sent_meanwhile,
    }
    replaying {
        a_job_is_found_and_listed_within_its_team,
        a_job_makes_what_it_wants_due_once_and_marks_it,
        a_step_from_where_the_job_does_not_stand_changes_nothing,
        what_can_not_be_sent_again_is_passed_over_and_counted,
        an_event_tells_of_what_jobs_made_of_it,
        what_is_held_stays_held_and_is_due_then,
        one_that_was_stopped_is_tried_again_by_a_job_as_any_other,
        what_came_after_the_job_is_not_its_business,
        a_job_asks_how_deliveries_stand,
        a_look_takes_no_more_than_it_may,
        events_go_to_another_subscription_with_numbers_of_their_own,
        events_that_went_to_nobody_go_to_another_subscription,
        what_another_subscription_has_is_not_made_twice,
        a_job_whose_target_has_ended_is_cancelled,
        a_job_is_paused_resumed_and_cancelled,
        the_rate_says_when_a_job_may_go_on,
        what_a_job_made_is_listed_and_goes_with_its_event,
        jobs_that_ended_long_ago_are_removed,
    }
    filters {
        a_list_is_filtered_by_what_it_is_about,
        a_list_is_filtered_by_when_it_happened,
        a_list_is_filtered_by_state_derived_ones_included,
        a_list_is_filtered_by_the_class_of_the_last_answer,
    }
}
