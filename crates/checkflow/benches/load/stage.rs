//! What a scenario plays on: a folder, a server on it, a template, subscriptions, and one measured load.

use std::{
    iter,
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tempfile::TempDir;
use testkit::S3Server;
use tokio::time::sleep;

use super::{
    Bench,
    account::{Account, count},
    api::{self, Api, Template},
    database::Database,
    drive::{Asking, Load, Sends, drive},
    server::{self, Place, Server, Settings},
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

/// How long nothing may have been computed for a stage to be quiet.
const QUIET: Duration = Duration::from_millis(100);

/// What a stage stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// A file, and the one server on it.
    Sqlite,
    /// A PostgreSQL, and so many servers on it.
    Postgres {
        /// At least one.
        nodes: usize,
    },
}

/// A team in a store of its own, and the servers on it while there are some.
pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) database: Option<Database>,
    /// The files, where several servers have them in common.
    bucket: Option<S3Server>,
    pub(crate) team: i64,
    pub(crate) key: String,
    pub(crate) template: Template,
    settings: Settings,
    pub(crate) server: Server,
    /// The other nodes.
    others: Vec<Server>,
}

/// A load and what it cost.
pub(crate) struct Measured {
    pub(crate) account: Account,
    pub(crate) cpu: Cpu,
}

/// Processor time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// Of our processes.
    pub(crate) servers: Duration,
    /// Of the database's, where it has some.
    pub(crate) database: Duration,
}

impl Cpu {
    pub(crate) const fn all(self) -> Duration {
        self.servers.saturating_add(self.database)
    }

    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            servers: self.servers.saturating_sub(before.servers),
            database: self.database.saturating_sub(before.database),
        }
    }
}

impl Measured {
    /// Processor seconds of all processes for a thousand deliveries.
    pub(crate) fn cpu_per_thousand(&self) -> f64 {
        self.cpu.all().as_secs_f64() * 1_000.0 / count(self.account.delivered.max(1))
    }
}

impl Stage {
    /// A new store with a team, a key and a template, and a server on it.
    pub(crate) async fn new(bench: &Bench) -> anyhow::Result<Self> {
        Self::on(bench, Ground::Sqlite).await
    }

    /// The same on another ground.
    pub(crate) async fn on(bench: &Bench, ground: Ground) -> anyhow::Result<Self> {
        // Beside what cargo builds, which is on a disk: a temporary folder may be in memory, where a
        // commit costs nothing.
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let (database, nodes) = match ground {
            Ground::Sqlite => (None, 1),
            Ground::Postgres { nodes } => (Some(Database::new()), nodes),
        };
        let bucket = (nodes > 1).then(S3Server::start);
        let place = |node| place(&folder, database.as_ref(), bucket.as_ref(), node);
        let first = place(0);
        let team = server::json(&first, &["team", "create", "--name", "Bench"]).await?;
        let team = team["teamId"].as_i64().context("teamId")?;
        let id = team.to_string();
        let create = ["key", "create", "--team", &id, "--name", "bench"];
        let key = server::json(&first, &create).await?;
        let key = key["key"].as_str().context("key")?.to_owned();
        let settings = bench.settings.clone();
        let server = Server::start(&first, &settings).await?;
        let mut others = Vec::new();
        for node in 1..nodes {
            others.push(Server::start(&place(node), &settings).await?);
        }
        let mut api = Api::connect(server.address, &key).await?;
        let template = api.template("Bench").await?;
        Ok(Self {
            folder,
            database,
            bucket,
            team,
            key,
            template,
            settings,
            server,
            others,
        })
    }

    /// One in a folder with so many subscriptions to the template, each of which goes to its number's path.
    pub(crate) async fn with_subscriptions(
        bench: &Bench,
        subscriptions: u16,
    ) -> anyhow::Result<Self> {
        let stage = Self::new(bench).await?;
        stage.subscribe(bench, subscriptions).await?;
        Ok(stage)
    }

    /// Makes so many subscriptions to the template, each of which goes to its number's path.
    pub(crate) async fn subscribe(&self, bench: &Bench, count: u16) -> anyhow::Result<()> {
        let mut api = self.api().await?;
        let scope = format!("templateKey={}", self.template.key);
        for number in 0..count {
            let (target, wish) = bench.sink.target_by(bench.way, number);
            api.subscribe(&target, &format!("{scope}{wish}")).await?;
        }
        Ok(())
    }

    pub(crate) async fn api(&self) -> anyhow::Result<Api> {
        Api::connect(self.server.address, &self.key).await
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.place().folder
    }

    fn place(&self) -> Place {
        let (database, bucket) = (self.database.as_ref(), self.bucket.as_ref());
        place(&self.folder, database, bucket, 0)
    }

    /// Makes checklists with so many tasks.
    pub(crate) async fn tasks(&self, events: usize) -> anyhow::Result<Vec<u64>> {
        api::checklists(self.server.address, &self.key, &self.template.key, events).await
    }

    pub(crate) fn asking(&self) -> Asking {
        Asking::complete(self.server.address, &self.key)
    }

    /// With these settings too from the next start on.
    pub(crate) fn with_settings<'a>(
        mut self,
        more: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let more = more.into_iter();
        let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.settings = self.settings.iter().cloned().chain(more).collect();
        self
    }

    /// Ends the server, has `change` made to the store, and starts one again.
    pub(crate) async fn restarted(
        mut self,
        change: impl AsyncFnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        self.server.stop().await?;
        change(&self.data()).await?;
        self.start_again().await?;
        Ok(self)
    }

    /// Ends the server and starts it again. Answers how many statements it had run.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<u64> {
        let statements = self.server.stop().await?;
        self.start_again().await?;
        Ok(statements)
    }

    /// Starts a server anew after the one before was killed.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<()> {
        self.server = Server::start(&self.place(), &self.settings).await?;
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        for other in &mut self.others {
            other.stop().await?;
        }
        self.server.stop().await?;
        Ok(())
    }

    /// Bytes of write-ahead log: in the file, or written so far where the database is a server.
    pub(crate) fn wal(&self) -> anyhow::Result<u64> {
        let database = self.database.as_ref();
        database.map_or_else(|| Ok(self.server.wal()), Database::wal)
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Cpu> {
        let mut servers = self.server.cpu()?;
        for other in &self.others {
            servers += other.cpu()?;
        }
        let database = self.database.as_ref().map(Database::cpu).transpose()?;
        Ok(Cpu {
            servers,
            database: database.unwrap_or_default(),
        })
    }

    /// Waits until the servers have nothing more to do: outcomes are stored a moment after the last arrival,
    /// and belong to their cost.
    pub(crate) async fn quiet(&self) -> anyhow::Result<()> {
        let mut before = self.cpu()?.servers;
        // What is never quiet is measured as it is.
        for _ in 0..20 {
            sleep(QUIET).await;
            let now = self.cpu()?.servers;
            if now == before {
                break;
            }
            before = now;
        }
        Ok(())
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
        self.complete(bench, scenario, (tasks, load), waited).await
    }

    /// The same with tasks that are there.
    pub(crate) async fn complete(
        &self,
        bench: &mut Bench,
        scenario: &'static str,
        (tasks, load): (Vec<u64>, Load),
        waited: impl Fn(usize) -> Range<u16>,
    ) -> anyhow::Result<Measured> {
        self.quiet().await?;
        bench.sink.forget();
        let others = self.others.iter();
        let others = others.map(|other| Asking::complete(other.address, &self.key));
        let asked = iter::once(self.asking()).chain(others).collect();
        let before = self.cpu()?;
        let sends = drive(asked, tasks, load).await?;
        let account = bench.arrived(&sends, &waited).await;
        self.quiet().await?;
        let cpu = self.cpu()?.since(before);
        bench.judge(scenario, &sends, &account);
        Ok(Measured { account, cpu })
    }
}

/// Where a node keeps its things; all are on the same database, and have the same files, if there are such.
fn place(
    folder: &TempDir,
    database: Option<&Database>,
    bucket: Option<&S3Server>,
    node: usize,
) -> Place {
    Place {
        folder: folder.path().join(format!("data-{node}")),
        database: database.map(Database::url),
        files: bucket.map(|bucket| bucket.location("")),
        variables: bucket
            .map(S3Server::variables)
            .into_iter()
            .flatten()
            .collect(),
    }
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
        let sends = drive(vec![Asking::bare(self.sink.address())?], tasks, load).await?;
        let account = self.arrived(&sends, &|_| 0..1).await;
        self.judge("bare", &sends, &account);
        Ok(account)
    }
}
