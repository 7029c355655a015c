//! Members, as the operator adds and deactivates them: by the same rules as through the API.

use domain::{Member, MemberId, Role, Source, TeamId};
use store::{Read, ReadTx, Store, Write, WriteTx};

use super::{OperatorError, there, trace};
use crate::{MemberWish, people};

/// Adds a member to a team.
pub async fn add_member(
    store: &Store,
    source: &Source,
    team: TeamId,
    (name, email, role): (String, String, Role),
) -> Result<Member, OperatorError> {
    let wish = MemberWish {
        name: Some(name),
        email: Some(email),
        role: Some(role),
        active: None,
    };
    let source = source.clone();
    store.write(Add { source, team, wish }).await
}

struct Add {
    source: Source,
    team: TeamId,
    wish: MemberWish,
}

impl Write for Add {
    type Done = Member;
    type Error = OperatorError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Member, OperatorError> {
        there(tx, self.team).await?;
        let entry = trace(&self.source, self.team, "member.add", String::new());
        Ok(people::add(tx, &entry.actor, &self.wish, entry.at).await?)
    }
}

/// The members of a team by name, those who are no longer active included.
pub async fn list_members(store: &Store, team: TeamId) -> Result<Vec<Member>, OperatorError> {
    store.read(All(team)).await
}

struct All(TeamId);

impl Read for All {
    type Done = Vec<Member>;
    type Error = OperatorError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Vec<Member>, OperatorError> {
        there(tx, self.0).await?;
        Ok(tx.member_list(self.0).await?)
    }
}

/// Has a member no longer be active; answers whether they were.
pub async fn deactivate_member(
    store: &Store,
    source: &Source,
    team: TeamId,
    member: MemberId,
) -> Result<bool, OperatorError> {
    let source = source.clone();
    store
        .write(Deactivate {
            source,
            team,
            member,
        })
        .await
}

struct Deactivate {
    source: Source,
    team: TeamId,
    member: MemberId,
}

impl Write for Deactivate {
    type Done = bool;
    type Error = OperatorError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<bool, OperatorError> {
        there(tx, self.team).await?;
        let wish = MemberWish {
            active: Some(false),
            ..MemberWish::default()
        };
        let entry = trace(&self.source, self.team, "member.deactivate", String::new());
        let of = (self.member, &wish);
        let (_, now) = people::change(tx, &entry.actor, of, entry.at).await?;
        Ok(now)
    }
}
