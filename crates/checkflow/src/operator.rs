//! What the operator does beside the server: teams, keys and members.
//!
//! Each command opens the database of the data folder for itself, beside a running server or
//! without one, does one thing, and closes it. A key works, or ceases to work, with the answer.

mod members;

pub(crate) use members::member;

use std::{io::Write as _, process::ExitCode, time::Duration};

use anyhow::{Context as _, anyhow};
use app::KeyWish;
use domain::{ApiKey, ApiKeyId, Source, TeamId, Timestamp};
use serde_json::{Value, json};
use store::{Revoked, Store};

use crate::{
    cli::{KeyArgs, KeyCommand, StoreArgs, TeamArgs, TeamCommand},
    config::{self, Settings},
    os, serve,
};

/// `checkflow team …`
pub(crate) fn team(args: &TeamArgs) -> anyhow::Result<ExitCode> {
    let TeamCommand::Create { name, json, store } = &args.command;
    let again = store.again();
    with_store(store, serve::open_or_make_beside, async |store, source| {
        let team = app::create_team(store, source, name).await?;
        let row = json!({ "teamId": team.id.get(), "teamName": team.name });
        let text = format!(
            "team {} made: {}\nnext: checkflow key create --team {} --name NAME{again}",
            team.id, team.name, team.id
        );
        say(*json, &row, &text)
    })
}

/// `checkflow key …`
pub(crate) fn key(args: &KeyArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        KeyCommand::Create {
            team,
            name,
            scopes,
            expires_in_days,
            json,
            store,
        } => with_store(store, serve::open_beside, async |store, source| {
            let days = expires_in_days.map(|days| Duration::from_hours(24 * u64::from(days)));
            let wish = KeyWish {
                name: name.clone(),
                rights: *scopes,
                expires_at: days.map(|within| source.now().after(within)),
            };
            let made = app::create_key(store, source, TeamId::new(*team), &wish).await?;
            let mut row = listed(&made.key);
            row["key"] = made.secret.reveal().into();
            let text = format!(
                "{}\nkey {} ({}) of team {team}; it is shown this once",
                made.secret.reveal(),
                made.key.id,
                made.key.name
            );
            say(*json, &row, &text)
        }),
        KeyCommand::List { team, json, store } => {
            let again = store.again();
            with_store(store, serve::open_beside, async |store, source| {
                let keys = app::list_keys(store, TeamId::new(*team)).await?;
                let none = format!(
                    "no keys; `checkflow key create --team {team} --name NAME{again}` makes one"
                );
                let text = if keys.is_empty() {
                    none
                } else {
                    table(&keys, source.now())
                };
                say(*json, &keys.iter().map(listed).collect(), &text)
            })
        }
        KeyCommand::Revoke {
            team,
            key,
            json,
            store,
        } => {
            let id: ApiKeyId = key.parse().map_err(|_| {
                let again = store.again();
                anyhow!("{key:?} is no identifier of a key; `checkflow key list --team {team}{again}` shows them")
            })?;
            with_store(store, serve::open_beside, async |store, source| {
                let revoked = app::revoke_key(store, source, TeamId::new(*team), id).await?;
                let now = revoked == Revoked::Now;
                let text = if now {
                    "revoked"
                } else {
                    "had been revoked before"
                };
                say(
                    *json,
                    &json!({ "keyId": id, "revokedNow": now }),
                    &format!("key {id} {text}"),
                )
            })
        }
    }
}

/// Opens the database with `open`, does `work` and closes it.
fn with_store(
    args: &StoreArgs,
    open: impl AsyncFnOnce(&Settings, &Source) -> anyhow::Result<Store>,
    work: impl AsyncFnOnce(&Store, &Source) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let settings = config::load_for_tools(args)?;
    on_runtime(async {
        let source = os::source();
        let store = open(&settings, &source).await?;
        let done = work(&store, &source).await;
        store.stop().await;
        done.map(|()| ExitCode::SUCCESS)
    })
}

/// Does `work` on this thread.
pub(crate) fn on_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.context("starting")?.block_on(work)
}

pub(crate) fn say(as_json: bool, row: &Value, text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{row}")
    } else {
        writeln!(out, "{text}")
    }
    .context("printing the answer")
}

fn listed(key: &ApiKey) -> Value {
    json!({
        "keyId": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "teamId": key.team,
        "scopes": key.rights,
        "createdDateTime": key.created_at,
        "expiresDateTime": key.expires_at,
        "lastUsedDateTime": key.used_at,
        "revokedDateTime": key.revoked_at,
    })
}

fn table(keys: &[ApiKey], now: Timestamp) -> String {
    let row = |key: &ApiKey| {
        let state = match (key.revoked_at, key.expires_at) {
            (Some(at), _) => format!("revoked {at}"),
            (None, Some(at)) if at <= now => format!("expired {at}"),
            (None, Some(at)) => format!("until {at}"),
            (None, None) => "active".to_owned(),
        };
        let used = key
            .used_at
            .map_or("never used".to_owned(), |at| format!("used {at}"));
        format!(
            "{}  {}…  made {}  {used}  {state}  {}  {}",
            key.id, key.prefix, key.created_at, key.rights, key.name
        )
    };
    keys.iter().map(row).collect::<Vec<_>>().join("\n")
}
