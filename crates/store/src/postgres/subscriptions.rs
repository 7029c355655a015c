//! Subscriptions.

use async_trait::async_trait;
use domain::{
    EventType, Health, Scope, StateCode, Subscription, SubscriptionId, SubscriptionSecret,
    SubscriptionSettings, SubscriptionState, TargetUrl, TeamId,
};
use sha2::{Digest as _, Sha256};
use tokio_postgres::Row;

use super::{
    fault::Fault,
    hints::Fresh,
    tx::{Change, Tx, owned},
    values::{Cells as _, Moment, moment},
};
use crate::{
    ReadSubscriptions, StandChange, StateChange, StoreError, SubscriptionChange,
    SubscriptionIdentity, WriteSecrets as _, WriteSubscriptions, destinations, place::Place, sql,
};

pub(super) const fn place(column: &'static str) -> Place {
    Place {
        table: "subscription",
        column,
    }
}

pub(super) const STATE: Place = place("state");
pub(super) const RATE: Place = place("rate_per_second");
pub(super) const CODE: Place = place("state_code");
pub(super) const EVENT_TYPE: Place = place("event_type");

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, team_id, source, event_type, scope, scope_key, target_url, state, ",
            "state_reason, state_since, state_by, created_at, ordering, rate_per_second, settings FROM subscription ",
            $rest
        )
    };
}

#[async_trait]
impl<G: Send> ReadSubscriptions for Tx<'_, G> {
    async fn subscription_get(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<Option<Subscription>, StoreError> {
        let sql = select!("WHERE id = $1 AND team_id = $2");
        self.first(sql, &[&id.uuid(), &team.get()], subscription)
            .await
    }

    async fn subscription_find(
        &mut self,
        identity: &SubscriptionIdentity,
    ) -> Result<Option<Subscription>, StoreError> {
        let sql = select!(
            "WHERE team_id = $1 AND event_type = $2 AND scope_key = $3 AND source = $4
                AND target_hash = $5 AND state <> 'gone'"
        );
        let bound = [
            &identity.team.get() as &(dyn tokio_postgres::types::ToSql + Sync),
            &identity.event_type.word(),
            &identity.scope.key(),
            &identity.source,
            &hash(&identity.target),
        ];
        self.first(sql, &bound, subscription).await
    }

    async fn subscription_list(
        &mut self,
        team: TeamId,
        source: Option<&str>,
        event_type: Option<EventType>,
        limit: u32,
    ) -> Result<Vec<Subscription>, StoreError> {
        let sql = select!(
            "WHERE team_id = $1 AND state <> 'gone' AND ($2::text IS NULL OR source = $2)
                AND ($3::text IS NULL OR event_type = $3)
            ORDER BY created_at, id LIMIT $4"
        );
        let event_type = event_type.map(EventType::word);
        let limit = i64::from(limit);
        self.all(
            sql,
            &[&team.get(), &source, &event_type, &limit],
            subscription,
        )
        .await
    }

    async fn subscription_fault(
        &mut self,
        id: SubscriptionId,
    ) -> Result<Option<String>, StoreError> {
        destinations::fault(self.destination_now(id).await)
    }

    async fn subscription_count(&mut self, team: TeamId) -> Result<u64, StoreError> {
        let sql = sql::SUBSCRIPTION_COUNT;
        let count: i64 = self.one(sql, &[&team.get()], |row| row.cell(0)).await?;
        Ok(count.unsigned_abs())
    }
}

#[async_trait]
impl WriteSubscriptions for Change<'_> {
    async fn subscription_insert(
        &mut self,
        subscription: &Subscription,
        secrets: &[SubscriptionSecret],
    ) -> Result<(), StoreError> {
        let id = subscription.id.uuid();
        let sql = "INSERT INTO subscription (id, team_id, source, event_type, scope, scope_key,
                target_url, target_hash, revision, state, state_reason, state_since, state_by,
                created_at, ordering, rate_per_second, settings)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $13, 1, $8, $9, $10, $11, $12, $14, $15, $16)";
        let row = owned![
            id,
            subscription.team.get(),
            subscription.source.clone(),
            subscription.event_type.word().to_owned(),
            subscription.scope.word().to_owned(),
            subscription.scope.key(),
            subscription.target.as_str().to_owned(),
            subscription.state.word().to_owned(),
            subscription.state_reason.clone(),
            Moment(subscription.state_since),
            subscription.state_by.clone(),
            Moment(subscription.created_at),
            hash(&subscription.target),
            subscription.settings.ordering.word().to_owned(),
            subscription.settings.rate_per_second.map(i64::from),
            subscription.settings.to_text(),
        ];
        self.later(sql, row).await?;
        let sql = sql::SEQUENCE_INSERT;
        // Awaited, so that one that is there already is told at once.
        self.run(sql, &[&id]).await?;
        for secret in secrets {
            self.secret_insert(subscription.team, subscription.id, secret)
                .await?;
        }
        Ok(())
    }

    async fn subscription_hold(
        &mut self,
        team: TeamId,
        id: SubscriptionId,
    ) -> Result<(), StoreError> {
        let sql = "SELECT 1 FROM subscription WHERE id = $1 AND team_id = $2 FOR NO KEY UPDATE";
        self.later(sql, owned![id.uuid(), team.get()]).await
    }

    async fn subscription_put(
        &mut self,
        id: SubscriptionId,
        change: &SubscriptionChange,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE subscription SET source = $1, target_url = $2, target_hash = $3,
                ordering = $4, rate_per_second = $5, settings = $6, revision = revision + 1
            WHERE id = $7 AND state <> 'gone'";
        let bound = [
            &change.source as &(dyn tokio_postgres::types::ToSql + Sync),
            &change.target.as_str(),
            &hash(&change.target),
            &change.settings.ordering.word(),
            &change.settings.rate_per_second.map(i64::from),
            &change.settings.to_text(),
            &id.uuid(),
        ];
        Ok(self.run(sql, &bound).await? > 0)
    }

    async fn subscription_state_put(
        &mut self,
        id: SubscriptionId,
        change: &StateChange,
    ) -> Result<bool, StoreError> {
        let change = StandChange {
            code: StateCode::by_person(change.state),
            reason: change.reason.clone(),
            by: change.by.clone(),
            at: change.at,
            probe_at: None,
        };
        self.state_put(id, &change).await
    }
}

impl Change<'_> {
    /// Changes the state and what it follows from; whether there was something to change.
    pub(super) async fn state_put(
        &mut self,
        id: SubscriptionId,
        change: &StandChange,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT state, state_code FROM subscription WHERE id = $1 FOR UPDATE";
        let before = self
            .first(sql, &[&id.uuid()], |row| {
                let state: SubscriptionState = row.word(0, STATE)?;
                Ok((state, row.word::<StateCode>(1, CODE)?))
            })
            .await?;
        let Some((before, _)) = before
            .filter(|(state, code)| *state != SubscriptionState::Gone && *code != change.code)
        else {
            return Ok(false);
        };
        let state = change.code.state();
        let sql = sql::SUBSCRIPTION_STATE_PUT;
        let row = owned![
            state.word().to_owned(),
            change.reason.clone(),
            Moment(change.at),
            change.by.clone(),
            change.code.word().to_owned(),
            moment(change.probe_at),
            id.uuid(),
        ];
        self.later(sql, row).await?;
        if state.sends() && !before.sends() {
            // What waited may be due; new events go behind it.
            self.fresh.push(Fresh::Resumed(id));
        }
        Ok(true)
    }
}

/// The health of a subscription, from four columns that begin at `at`.
pub(super) fn health(row: &Row, at: usize) -> Result<Health, Fault> {
    Ok(Health {
        failing_since: row.time_opt(at)?,
        warned: row.number(at + 1, place("warned"))?,
        probe_at: row.time_opt(at + 2)?,
        probes: row.number(at + 3, place("probes"))?,
    })
}

/// What an address is found by.
fn hash(target: &TargetUrl) -> Vec<u8> {
    Sha256::digest(target.as_str()).to_vec()
}

fn subscription(row: &Row) -> Result<Subscription, Fault> {
    let id = SubscriptionId::new(row.guid(0)?);
    let scope: String = row.cell(4)?;
    let target: String = row.cell(6)?;
    Ok(Subscription {
        id,
        team: TeamId::new(row.cell(1)?),
        source: row.cell(2)?,
        event_type: row.word(3, EVENT_TYPE)?,
        scope: Scope::read(&scope, row.guid(5)?).ok_or_else(|| place("scope").corrupt(id))?,
        target: TargetUrl::parse(&target).map_err(|_| place("target_url").corrupt(id))?,
        state: row.word(7, STATE)?,
        state_reason: row.cell(8)?,
        state_since: row.time(9)?,
        state_by: row.cell(10)?,
        created_at: row.time(11)?,
        settings: shown_settings(row)?,
    })
}

/// The settings from the three columns that begin at `at`.
pub(super) fn settings(
    row: &Row,
    at: usize,
    id: SubscriptionId,
) -> Result<SubscriptionSettings, Fault> {
    let (ordering, text): (String, String) = (row.cell(at)?, row.cell(at + 2)?);
    let found = SubscriptionSettings::read(&ordering, row.cell(at + 1)?, &text);
    Ok(found.ok_or_else(|| place("settings").corrupt(id))?)
}

/// The settings of a subscription that is shown, which is not the worse for what can't be read of another one in its list.
fn shown_settings(row: &Row) -> Result<SubscriptionSettings, Fault> {
    let (ordering, text): (String, String) = (row.cell(12)?, row.cell(14)?);
    Ok(SubscriptionSettings::shown(&ordering, row.cell(13)?, &text))
}
