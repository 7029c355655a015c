//! What a scenario plays on: a folder, a server on it, a template, subscriptions, and one measured load.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::time::sleep;

use super::{
    Bench,
    account::{Account, count},
    api::{self, Api, Template},
    drive::{Asking, Load, Sends, drive},
    server::{self, Server, Settings},
};

/// Connections of the driver, where a scenario says nothing else.
pub(crate) const CONNECTIONS: usize = 32;
/// As fast as answers come.
pub(crate) const FULL: Load = Load {
    connections: CONNECTIONS,
    per_second: None,
};
/// How long nothing may have arrived for what is missing to be lost. Longer than the first retry takes.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// How often is looked whether everything has arrived; the times of arrivals do not depend on it.
const LOOK: Duration = Duration::from_millis(5);
/// Events that are sent before anything is measured: pages, connections and threads come to be.
const WARM_UP: usize = 1_000;

/// A team in a store of its own, and the server on it while there is one.
pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) team: i64,
    pub(crate) key: String,
    pub(crate) template: Template,
    settings: Settings,
    pub(crate) server: Server,
}

/// A load and what it cost.
pub(crate) struct Measured {
    pub(crate) account: Account,
    /// Processor time of the server.
    pub(crate) cpu: Duration,
}

impl Measured {
    /// Processor seconds of the server for a thousand deliveries.
    pub(crate) fn cpu_per_thousand(&self) -> f64 {
        self.cpu.as_secs_f64() * 1_000.0 / count(self.account.delivered.max(1))
    }
}

impl Stage {
    /// A new store with a team, a key and a template, and a server on it.
    pub(crate) async fn new(bench: &Bench) -> anyhow::Result<Self> {
        // Beside what cargo builds, which is on a disk: a temporary folder may be in memory, where a
        // commit costs nothing.
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let data = data_of(&folder);
        let team = server::json(&data, &["team", "create", "--name", "Bench"]).await?;
        let team = team["teamId"].as_i64().context("teamId")?;
        let id = team.to_string();
        let key = server::json(&data, &["key", "create", "--team", &id, "--name", "bench"]).await?;
        let key = key["key"].as_str().context("key")?.to_owned();
        let settings = bench.settings.clone();
        let server = Server::start(&data, &settings).await?;
        let mut api = Api::connect(server.address, &key).await?;
        let template = api.template("Bench").await?;
        Ok(Self {
            folder,
            team,
            key,
            template,
            settings,
            server,
        })
    }

    /// The same with so many subscriptions to the template, each of which goes to its number's path.
    pub(crate) async fn with_subscriptions(
        bench: &Bench,
        subscriptions: u16,
    ) -> anyhow::Result<Self> {
        let stage = Self::new(bench).await?;
        let mut api = stage.api().await?;
        let scope = format!("templateKey={}", stage.template.key);
        for number in 0..subscriptions {
            api.subscribe(&bench.sink.target(number), &scope).await?;
        }
        Ok(stage)
    }

    pub(crate) async fn api(&self) -> anyhow::Result<Api> {
        Api::connect(self.server.address, &self.key).await
    }

    pub(crate) fn data(&self) -> PathBuf {
        data_of(&self.folder)
    }

    /// Makes checklists with so many tasks.
    pub(crate) async fn tasks(&self, events: usize) -> anyhow::Result<Vec<u64>> {
        api::checklists(self.server.address, &self.key, &self.template.key, events).await
    }

    pub(crate) fn asking(&self) -> Asking {
        Asking::complete(self.server.address, &self.key)
    }

    /// Ends the server, has `change` made to the store, and starts one again.
    pub(crate) async fn restarted(
        self,
        change: impl AsyncFnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let data = self.data();
        self.server.stop().await?;
        change(&data).await?;
        let server = Server::start(&data, &self.settings).await?;
        Ok(Self { server, ..self })
    }

    /// Starts a server anew after the one before was killed.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<()> {
        self.server = Server::start(&self.data(), &self.settings).await?;
        Ok(())
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.server.stop().await
    }

    /// Sends a few events and forgets them.
    pub(crate) async fn warm_up(
        &self,
        bench: &mut Bench,
        subscriptions: u16,
    ) -> anyhow::Result<()> {
        let events = WARM_UP.min(bench.sizes.one);
        self.measure(bench, "warm-up", (events, FULL), |_| 0..subscriptions)
            .await?;
        Ok(())
    }

    /// Makes what `events` need, then sends them and waits until every one has reached all that are
    /// `waited` for. Only the latter is measured. What is lost or wrong goes into the report.
    pub(crate) async fn measure(
        &self,
        bench: &mut Bench,
        scenario: &'static str,
        (events, load): (usize, Load),
        waited: impl Fn(usize) -> Range<u16>,
    ) -> anyhow::Result<Measured> {
        let tasks = self.tasks(events).await?;
        self.server.quiet().await?;
        bench.sink.forget();
        let before = self.server.cpu()?;
        let sends = drive(self.asking(), tasks, load).await?;
        let account = bench.arrived(&sends, &waited).await;
        self.server.quiet().await?;
        let cpu = self.server.cpu()?.saturating_sub(before);
        bench.judge(scenario, &sends, &account);
        Ok(Measured { account, cpu })
    }
}

fn data_of(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

impl Bench {
    /// Waits until everything that was accepted has arrived, or nothing has come for long.
    pub(crate) async fn arrived(
        &self,
        sends: &Sends,
        waited: &impl Fn(usize) -> Range<u16>,
    ) -> Account {
        let mut due: usize = {
            let accepted = sends.sent.iter().filter(|sent| sent.accepted);
            accepted.map(|sent| waited(sent.number).len()).sum()
        };
        let (mut seen, mut since) = (self.sink.count(), Instant::now());
        loop {
            let now = self.sink.count();
            if now > seen {
                (seen, since) = (now, Instant::now());
            }
            let gave_up = since.elapsed() >= LOST_AFTER;
            if now >= due || gave_up {
                let account = Account::of(&sends.sent, self.sink.arrivals(), waited);
                if account.lost == 0 || gave_up {
                    return account;
                }
                // Some of what came was there before: so many more must come.
                due = now + account.lost;
            }
            sleep(LOOK).await;
        }
    }

    /// Reports what must not be.
    pub(crate) fn judge(&mut self, scenario: &'static str, sends: &Sends, account: &Account) {
        if account.lost > 0 {
            self.report
                .fault(scenario, format!("deliveries were lost: {account}"));
        }
        if account.unasked > 0 || self.sink.foreign() > 0 {
            let (unasked, foreign) = (account.unasked, self.sink.foreign());
            let fault =
                format!("{unasked} webhooks about nothing that was sent, {foreign} that are none");
            self.report.fault(scenario, fault);
        }
        if let Some(first) = sends.wrong.first() {
            let fault = format!("{} wrong answers, such as {first}", sends.wrong.len());
            self.report.fault(scenario, fault);
        }
        if let Some(first) = sends.broken.first() {
            let fault = format!(
                "{} connections broke, such as by: {first}",
                sends.broken.len()
            );
            self.report.fault(scenario, fault);
        }
    }

    /// The same load straight to the sink.
    pub(crate) async fn bare(&mut self, (events, load): (usize, Load)) -> anyhow::Result<Account> {
        self.sink.forget();
        let tasks = (1..).take(events).collect();
        let sends = drive(Asking::bare(self.sink.address())?, tasks, load).await?;
        let account = self.arrived(&sends, &|_| 0..1).await;
        self.judge("bare", &sends, &account);
        Ok(account)
    }
}
