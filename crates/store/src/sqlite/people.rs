//! The members of a team, and their groups.

use async_trait::async_trait;
use domain::{Group, GroupId, Member, MemberId, TeamId, Timestamp};
use rusqlite::{Row, params};

use super::{
    fault::Fault,
    tx::{Change, Tx},
    values::{Cells as _, millis},
};
use crate::{
    ReadPeople, StoreError, WritePeople,
    names::folded,
    people::{COLOUR, PEOPLE_MAX, ROLE, into_groups},
    sql,
};

#[async_trait]
impl<G: Send> ReadPeople for Tx<'_, G> {
    async fn member_get(
        &mut self,
        team: TeamId,
        id: MemberId,
    ) -> Result<Option<Member>, StoreError> {
        self.first(sql::MEMBER_GET, [id.get(), team.get()], member)
    }

    async fn member_list(&mut self, team: TeamId) -> Result<Vec<Member>, StoreError> {
        self.all(sql::MEMBER_LIST, [team.get(), PEOPLE_MAX], member)
    }

    async fn member_groups(&mut self, id: MemberId) -> Result<Vec<GroupId>, StoreError> {
        self.all(sql::MEMBER_GROUPS, [id.get(), PEOPLE_MAX], |row| {
            Ok(GroupId::new(row.get(0)?))
        })
    }

    async fn group_get(&mut self, team: TeamId, id: GroupId) -> Result<Option<Group>, StoreError> {
        let found = self.first(sql::GROUP_GET, [id.get(), team.get()], group)?;
        let Some(mut found) = found else {
            return Ok(None);
        };
        found.members = self.all(sql::GROUP_MEMBERS, [id.get()], |row| {
            Ok(MemberId::new(row.get(0)?))
        })?;
        Ok(Some(found))
    }

    async fn group_list(&mut self, team: TeamId) -> Result<Vec<Group>, StoreError> {
        let groups = self.all(sql::GROUP_LIST, [team.get(), PEOPLE_MAX], group)?;
        if groups.is_empty() {
            return Ok(groups);
        }
        let members = self.all(sql::GROUP_MEMBERS_OF_TEAM, [team.get()], |row| {
            Ok((GroupId::new(row.get(0)?), MemberId::new(row.get(1)?)))
        })?;
        Ok(into_groups(groups, members))
    }
}

#[async_trait]
impl WritePeople for Change<'_> {
    async fn people_lock(&mut self, _: TeamId) -> Result<(), StoreError> {
        // There is one writer, and this is it.
        Ok(())
    }

    async fn member_insert(&mut self, member: &Member) -> Result<MemberId, StoreError> {
        let bound = params![
            member.team.get(),
            member.name,
            folded(&member.name),
            member.email,
            folded(&member.email),
            member.role.word(),
            member.created_at.as_millis(),
            millis(member.deactivated_at),
        ];
        self.one(sql::MEMBER_INSERT, bound, |row| {
            Ok(MemberId::new(row.get(0)?))
        })
    }

    async fn member_put(&mut self, member: &Member) -> Result<(), StoreError> {
        let bound = params![
            member.name,
            folded(&member.name),
            member.email,
            folded(&member.email),
            member.role.word(),
            millis(member.deactivated_at),
            member.id.get(),
        ];
        self.run(sql::MEMBER_PUT, bound)?;
        Ok(())
    }

    async fn group_insert(&mut self, group: &Group) -> Result<GroupId, StoreError> {
        let bound = params![
            group.team.get(),
            group.name,
            folded(&group.name),
            group.avatar,
            group.colour.to_string(),
            group.created_at.as_millis(),
        ];
        let id = self.one(sql::GROUP_INSERT, bound, |row| {
            Ok(GroupId::new(row.get(0)?))
        })?;
        self.group_members_insert(id, &group.members)?;
        Ok(id)
    }

    async fn group_put(&mut self, group: &Group) -> Result<(), StoreError> {
        let bound = params![
            group.name,
            folded(&group.name),
            group.avatar,
            group.colour.to_string(),
            group.id.get(),
        ];
        self.run(sql::GROUP_PUT, bound)?;
        self.run(sql::GROUP_MEMBERS_REMOVE, [group.id.get()])?;
        self.group_members_insert(group.id, &group.members)
    }

    async fn group_remove(&mut self, id: GroupId, at: Timestamp) -> Result<(), StoreError> {
        self.run(sql::GROUP_REMOVE, [at.as_millis(), id.get()])?;
        self.run(sql::GROUP_MEMBERS_REMOVE, [id.get()])?;
        Ok(())
    }
}

impl Change<'_> {
    fn group_members_insert(&self, id: GroupId, members: &[MemberId]) -> Result<(), StoreError> {
        for member in members {
            self.run(sql::GROUP_MEMBER_INSERT, [id.get(), member.get()])?;
        }
        Ok(())
    }
}

fn member(row: &Row<'_>) -> Result<Member, Fault> {
    Ok(Member {
        id: MemberId::new(row.get(0)?),
        team: TeamId::new(row.get(1)?),
        name: row.get(2)?,
        email: row.get(3)?,
        role: row.word(4, ROLE)?,
        created_at: row.time(5)?,
        deactivated_at: row.time_opt(6)?,
    })
}

/// A group, without its members.
fn group(row: &Row<'_>) -> Result<Group, Fault> {
    Ok(Group {
        id: GroupId::new(row.get(0)?),
        team: TeamId::new(row.get(1)?),
        name: row.get(2)?,
        avatar: row.get(3)?,
        colour: row.word(4, COLOUR)?,
        created_at: row.time(5)?,
        members: Vec::new(),
    })
}
