//! The parts of a server put together, and taken apart again in order.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use api::{ApiSettings, FilesHealth, NotReady, Ready, ReadyProbe};
use app::{App, Parts};
use delivery::{Engine, Peers, SystemResolver, TargetProver};
use domain::{PublicUrl, Source};
use store::{FileStore, StatementCount, Store};
use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};
use tracing::{info, warn};

use super::{http::HttpServer, open, prune, pulse, replay, sweep};
use crate::config::Settings;

/// How long running requests are given to finish, from the beginning of a stop.
const REQUESTS_WITHIN: Duration = Duration::from_secs(4);
/// How long attempts under way are given, from the beginning of a stop. The engine takes up to three
/// seconds more to store what came of them.
const ATTEMPTS_WITHIN: Duration = Duration::from_secs(6);
/// After how long a stop is over, whatever still runs. Ten seconds are promised; the rest is for
/// ending the process.
const STOP_WITHIN: Duration = Duration::from_millis(9_500);
/// How long a start waits for the other nodes to be told of it. Whoever sees it answer finds it among them.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// A server that answers and delivers, or does one of the two.
pub(crate) struct Server {
    address: SocketAddr,
    public_url: PublicUrl,
    store: Store,
    /// None where others answer.
    files: Option<FileStore>,
    statements: StatementCount,
    /// None where others send.
    engine: Option<Arc<Engine>>,
    http: HttpServer,
    /// None where others answer.
    app: Option<App>,
    /// The sweeper, the pruner, the redelivery jobs and the pulses.
    background: Vec<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
}

impl Server {
    /// Opens the data folder, takes the port and begins. It can answer when this returns.
    pub(crate) async fn start(settings: Settings, source: Source) -> anyhow::Result<Self> {
        let opened = open::open_for_server(&settings, &source).await?;
        let started = Self::start_on(&settings, &source, &opened).await;
        if started.is_err() {
            // Leaves the folder in good order for the next start.
            opened.store.stop().await;
        }
        started
    }

    async fn start_on(
        settings: &Settings,
        source: &Source,
        opened: &open::Opened,
    ) -> anyhow::Result<Self> {
        let listener = listen(settings.listen).await?;
        let address = listener
            .local_addr()
            .context("reading the address that is listened on")?;
        let public_url = match &settings.public_url {
            Some(url) => url.clone(),
            None => public_url(address)?,
        };
        let (store, resolver) = (opened.store.clone(), Arc::new(SystemResolver::default()));
        let peers = Peers::new(settings.shared(&public_url), source.clone());
        let engine = join(settings, source, &store, &peers, resolver.clone()).await?;
        let stopping = Arc::new(AtomicBool::new(false));
        let (found, mut background) = pulse::begin(store.clone(), opened.files.clone());
        let pruner = prune::begin(
            store.clone(),
            source.clone(),
            settings.keeping,
            peers.clone(),
        );
        background.push(pruner);
        background.push(replay::begin(store.clone(), source.clone()));
        let door = ApiSettings {
            source: source.clone(),
            ready: ready_probe(found, engine.as_ref(), &peers, &stopping),
            limits: settings.api.clone(),
            trusted_proxies: settings.trusted_proxies.clone(),
        };
        let (router, app) = match &opened.files {
            Some(files) => {
                let app = App::new(Parts {
                    store: store.clone(),
                    files: files.clone(),
                    source: source.clone(),
                    public_url: public_url.clone(),
                    policy: settings.policy.clone(),
                    prover: prover(settings, resolver.clone()),
                    resolver,
                    tls: Arc::new(delivery::TlsCheck::new(source.clone())),
                    limits: settings.limits.clone(),
                });
                let left = sweep::Left {
                    files: files.clone(),
                    before: opened.since,
                };
                let sweeper = sweep::begin(app.clone(), store.clone(), source.clone(), left);
                background.push(sweeper);
                (api::router(app.clone(), door), Some(app))
            }
            None => (api::health_router(door), None),
        };
        let http = HttpServer::start(listener, router, &settings.http);
        let role = settings.role;
        let data = settings.data.display();
        info!(%address, %public_url, %role, %data, node.id = %peers.id(), "started");
        Ok(Self {
            address,
            public_url,
            store,
            files: opened.files.clone(),
            statements: opened.statements.clone(),
            engine,
            http,
            app,
            background,
            stopping,
        })
    }

    /// The address and port that are listened on.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What links begin with.
    pub(crate) const fn public_url(&self) -> &PublicUrl {
        &self.public_url
    }

    /// The database, for what the operator does.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// Takes nothing new, lets what runs finish, and closes the database; over within
    /// [`STOP_WITHIN`]. What could not be finished is found again by the next start.
    pub(crate) async fn stop(self) {
        let begun = Instant::now();
        self.stopping.store(true, Ordering::Release);
        self.background.iter().for_each(JoinHandle::abort);
        if let Some(app) = &self.app {
            app.end_waiting();
        }
        // First what brings events, then what sends them, then what keeps them.
        self.http.stop(REQUESTS_WITHIN).await;
        let left = (begun + ATTEMPTS_WITHIN).saturating_duration_since(Instant::now());
        if let Some(engine) = &self.engine {
            // It ends in the store's time too, should the store be what hangs.
            let _ = timeout_at(begun + STOP_WITHIN, engine.stop(left)).await;
        }
        if let Some(files) = &self.files {
            // What uploads that were cut off left in a bucket is taken back.
            let _ = timeout_at(begun + STOP_WITHIN, files.settle()).await;
        }
        let closed = timeout_at(begun + STOP_WITHIN, self.store.stop()).await;
        if closed.is_err() {
            warn!("the database was not closed in time; the next start puts it in order");
        }
        // What a load has cost the database can be told from it, whichever database that is.
        info!(statements = self.statements.get(), "stopped");
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow!(
            "{address} is taken by another program: end that one, or choose another with --listen \
             (port 0 takes a free one)"
        ),
        std::io::ErrorKind::PermissionDenied => anyhow!(
            "this user may not listen on {address}: choose a port above 1023 with --listen"
        ),
        std::io::ErrorKind::AddrNotAvailable => anyhow!(
            "this machine has no address {}: choose one that it has, or 0.0.0.0 for all, with --listen",
            address.ip()
        ),
        _ => anyhow::Error::new(error).context(format!("listening on {address}")),
    })
}

/// Where this machine reaches a server that listens on `address`.
fn public_url(address: SocketAddr) -> anyhow::Result<PublicUrl> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = PublicUrl::new(&format!("http://{}", SocketAddr::new(ip, address.port())));
    url.context("no URL can be made from the address that is listened on; give --public-url")
}

/// Has the server be one of the nodes on its database, which sends or does not.
async fn join(
    settings: &Settings,
    source: &Source,
    store: &Store,
    peers: &Arc<Peers>,
    resolver: Arc<SystemResolver>,
) -> anyhow::Result<Option<Arc<Engine>>> {
    let engine = if settings.role.sends() {
        let engine = Engine::start(delivery::Parts {
            store: store.clone(),
            source: source.clone(),
            peers: peers.clone(),
            settings: &settings.delivery,
            policy: settings.policy.clone(),
            resolver,
        })?;
        Some(Arc::new(engine))
    } else {
        store.join(peers.clone());
        None
    };
    if timeout(SEEN_WITHIN, peers.seen()).await.is_err() {
        warn!("the other nodes on this database could not be told of this one yet");
    }
    Ok(engine)
}

/// What has targets prove themselves, on every node that answers.
fn prover(settings: &Settings, resolver: Arc<SystemResolver>) -> Arc<TargetProver> {
    let policy = settings.policy.clone();
    Arc::new(TargetProver::new(&settings.delivery, policy, resolver))
}

/// What `/health/ready` asks: the database, and whether webhooks are sent where they are to be.
fn ready_probe(
    found: pulse::Found,
    engine: Option<&Arc<Engine>>,
    peers: &Arc<Peers>,
    stopping: &Arc<AtomicBool>,
) -> ReadyProbe {
    let (engine, peers) = (engine.cloned(), Arc::clone(peers));
    let stopping = Arc::clone(stopping);
    Arc::new(move || -> Result<Ready, NotReady> {
        if stopping.load(Ordering::Acquire) {
            return Err("the server is stopping".to_owned());
        }
        // Before what follows from it.
        if let Some(trouble) = *found.database.borrow() {
            return Err(trouble.to_owned());
        }
        let files = found.files.as_ref().map(|there| {
            if *there.borrow() {
                FilesHealth::Ok
            } else {
                FilesHealth::Away
            }
        });
        let Some(engine) = &engine else {
            return Ok(Ready {
                files,
                differing_settings: peers.differing(),
                ..Ready::default()
            });
        };
        let stats = engine.stats();
        if !stats.is_open {
            return Err("webhooks are not being sent at the moment; the log says why".to_owned());
        }
        Ok(Ready {
            late_outcomes: stats.lease_lost,
            rescued_deliveries: stats.rescued,
            files,
            differing_settings: peers.differing(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_this_machine_when_nobody_says_where_it_is_reached() {
        for (address, expected) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:9", "http://[::1]:9"),
            ("10.1.2.3:80", "http://10.1.2.3"),
        ] {
            let url = public_url(address.parse().unwrap()).unwrap();
            assert_eq!(url.to_string(), expected, "{address}");
        }
    }
}
