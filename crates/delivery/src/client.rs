//! The HTTP client: one request, one answer, within one time limit.
//!
//! HTTP/1.1 over pooled connections; HTTP/2 for subscriptions that wish for it ([`http2`]). No redirect is followed and no proxy of the environment obeyed:
//! the client knows of neither. The pool is thrown away as a whole when its connections get too old
//! or the address rule changes, because an open connection is not judged again.
//!
//! Relied on of hyper-util's legacy client: a request that the pool hands to a connection which the
//! receiver had closed in the meantime comes back unsent and is sent again on another connection
//! (`retry_canceled_requests`, for reused connections and before a byte has been written). Once a
//! byte was written it fails, and the attempt counts.

mod asking;
mod http2;
mod own;

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use domain::{AddressPolicy, Outcome, Resolver, TargetRefusal};
use http::{HeaderMap, Method, Request, Uri, Version};
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::{client::legacy, rt::TokioTimer};
use rustls::ClientConfig;
use tokio::{runtime::Handle, task::JoinSet, time};

use crate::{
    DeliverySettings,
    answer::{Answer, Reading},
    connector::{CheckedConnector, TimedConnector},
    failure::{self, Failure},
    tls::Tls,
    token::Tokens,
};

use own::OwnPools;

/// How many bytes of an answer's head are buffered before it is given up. Hyper sees it after each
/// read, so that a head may be larger by one read.
pub(crate) const ANSWER_HEAD_BYTES_MAX: usize = 64 * 1024;

/// Most headers of an answer by HTTP/1.1: hyper's bound, which is not set because it then costs memory for each answer.
/// A test holds it (`an_answer_has_a_hundred_headers_at_most`).
pub(crate) const ANSWER_HEADERS_MAX: usize = 100;

type Pool = legacy::Client<TimedConnector<HttpsConnector<CheckedConnector>>, Full<Bytes>>;

/// Sends requests.
pub(crate) struct Client {
    limits: Limits,
    resolver: Arc<dyn Resolver>,
    tls: Tls,
    connections: Connections,
    current: Mutex<Current>,
    tokens: Tokens,
}

struct Limits {
    request_timeout: Duration,
    connect_timeout: Duration,
    max_age: Duration,
    idle_max: Duration,
    idle_per_host_max: usize,
    http2: http2::Times,
}

struct Current {
    policy: AddressPolicy,
    pool: Pool,
    /// Of subscriptions with wishes about their connections.
    own: OwnPools,
    made: time::Instant,
}

impl Client {
    /// Must be called on a tokio runtime, which runs the connections.
    pub(crate) fn new(
        settings: &DeliverySettings,
        policy: AddressPolicy,
        resolver: Arc<dyn Resolver>,
        tls: Tls,
    ) -> Self {
        let limits = Limits {
            request_timeout: settings.request_timeout,
            connect_timeout: settings.connect_timeout,
            max_age: settings.connection_max_age,
            idle_max: settings.connection_idle_max,
            idle_per_host_max: usize::try_from(settings.idle_per_host_max).unwrap_or(usize::MAX),
            http2: http2::Times::of(settings),
        };
        let connections = Connections::new();
        let checked = checked(&limits, policy.clone(), resolver.clone());
        let connector = connector(&limits, checked, tls.shared.clone());
        let pool = pool(&limits, connector, connections.clone());
        let current = Mutex::new(Current {
            policy,
            pool,
            own: OwnPools::default(),
            made: time::Instant::now(),
        });
        Self {
            limits,
            resolver,
            tls,
            connections,
            current,
            tokens: Tokens::default(),
        }
    }

    /// Judges new connections by `policy`; connections that are open end after their request.
    pub(crate) fn set_policy(&self, policy: AddressPolicy) {
        let mut current = self.lock();
        if current.policy != policy {
            self.renew(&mut current, policy);
        }
    }

    /// Posts `body` and reads the answer.
    pub(crate) async fn post(&self, target: &str, headers: HeaderMap, body: Bytes) -> Answer {
        let within = self.limits.request_timeout;
        let request = request(target, headers, body);
        self.exchange(&self.pool(), request, within).await
    }

    async fn exchange(
        &self,
        pool: &Pool,
        request: Result<Request<Bytes>, Failure>,
        within: Duration,
    ) -> Answer {
        let request = match request {
            Ok(request) => request,
            Err(failure) => return failure.into(),
        };
        let mut reading = Reading::default();
        let exchange = time::timeout(within, self::exchange(pool, request, &mut reading));
        let ended = exchange.await.unwrap_or_else(|_| Err(self.timed_out()));
        reading.finish(ended)
    }

    /// Closes the connections, all that is left of them.
    pub(crate) async fn close(&self) {
        self.connections.close().await;
    }

    fn timed_out(&self) -> Failure {
        let within = self.limits.request_timeout;
        let sentence = format!("the receiver did not answer within {within:?}");
        Failure::new(Outcome::TimedOut, sentence, true)
    }

    fn pool(&self) -> Pool {
        self.current().pool.clone()
    }

    /// The pools, renewed if they are too old.
    fn current(&self) -> MutexGuard<'_, Current> {
        let mut current = self.lock();
        if current.made.elapsed() >= self.limits.max_age {
            let policy = current.policy.clone();
            self.renew(&mut current, policy);
        }
        current
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew(&self, current: &mut Current, policy: AddressPolicy) {
        let checked = checked(&self.limits, policy.clone(), self.resolver.clone());
        let connector = connector(&self.limits, checked, self.tls.shared.clone());
        let pool = pool(&self.limits, connector, self.connections.clone());
        // The old pool goes with its last request; what is idle in it ends at once.
        *current = Current {
            policy,
            pool,
            own: OwnPools::default(),
            made: time::Instant::now(),
        };
    }
}

async fn exchange(
    pool: &Pool,
    request: Request<Bytes>,
    reading: &mut Reading,
) -> Result<(), Failure> {
    let response = pool.request(request.map(Full::new)).await;
    let response = response.map_err(|error| failure::of_request(&error))?;
    reading.read(response).await
}

fn request(target: &str, headers: HeaderMap, body: Bytes) -> Result<Request<Bytes>, Failure> {
    let uri = target.parse::<Uri>().map_err(|error| {
        let refusal = TargetRefusal::NotAUrl {
            why: error.to_string(),
        };
        Failure::new(refusal.outcome(), refusal.to_string(), false)
    })?;
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers;
    Ok(request)
}

fn checked(
    limits: &Limits,
    policy: AddressPolicy,
    resolver: Arc<dyn Resolver>,
) -> CheckedConnector {
    CheckedConnector::new(policy, resolver, limits.connect_timeout)
}

fn connector(
    limits: &Limits,
    checked: CheckedConnector,
    tls: Arc<ClientConfig>,
) -> TimedConnector<HttpsConnector<CheckedConnector>> {
    TimedConnector::new(HttpsConnector::from((checked, tls)), limits.connect_timeout)
}

fn pool(
    limits: &Limits,
    connector: TimedConnector<HttpsConnector<CheckedConnector>>,
    connections: Connections,
) -> Pool {
    legacy::Client::builder(connections)
        .pool_idle_timeout(limits.idle_max)
        .pool_max_idle_per_host(limits.idle_per_host_max)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http1_max_buf_size(ANSWER_HEAD_BYTES_MAX)
        .retry_canceled_requests(true)
        .build(connector)
}

/// The tasks that drive connections, so that they have an owner who ends them.
#[derive(Clone)]
struct Connections {
    tasks: Arc<Mutex<JoinSet<()>>>,
    runtime: Handle,
}

impl Connections {
    fn new() -> Self {
        Self {
            tasks: Arc::default(),
            runtime: Handle::current(),
        }
    }

    async fn close(&self) {
        let mut tasks = mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }
}

type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

impl hyper::rt::Executor<Driver> for Connections {
    fn execute(&self, driver: Driver) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // What has ended is cleared here, so the set holds no more than what lives and what ended
        // since the last new connection.
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(driver, &self.runtime);
    }
}

#[cfg(test)]
mod tests;
