//! What both backends know of people.

use std::collections::BTreeMap;

use domain::{Group, GroupId, MemberId};

use crate::place::Place;

pub(crate) const ROLE: Place = Place {
    table: "member",
    column: "role",
};
pub(crate) const COLOUR: Place = Place {
    table: "team_group",
    column: "colour",
};

/// Most members or groups read at once; a team has fewer.
pub(crate) const PEOPLE_MAX: i64 = 10_000;

/// The groups with their members, of which `members` is in no order.
pub(crate) fn into_groups(groups: Vec<Group>, members: Vec<(GroupId, MemberId)>) -> Vec<Group> {
    let mut of: BTreeMap<GroupId, Vec<MemberId>> = BTreeMap::new();
    for (group, member) in members {
        of.entry(group).or_default().push(member);
    }
    let with = |group: Group| {
        let mut members = of.remove(&group.id).unwrap_or_default();
        members.sort_unstable();
        Group { members, ..group }
    };
    groups.into_iter().map(with).collect()
}
