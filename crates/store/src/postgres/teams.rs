//! Teams, their API keys, and the audit log.

use async_trait::async_trait;
use domain::{
    ApiKey, ApiKeyId, AuditEntry, AuditNumber, KeyHash, MemberId, Team, TeamId, Timestamp,
};
use tokio_postgres::Row;

use super::{
    fault::Fault,
    tx::{Change, Tx, owned},
    values::{Cells as _, Moment, moment},
};
use crate::{AuditLine, ReadTeams, Revoked, StoreError, WriteTeams, place::Place, sql};

const RIGHTS: Place = Place {
    table: "api_key",
    column: "rights",
};

#[async_trait]
impl<G: Send> ReadTeams for Tx<'_, G> {
    async fn team_get(&mut self, id: TeamId) -> Result<Option<Team>, StoreError> {
        let sql = sql::TEAM_GET;
        self.first(sql, &[&id.get()], |row| team(row, 0)).await
    }

    async fn api_key_get(&mut self, hash: &KeyHash) -> Result<Option<(ApiKey, Team)>, StoreError> {
        let sql = sql::API_KEY_GET;
        self.first(sql, &[&&hash.bytes()[..]], |row| {
            Ok((api_key(row)?, team(row, 9)?))
        })
        .await
    }

    async fn api_key_list(
        &mut self,
        team: TeamId,
        after: Option<ApiKeyId>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let after = after.unwrap_or(ApiKeyId::ZERO).uuid();
        let sql = sql::API_KEY_LIST;
        self.all(sql, &[&team.get(), &after, &i64::from(limit)], api_key)
            .await
    }

    async fn api_key_count(&mut self, team: TeamId) -> Result<u64, StoreError> {
        let sql = sql::API_KEY_COUNT;
        let count: i64 = self.one(sql, &[&team.get()], |row| row.cell(0)).await?;
        Ok(count.unsigned_abs())
    }

    async fn audit_list(
        &mut self,
        team: TeamId,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditLine>, StoreError> {
        let before = before.map_or(i64::MAX, AuditNumber::get);
        let sql = sql::AUDIT_LIST;
        self.all(sql, &[&team.get(), &before, &i64::from(limit)], |row| {
            Ok(AuditLine {
                at: row.time(0)?,
                key: row.cell::<Option<uuid::Uuid>>(1)?.map(ApiKeyId::new),
                by: row.cell(2)?,
                door: row.cell(3)?,
                action: row.cell(4)?,
                subject: row.cell(5)?,
                detail: row.cell(6)?,
                number: AuditNumber::new(row.cell(7)?),
                member: row.cell::<Option<i64>>(8)?.map(MemberId::new),
            })
        })
        .await
    }
}

#[async_trait]
impl WriteTeams for Change<'_> {
    async fn team_insert(&mut self, name: &str, at: Timestamp) -> Result<TeamId, StoreError> {
        let sql = "INSERT INTO team (name, created_at) VALUES ($1, $2) RETURNING id";
        self.one(sql, &[&name, &Moment(at)], |row| {
            Ok(TeamId::new(row.cell(0)?))
        })
        .await
    }

    async fn api_key_insert(&mut self, key: &ApiKey, hash: &KeyHash) -> Result<(), StoreError> {
        let sql = sql::API_KEY_INSERT;
        let row = owned![
            key.id.uuid(),
            key.team.get(),
            key.name.clone(),
            key.prefix.clone(),
            hash.bytes().to_vec(),
            Moment(key.created_at),
            moment(key.revoked_at),
            key.rights.to_string(),
            moment(key.expires_at),
        ];
        self.later(sql, row).await
    }

    async fn api_key_revoke(
        &mut self,
        team: TeamId,
        id: ApiKeyId,
        at: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let sql = sql::API_KEY_REVOKE;
        if self
            .run(sql, &[&Moment(at), &id.uuid(), &team.get()])
            .await?
            > 0
        {
            return Ok(Revoked::Now);
        }
        let sql = sql::API_KEY_THERE;
        let there = self
            .first(sql, &[&id.uuid(), &team.get()], |_| Ok(()))
            .await?;
        Ok(there.map_or(Revoked::NotThere, |()| Revoked::Before))
    }

    async fn api_key_touch(&mut self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        let row = owned![Moment(at), id.uuid()];
        self.later(sql::API_KEY_TOUCH, row).await
    }

    async fn audit_append(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        let sql = "INSERT INTO audit
                (team_id, at, key_id, by_name, door, action, subject, detail, member_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let actor = &entry.actor;
        let row = owned![
            actor.team.get(),
            Moment(entry.at),
            actor.key.map(ApiKeyId::uuid),
            actor.person.name.clone(),
            actor.door.word().to_owned(),
            entry.action.to_owned(),
            entry.subject.clone(),
            entry.detail.clone(),
            actor.member.map(|member| member.id.get()),
        ];
        self.later(sql, row).await
    }
}

fn team(row: &Row, at: usize) -> Result<Team, Fault> {
    Ok(Team {
        id: TeamId::new(row.cell(at)?),
        name: row.cell(at + 1)?,
        created_at: row.time(at + 2)?,
    })
}

fn api_key(row: &Row) -> Result<ApiKey, Fault> {
    Ok(ApiKey {
        id: ApiKeyId::new(row.guid(0)?),
        team: TeamId::new(row.cell(1)?),
        name: row.cell(2)?,
        prefix: row.cell(3)?,
        created_at: row.time(4)?,
        revoked_at: row.time_opt(5)?,
        rights: row.word(6, RIGHTS)?,
        expires_at: row.time_opt(7)?,
        used_at: row.time_opt(8)?,
    })
}
