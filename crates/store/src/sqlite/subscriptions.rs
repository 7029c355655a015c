//! Subscriptions.

use async_trait::async_trait;
use domain::{
    EventType, Health, Scope, StateCode, Subscription, SubscriptionId, SubscriptionSecret,
    SubscriptionSettings, SubscriptionState, TargetUrl, TeamId,
};
use rusqlite::{Row, params};

use super::{
    fault::Fault,
    tx::{Change, Tx},
    values::{Cells as _, millis},
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
        let sql = select!("WHERE id = ?1 AND team_id = ?2");
        self.first(sql, params![id.uuid(), team.get()], subscription)
    }

    async fn subscription_find(
        &mut self,
        identity: &SubscriptionIdentity,
    ) -> Result<Option<Subscription>, StoreError> {
        let sql = select!(
            "WHERE team_id = ?1 AND event_type = ?2 AND scope_key = ?3 AND source = ?4
                AND target_url = ?5 AND state <> 'gone'"
        );
        let bound = params![
            identity.team.get(),
            identity.event_type.word(),
            identity.scope.key(),
            identity.source,
            identity.target.as_str(),
        ];
        self.first(sql, bound, subscription)
    }

    async fn subscription_list(
        &mut self,
        team: TeamId,
        source: Option<&str>,
        event_type: Option<EventType>,
        limit: u32,
    ) -> Result<Vec<Subscription>, StoreError> {
        let sql = select!(
            "WHERE team_id = ?1 AND state <> 'gone' AND (?2 IS NULL OR source = ?2)
                AND (?3 IS NULL OR event_type = ?3)
            ORDER BY created_at, id LIMIT ?4"
        );
        let event_type = event_type.map(EventType::word);
        self.all(
            sql,
            params![team.get(), source, event_type, limit],
            subscription,
        )
    }

    async fn subscription_fault(
        &mut self,
        id: SubscriptionId,
    ) -> Result<Option<String>, StoreError> {
        destinations::fault(self.destination_now(id))
    }

    async fn subscription_count(&mut self, team: TeamId) -> Result<u64, StoreError> {
        let sql = sql::SUBSCRIPTION_COUNT;
        let count: i64 = self.one(sql, [team.get()], |row| Ok(row.get(0)?))?;
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
                target_url, revision, state, state_reason, state_since, state_by,
                created_at, ordering, rate_per_second, settings)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
        self.run(
            sql,
            params![
                id,
                subscription.team.get(),
                subscription.source,
                subscription.event_type.word(),
                subscription.scope.word(),
                subscription.scope.key(),
                subscription.target.as_str(),
                subscription.state.word(),
                subscription.state_reason,
                subscription.state_since.as_millis(),
                subscription.state_by,
                subscription.created_at.as_millis(),
                subscription.settings.ordering.word(),
                subscription.settings.rate_per_second,
                subscription.settings.to_text(),
            ],
        )?;
        let sql = sql::SEQUENCE_INSERT;
        self.run(sql, [id])?;
        for secret in secrets {
            self.secret_insert(subscription.team, subscription.id, secret)
                .await?;
        }
        Ok(())
    }

    async fn subscription_hold(&mut self, _: TeamId, _: SubscriptionId) -> Result<(), StoreError> {
        // There is one writer.
        Ok(())
    }

    async fn subscription_put(
        &mut self,
        id: SubscriptionId,
        change: &SubscriptionChange,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE subscription SET source = ?1, target_url = ?2, ordering = ?3,
                rate_per_second = ?4, settings = ?5, revision = revision + 1
            WHERE id = ?6 AND state <> 'gone'";
        let changed = self.run(
            sql,
            params![
                change.source,
                change.target.as_str(),
                change.settings.ordering.word(),
                change.settings.rate_per_second,
                change.settings.to_text(),
                id.uuid(),
            ],
        )?;
        Ok(changed > 0)
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
        self.state_put(id, &change)
    }
}

impl Change<'_> {
    /// Changes the state and what it follows from; whether there was something to change.
    pub(super) fn state_put(
        &mut self,
        id: SubscriptionId,
        change: &StandChange,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT state, state_code FROM subscription WHERE id = ?1";
        let before = self.first(sql, [id.uuid()], |row| {
            let state: SubscriptionState = row.word(0, STATE)?;
            Ok((state, row.word::<StateCode>(1, CODE)?))
        })?;
        let Some((before, _)) = before
            .filter(|(state, code)| *state != SubscriptionState::Gone && *code != change.code)
        else {
            return Ok(false);
        };
        let state = change.code.state();
        let sql = sql::SUBSCRIPTION_STATE_PUT;
        self.run(
            sql,
            params![
                state.word(),
                change.reason,
                change.at.as_millis(),
                change.by,
                change.code.word(),
                millis(change.probe_at),
                id.uuid(),
            ],
        )?;
        if state.sends() && !before.sends() {
            // What waited may be due; new events go behind it.
            self.gathered.resumed(id);
        }
        Ok(true)
    }
}

/// The health of a subscription, from four columns that begin at `at`.
pub(super) fn health(row: &Row<'_>, at: usize) -> Result<Health, Fault> {
    Ok(Health {
        failing_since: row.time_opt(at)?,
        warned: row.get(at + 1)?,
        probe_at: row.time_opt(at + 2)?,
        probes: row.get(at + 3)?,
    })
}

fn subscription(row: &Row<'_>) -> Result<Subscription, Fault> {
    let id = SubscriptionId::new(row.guid(0)?);
    let scope: String = row.get(4)?;
    let target: String = row.get(6)?;
    Ok(Subscription {
        id,
        team: TeamId::new(row.get(1)?),
        source: row.get(2)?,
        event_type: row.word(3, EVENT_TYPE)?,
        scope: Scope::read(&scope, row.guid(5)?).ok_or_else(|| place("scope").corrupt(id))?,
        target: TargetUrl::parse(&target).map_err(|_| place("target_url").corrupt(id))?,
        state: row.word(7, STATE)?,
        state_reason: row.get(8)?,
        state_since: row.time(9)?,
        state_by: row.get(10)?,
        created_at: row.time(11)?,
        settings: shown_settings(row)?,
    })
}

/// The settings from the three columns that begin at `at`.
pub(super) fn settings(
    row: &Row<'_>,
    at: usize,
    id: SubscriptionId,
) -> Result<SubscriptionSettings, Fault> {
    let (ordering, text): (String, String) = (row.get(at)?, row.get(at + 2)?);
    let found = SubscriptionSettings::read(&ordering, row.get(at + 1)?, &text);
    Ok(found.ok_or_else(|| place("settings").corrupt(id))?)
}

/// The settings of a subscription that is shown, which is not the worse for what can't be read of another one in its list.
fn shown_settings(row: &Row<'_>) -> Result<SubscriptionSettings, Fault> {
    let (ordering, text): (String, String) = (row.get(12)?, row.get(14)?);
    Ok(SubscriptionSettings::shown(&ordering, row.get(13)?, &text))
}
