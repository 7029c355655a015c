//! The members of a team, and their groups.

use async_trait::async_trait;
use domain::{Group, GroupId, Member, MemberId, TeamId, Timestamp};

use crate::StoreError;

/// Looking for people.
#[async_trait]
pub trait ReadPeople: Send {
    /// A member, active or not.
    async fn member_get(
        &mut self,
        team: TeamId,
        id: MemberId,
    ) -> Result<Option<Member>, StoreError>;

    /// All members of a team by name, those who are no longer active included.
    async fn member_list(&mut self, team: TeamId) -> Result<Vec<Member>, StoreError>;

    /// The groups that a member is in.
    async fn member_groups(&mut self, id: MemberId) -> Result<Vec<GroupId>, StoreError>;

    /// A group with its members, unless it was removed.
    async fn group_get(&mut self, team: TeamId, id: GroupId) -> Result<Option<Group>, StoreError>;

    /// All groups of a team by name, with their members.
    async fn group_list(&mut self, team: TeamId) -> Result<Vec<Group>, StoreError>;
}

/// Changing people.
#[async_trait]
pub trait WritePeople: Send {
    /// Keeps others from changing the people of a team until this transaction ends.
    async fn people_lock(&mut self, team: TeamId) -> Result<(), StoreError>;

    /// Stores a new member and answers their number; the number in `member` is passed over.
    async fn member_insert(&mut self, member: &Member) -> Result<MemberId, StoreError>;

    /// Stores a member as they are now.
    async fn member_put(&mut self, member: &Member) -> Result<(), StoreError>;

    /// Stores a new group with its members and answers its number; the number in `group` is passed over.
    async fn group_insert(&mut self, group: &Group) -> Result<GroupId, StoreError>;

    /// Stores a group, with its members, as it is now.
    async fn group_put(&mut self, group: &Group) -> Result<(), StoreError>;

    /// Removes a group, for good. Its name stays with what was assigned to it.
    async fn group_remove(&mut self, id: GroupId, at: Timestamp) -> Result<(), StoreError>;
}
