//! Who is to do a task: members and groups, any of whom may do it, or nobody else.

use crate::{Checklist, GroupId, MemberId, Refusal};

/// Most members and groups that one task is assigned to.
pub const ASSIGNEES_MAX: usize = 50;

/// A member or a group, as somebody whom tasks can be assigned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AssigneeId {
    /// A member.
    Member(MemberId),
    /// A group: each of its members, whoever they are at the time.
    Group(GroupId),
}

impl AssigneeId {
    /// The number that the API has for the kind of it: 1 for a member, 2 for a group.
    pub const fn kind(self) -> i64 {
        match self {
            Self::Member(_) => 1,
            Self::Group(_) => 2,
        }
    }

    /// The number of the member or group.
    pub const fn number(self) -> i64 {
        match self {
            Self::Member(id) => id.get(),
            Self::Group(id) => id.get(),
        }
    }

    /// The member or group with these numbers, if there is such a kind.
    pub const fn of(kind: i64, number: i64) -> Option<Self> {
        match kind {
            1 => Some(Self::Member(MemberId::new(number))),
            2 => Some(Self::Group(GroupId::new(number))),
            _ => None,
        }
    }
}

/// In words, as the audit log has it.
impl std::fmt::Display for AssigneeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Member(id) => write!(f, "member {id}"),
            Self::Group(id) => write!(f, "group {id}"),
        }
    }
}

/// Somebody whom a task is assigned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignee {
    /// Who.
    pub id: AssigneeId,
    /// What they are called now.
    pub name: String,
}

/// To whom a task is assigned: to one at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Whether nobody else may complete it.
    pub exclusively: bool,
    /// To whom, in the order in which they were given.
    pub to: Vec<Assignee>,
}

impl Assigned {
    /// Whether it is assigned to a group, so that it takes the groups of a member to know whether it is theirs.
    pub fn has_groups(&self) -> bool {
        let is_group = |assignee: &Assignee| matches!(assignee.id, AssigneeId::Group(_));
        self.to.iter().any(is_group)
    }

    /// Whether it is assigned to `member`, who is in `groups`.
    pub fn includes(&self, member: MemberId, groups: &[GroupId]) -> bool {
        self.to.iter().any(|assignee| match assignee.id {
            AssigneeId::Member(id) => id == member,
            AssigneeId::Group(id) => groups.contains(&id),
        })
    }
}

impl Checklist {
    /// Whether the task at `index` may be assigned to others than it is.
    pub fn may_assign(&self, index: usize) -> Result<(), Refusal> {
        let task = &self.template.tasks[index];
        if task.heading {
            return Err(Refusal::TaskIsHeading(task.name.clone()));
        }
        match self.head.archived_at {
            None => Ok(()),
            Some(_) => Err(Refusal::ChecklistArchived),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_a_members_by_name_or_by_a_group_they_are_in() {
        let (ann, bob) = (MemberId::new(1), MemberId::new(2));
        // Numbers of members and of groups are not the same.
        let (day, night) = (GroupId::new(2), GroupId::new(3));
        let to = |ids: &[AssigneeId]| Assigned {
            exclusively: true,
            to: ids
                .iter()
                .map(|id| Assignee {
                    id: *id,
                    name: String::new(),
                })
                .collect(),
        };
        let of_ann = to(&[AssigneeId::Member(ann)]);
        assert!(of_ann.includes(ann, &[]) && !of_ann.includes(bob, &[day, night]));
        assert!(!of_ann.has_groups());
        let of_day = to(&[AssigneeId::Member(ann), AssigneeId::Group(day)]);
        assert!(of_day.includes(bob, &[day]) && !of_day.includes(bob, &[night]));
        assert!(of_day.has_groups());
    }

    #[test]
    fn an_assignee_is_known_by_the_numbers_of_the_api() {
        for id in [
            AssigneeId::Member(MemberId::new(5)),
            AssigneeId::Group(GroupId::new(5)),
        ] {
            assert_eq!(AssigneeId::of(id.kind(), id.number()), Some(id));
        }
        assert_eq!(AssigneeId::of(3, 5), None);
        assert_eq!(AssigneeId::of(0, 5), None);
    }
}
