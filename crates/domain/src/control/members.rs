//! Members of the team as a value: their numbers, as a JSON array in the string.

use super::{CHOSEN_MEMBERS_MAX, ValueRefusal};

/// The members that a value names, in its order, each once. Whether the team has them is for the caller
/// to ask.
pub fn member_ids(value: &str) -> Result<Vec<i64>, ValueRefusal> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    let given: Vec<i64> = serde_json::from_str(value).map_err(|_| ValueRefusal::NotMembers)?;
    if given.iter().any(|id| *id < 1) {
        return Err(ValueRefusal::NotMembers);
    }
    let mut ids: Vec<i64> = Vec::with_capacity(given.len().min(CHOSEN_MEMBERS_MAX + 1));
    for id in given {
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() > CHOSEN_MEMBERS_MAX {
            return Err(ValueRefusal::TooManyMembers {
                max: CHOSEN_MEMBERS_MAX,
            });
        }
    }
    Ok(ids)
}

/// A value as it is stored; empty when it names nobody.
pub(super) fn members(value: &str, multiple: bool) -> Result<String, ValueRefusal> {
    let ids = member_ids(value)?;
    if ids.len() > 1 && !multiple {
        return Err(ValueRefusal::TooManyMembers { max: 1 });
    }
    if ids.is_empty() {
        return Ok(String::new());
    }
    serde_json::to_string(&ids).map_err(|_| ValueRefusal::NotMembers)
}
