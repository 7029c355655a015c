//! Units of every kind, kept, refused and panicking, at random: each gets what is its own.

use std::sync::Arc;

use testkit::Trials;

use super::{
    expected::{Outer, expected},
    groups,
    script::{UNITS_MAX, scripts},
};

#[test]
fn each_unit_of_a_group_is_told_what_became_of_it_and_leaves_just_that() {
    let cases = (scripts(false), 1..=UNITS_MAX, groups::permits());
    Trials::new(150).run(&cases, |(scripts, group_max, permits)| {
        let expected = expected(&scripts, group_max, Outer::Nothing);
        let lost = Arc::new(|| panic!("no sync was lost"));
        let mut bench = groups::bench(group_max, permits, lost);
        let told = groups::run(&mut bench, scripts);
        groups::check(&mut bench, &told, &expected, permits)
    });
}
