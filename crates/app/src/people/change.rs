//! Members: adding them, changing them, and having them no longer active.

use domain::{
    Actor, FieldError, MEMBERS_MAX, Member, MemberId, Right, Role, TeamId, Timestamp, email,
    people_name,
};
use serde::Serialize;
use store::{Doing, WriteTx};
use utoipa::ToSchema;

use super::{MemberRow, same};
use crate::{App, AppError, Change, Missing, emit::audit};

const DOING: &str = "changing members";

/// What somebody is to be; what is not said stays.
#[derive(Clone, Debug, Default)]
pub struct MemberWish {
    /// Their full name.
    pub name: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// What kind of member they are.
    pub role: Option<Role>,
    /// Whether they can do anything.
    pub active: Option<bool>,
}

impl MemberWish {
    /// `member` as they are to be, or all that is wrong with the wish.
    pub(crate) fn apply(&self, member: &mut Member, now: Timestamp) -> Result<(), AppError> {
        let mut wrong = Vec::new();
        if let Some(called) = &self.name {
            match people_name(called) {
                Ok(called) => member.name = called,
                Err(error) => wrong.push(FieldError::new("name", error.to_string())),
            }
        }
        if let Some(address) = &self.email {
            match email(address) {
                Ok(address) => member.email = address,
                Err(error) => wrong.push(FieldError::new("email", error.to_string())),
            }
        }
        member.role = self.role.unwrap_or(member.role);
        match self.active {
            None => {}
            Some(true) => member.deactivated_at = None,
            Some(false) => member.deactivated_at = member.deactivated_at.or(Some(now)),
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(AppError::Invalid(wrong))
        }
    }
}

/// Whether `members` may become what they are with `changed` in it, in place of the one with its number if there is one.
fn fits(members: &[Member], changed: &Member) -> Result<(), AppError> {
    let others = || members.iter().filter(|member| member.id != changed.id);
    if let Some(other) = others().find(|other| same(&other.email, &changed.email)) {
        return Err(AppError::EmailTaken {
            email: changed.email.clone(),
            by: other.id,
            active: other.is_active(),
        });
    }
    let was = members.iter().any(Member::is_administrator);
    let remains = changed.is_administrator() || others().any(Member::is_administrator);
    if was && !remains {
        return Err(AppError::LastAdministrator);
    }
    Ok(())
}

/// Everybody in the team, for whoever is about to change them.
async fn held(tx: &mut dyn WriteTx, team: TeamId) -> Result<Vec<Member>, AppError> {
    // Of two who are about to take the last two Administrators away, one must see what the other did.
    tx.people_lock(team).await.doing::<AppError>(DOING)?;
    tx.member_list(team).await.doing(DOING)
}

/// Stores a new member, for a door or for the operator.
pub(crate) async fn add(
    tx: &mut dyn WriteTx,
    actor: &Actor,
    wish: &MemberWish,
    now: Timestamp,
) -> Result<Member, AppError> {
    let mut member = Member {
        // Of nobody yet, so that everybody is another.
        id: MemberId::new(0),
        team: actor.team,
        name: String::new(),
        email: String::new(),
        role: Role::default(),
        created_at: now,
        deactivated_at: None,
    };
    wish.apply(&mut member, now)?;
    let members = held(tx, actor.team).await?;
    fits(&members, &member)?;
    if members.len() as u64 >= MEMBERS_MAX {
        let (what, max) = (
            "members, those who are no longer active included",
            MEMBERS_MAX,
        );
        return Err(AppError::Full { what, max });
    }
    let stored = tx.member_insert(&member).await;
    member.id = stored.doing::<AppError>(DOING)?;
    let subject = ("member.add", member.id.to_string());
    audit(tx, actor, now, subject, member.role.to_string()).await?;
    Ok(member)
}

/// Stores what a member is to be, if that changes anything; answers them and whether it did.
pub(crate) async fn change(
    tx: &mut dyn WriteTx,
    actor: &Actor,
    (id, wish): (MemberId, &MemberWish),
    now: Timestamp,
) -> Result<(Member, bool), AppError> {
    let members = held(tx, actor.team).await?;
    let before = members.iter().find(|member| member.id == id);
    let before = before.ok_or(Missing::Member(id))?;
    let mut member = before.clone();
    wish.apply(&mut member, now)?;
    if member == *before {
        return Ok((member, false));
    }
    fits(&members, &member)?;
    let stored = tx.member_put(&member).await;
    stored.doing::<AppError>(DOING)?;
    let subject = match (before.is_active(), member.is_active()) {
        (true, false) => "member.deactivate",
        (false, true) => "member.activate",
        _ => "member.change",
    };
    // Names and addresses are people's, and not repeated in a log that is kept longer.
    let mut changed = Vec::new();
    if before.name != member.name {
        changed.push("name".to_owned());
    }
    if before.email != member.email {
        changed.push("email".to_owned());
    }
    if before.role != member.role {
        changed.push(format!("{} to {}", before.role, member.role));
    }
    let subject = (subject, id.to_string());
    audit(tx, actor, now, subject, changed.join(", ")).await?;
    Ok((member, true))
}

/// `POST team/member`: a new member.
#[derive(Clone, Debug)]
pub struct AddMember {
    /// Their full name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// What kind of member they are.
    pub role: Role,
}

impl From<&AddMember> for MemberWish {
    fn from(add: &AddMember) -> Self {
        Self {
            name: Some(add.name.clone()),
            email: Some(add.email.clone()),
            role: Some(add.role),
            active: None,
        }
    }
}

impl Change for AddMember {
    const NEEDS: Right = Right::Admin;

    type Answer = MemberRow;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<MemberRow, AppError> {
        let member = add(tx, actor, &self.into(), app.source().now()).await?;
        Ok((&member).into())
    }
}

/// `PATCH team/member`: what is said of a member is so from now on.
#[derive(Clone, Debug)]
pub struct ChangeMember {
    /// Who.
    pub id: MemberId,
    /// What they are to be.
    pub wish: MemberWish,
}

impl Change for ChangeMember {
    const NEEDS: Right = Right::Admin;

    type Answer = MemberRow;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<MemberRow, AppError> {
        let wish = (self.id, &self.wish);
        let (member, _) = change(tx, actor, wish, app.source().now()).await?;
        Ok((&member).into())
    }
}

/// What came of deactivating a member.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberGone {
    /// The member.
    pub member_id: MemberId,
    /// Whether it was this call that deactivated them.
    pub deactivated_now: bool,
}

/// `DELETE team/member`: they can do nothing any more, and what they did stays theirs.
#[derive(Clone, Copy, Debug)]
pub struct DeactivateMember(pub MemberId);

impl Change for DeactivateMember {
    const NEEDS: Right = Right::Admin;

    type Answer = MemberGone;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<MemberGone, AppError> {
        let wish = MemberWish {
            active: Some(false),
            ..MemberWish::default()
        };
        let now = app.source().now();
        let (member, deactivated_now) = change(tx, actor, (self.0, &wish), now).await?;
        Ok(MemberGone {
            member_id: member.id,
            deactivated_now,
        })
    }
}
