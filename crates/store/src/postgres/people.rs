//! The members of a team, and their groups.

use async_trait::async_trait;
use domain::{Group, GroupId, Member, MemberId, TeamId, Timestamp};
use tokio_postgres::Row;

use super::{
    fault::Fault,
    tx::{Change, Tx, owned},
    values::{Cells as _, Moment, moment},
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
        self.first(sql::MEMBER_GET, &[&id.get(), &team.get()], member)
            .await
    }

    async fn member_list(&mut self, team: TeamId) -> Result<Vec<Member>, StoreError> {
        self.all(sql::MEMBER_LIST, &[&team.get(), &PEOPLE_MAX], member)
            .await
    }

    async fn member_groups(&mut self, id: MemberId) -> Result<Vec<GroupId>, StoreError> {
        self.all(sql::MEMBER_GROUPS, &[&id.get(), &PEOPLE_MAX], |row| {
            Ok(GroupId::new(row.cell(0)?))
        })
        .await
    }

    async fn group_get(&mut self, team: TeamId, id: GroupId) -> Result<Option<Group>, StoreError> {
        let (id, team) = (id.get(), team.get());
        let [found, members] = self
            .rows_of([
                (sql::GROUP_GET, &[&id, &team]),
                (sql::GROUP_MEMBERS, &[&id]),
            ])
            .await?;
        let Some(found) = found.first() else {
            return Ok(None);
        };
        let mut found = group(found)?;
        for row in &members {
            found.members.push(MemberId::new(row.cell(0)?));
        }
        Ok(Some(found))
    }

    async fn group_list(&mut self, team: TeamId) -> Result<Vec<Group>, StoreError> {
        let team = team.get();
        let [groups, members] = self
            .rows_of([
                (sql::GROUP_LIST, &[&team, &PEOPLE_MAX]),
                (sql::GROUP_MEMBERS_OF_TEAM, &[&team]),
            ])
            .await?;
        let groups: Vec<Group> = groups.iter().map(group).collect::<Result<_, _>>()?;
        let place =
            |row: &Row| Ok::<_, Fault>((GroupId::new(row.cell(0)?), MemberId::new(row.cell(1)?)));
        let members: Vec<_> = members.iter().map(place).collect::<Result<_, _>>()?;
        Ok(into_groups(groups, members))
    }
}

#[async_trait]
impl WritePeople for Change<'_> {
    async fn people_lock(&mut self, team: TeamId) -> Result<(), StoreError> {
        // Not FOR UPDATE, which those who store something of the team would wait for as well.
        let sql = "SELECT 1 FROM team WHERE id = $1 FOR NO KEY UPDATE";
        self.first(sql, &[&team.get()], |_| Ok(())).await?;
        Ok(())
    }

    async fn member_insert(&mut self, member: &Member) -> Result<MemberId, StoreError> {
        self.one(
            sql::MEMBER_INSERT,
            &[
                &member.team.get(),
                &member.name,
                &folded(&member.name),
                &member.email,
                &folded(&member.email),
                &member.role.word(),
                &Moment(member.created_at),
                &moment(member.deactivated_at),
            ],
            |row| Ok(MemberId::new(row.cell(0)?)),
        )
        .await
    }

    async fn member_put(&mut self, member: &Member) -> Result<(), StoreError> {
        let row = owned![
            member.name.clone(),
            folded(&member.name),
            member.email.clone(),
            folded(&member.email),
            member.role.word().to_owned(),
            moment(member.deactivated_at),
            member.id.get(),
        ];
        self.later_one(sql::MEMBER_PUT, row).await
    }

    async fn group_insert(&mut self, group: &Group) -> Result<GroupId, StoreError> {
        let id = self
            .one(
                sql::GROUP_INSERT,
                &[
                    &group.team.get(),
                    &group.name,
                    &folded(&group.name),
                    &group.avatar,
                    &group.colour.to_string(),
                    &Moment(group.created_at),
                ],
                |row| Ok(GroupId::new(row.cell(0)?)),
            )
            .await?;
        self.group_members_insert(id, &group.members).await?;
        Ok(id)
    }

    async fn group_put(&mut self, group: &Group) -> Result<(), StoreError> {
        let row = owned![
            group.name.clone(),
            folded(&group.name),
            group.avatar.clone(),
            group.colour.to_string(),
            group.id.get(),
        ];
        self.later_one(sql::GROUP_PUT, row).await?;
        self.later(sql::GROUP_MEMBERS_REMOVE, owned![group.id.get()])
            .await?;
        self.group_members_insert(group.id, &group.members).await
    }

    async fn group_remove(&mut self, id: GroupId, at: Timestamp) -> Result<(), StoreError> {
        self.later_one(sql::GROUP_REMOVE, owned![Moment(at), id.get()])
            .await?;
        self.later(sql::GROUP_MEMBERS_REMOVE, owned![id.get()])
            .await
    }
}

impl Change<'_> {
    async fn group_members_insert(
        &mut self,
        id: GroupId,
        members: &[MemberId],
    ) -> Result<(), StoreError> {
        for member in members {
            self.later(sql::GROUP_MEMBER_INSERT, owned![id.get(), member.get()])
                .await?;
        }
        Ok(())
    }
}

fn member(row: &Row) -> Result<Member, Fault> {
    Ok(Member {
        id: MemberId::new(row.cell(0)?),
        team: TeamId::new(row.cell(1)?),
        name: row.cell(2)?,
        email: row.cell(3)?,
        role: row.word(4, ROLE)?,
        created_at: row.time(5)?,
        deactivated_at: row.time_opt(6)?,
    })
}

/// A group, without its members.
fn group(row: &Row) -> Result<Group, Fault> {
    Ok(Group {
        id: GroupId::new(row.cell(0)?),
        team: TeamId::new(row.cell(1)?),
        name: row.cell(2)?,
        avatar: row.cell(3)?,
        colour: row.word(4, COLOUR)?,
        created_at: row.time(5)?,
        members: Vec::new(),
    })
}
