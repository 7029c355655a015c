//! Teams, their API keys, and the audit log.

use async_trait::async_trait;
use domain::{
    ApiKey, ApiKeyId, AuditEntry, AuditNumber, KeyHash, MemberId, Team, TeamId, Timestamp,
};
use rusqlite::{Row, params};

use super::{
    fault::Fault,
    tx::{Change, Tx},
    values::{Cells as _, millis},
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
        self.first(sql, [id.get()], |row| team(row, 0))
    }

    async fn api_key_get(&mut self, hash: &KeyHash) -> Result<Option<(ApiKey, Team)>, StoreError> {
        let sql = sql::API_KEY_GET;
        self.first(sql, [hash.bytes()], |row| {
            Ok((api_key(row)?, team(row, 9)?))
        })
    }

    async fn api_key_list(
        &mut self,
        team: TeamId,
        after: Option<ApiKeyId>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let after = after.unwrap_or(ApiKeyId::ZERO).uuid();
        let sql = sql::API_KEY_LIST;
        self.all(sql, params![team.get(), after, limit], api_key)
    }

    async fn api_key_count(&mut self, team: TeamId) -> Result<u64, StoreError> {
        let count: i64 = self.one(sql::API_KEY_COUNT, [team.get()], |row| Ok(row.get(0)?))?;
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
        self.all(sql, params![team.get(), before, limit], |row| {
            Ok(AuditLine {
                at: row.time(0)?,
                key: row.get::<_, Option<uuid::Uuid>>(1)?.map(ApiKeyId::new),
                by: row.get(2)?,
                door: row.get(3)?,
                action: row.get(4)?,
                subject: row.get(5)?,
                detail: row.get(6)?,
                number: AuditNumber::new(row.get(7)?),
                member: row.get::<_, Option<i64>>(8)?.map(MemberId::new),
            })
        })
    }
}

#[async_trait]
impl WriteTeams for Change<'_> {
    async fn team_insert(&mut self, name: &str, at: Timestamp) -> Result<TeamId, StoreError> {
        let sql = "INSERT INTO team (name, created_at) VALUES (?1, ?2)";
        self.run(sql, params![name, at.as_millis()])?;
        Ok(TeamId::new(self.last_number()))
    }

    async fn api_key_insert(&mut self, key: &ApiKey, hash: &KeyHash) -> Result<(), StoreError> {
        let sql = sql::API_KEY_INSERT;
        self.run(
            sql,
            params![
                key.id.uuid(),
                key.team.get(),
                key.name,
                key.prefix,
                hash.bytes(),
                key.created_at.as_millis(),
                millis(key.revoked_at),
                key.rights.to_string(),
                millis(key.expires_at),
            ],
        )?;
        Ok(())
    }

    async fn api_key_revoke(
        &mut self,
        team: TeamId,
        id: ApiKeyId,
        at: Timestamp,
    ) -> Result<Revoked, StoreError> {
        let sql = sql::API_KEY_REVOKE;
        if self.run(sql, params![at.as_millis(), id.uuid(), team.get()])? > 0 {
            return Ok(Revoked::Now);
        }
        let sql = sql::API_KEY_THERE;
        let there = self.first(sql, params![id.uuid(), team.get()], |_| Ok(()))?;
        Ok(there.map_or(Revoked::NotThere, |()| Revoked::Before))
    }

    async fn api_key_touch(&mut self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        self.run(sql::API_KEY_TOUCH, params![at.as_millis(), id.uuid()])?;
        Ok(())
    }

    async fn audit_append(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        // There is one writer, so the next number can be looked up.
        let sql = "INSERT INTO audit
                (team_id, number, at, key_id, by_name, door, action, subject, detail, member_id)
            VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM audit WHERE team_id = ?1),
                ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let actor = &entry.actor;
        self.run(
            sql,
            params![
                actor.team.get(),
                entry.at.as_millis(),
                actor.key.map(ApiKeyId::uuid),
                actor.person.name,
                actor.door.word(),
                entry.action,
                entry.subject,
                entry.detail,
                actor.member.map(|member| member.id.get()),
            ],
        )?;
        Ok(())
    }
}

fn team(row: &Row<'_>, at: usize) -> Result<Team, Fault> {
    Ok(Team {
        id: TeamId::new(row.get(at)?),
        name: row.get(at + 1)?,
        created_at: row.time(at + 2)?,
    })
}

fn api_key(row: &Row<'_>) -> Result<ApiKey, Fault> {
    Ok(ApiKey {
        id: ApiKeyId::new(row.guid(0)?),
        team: TeamId::new(row.get(1)?),
        name: row.get(2)?,
        prefix: row.get(3)?,
        created_at: row.time(4)?,
        revoked_at: row.time_opt(5)?,
        rights: row.word(6, RIGHTS)?,
        expires_at: row.time_opt(7)?,
        used_at: row.time_opt(8)?,
    })
}
