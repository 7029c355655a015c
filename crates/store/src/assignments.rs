//! How it is read to whom a task is assigned: with the task, as one text, so that tasks which are assigned to nobody cost
//! no more than a glance at a number.

use domain::{Assigned, Assignee, AssigneeId, GroupId, MemberId};

use crate::{StoreError, place::Place};

const ASSIGNED: Place = Place {
    table: "checklist_task",
    column: "assigned",
};

/// The value of `assigned` of a task that anybody may complete.
pub(crate) const OPENLY: i64 = 1;
/// The value of `assigned` of a task that nobody else may complete.
pub(crate) const EXCLUSIVELY: i64 = 2;

/// The value of `assigned`.
pub(crate) fn mark(assigned: Option<&Assigned>) -> i64 {
    match assigned {
        None => 0,
        Some(assigned) if assigned.exclusively => EXCLUSIVELY,
        Some(_) => OPENLY,
    }
}

/// Who it is assigned to, as numbers of a member and of a group, of which one is there.
pub(crate) const fn numbers(id: AssigneeId) -> (Option<i64>, Option<i64>) {
    match id {
        AssigneeId::Member(id) => (Some(id.get()), None),
        AssigneeId::Group(id) => (None, Some(id.get())),
    }
}

/// What `assigned` and the text say: a JSON array of place, member, group and name, in no order.
pub(crate) fn assigned(mark: i64, text: Option<&str>) -> Result<Option<Assigned>, StoreError> {
    type Row = (i64, Option<i64>, Option<i64>, String);
    let (OPENLY | EXCLUSIVELY, Some(text)) = (mark, text) else {
        return Ok(None);
    };
    let corrupt = || ASSIGNED.corrupt("of a task");
    let mut rows: Vec<Row> = serde_json::from_str(text).map_err(|_| corrupt())?;
    rows.sort_unstable_by_key(|(place, ..)| *place);
    let one = |(_, member, group, name): Row| {
        let id = match (member, group) {
            (Some(id), None) => AssigneeId::Member(MemberId::new(id)),
            (None, Some(id)) => AssigneeId::Group(GroupId::new(id)),
            _ => return Err(corrupt()),
        };
        Ok(Assignee { id, name })
    };
    Ok(Some(Assigned {
        exclusively: mark == EXCLUSIVELY,
        to: rows.into_iter().map(one).collect::<Result<_, _>>()?,
    }))
}
