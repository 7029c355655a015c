//! Connections that come in: taken, bounded, answered, and let go when the server stops.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use api::Peer;
use axum::Router;
use http::Request;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;
use tracing::{debug, warn};

use crate::config::Http;

/// How long nothing is taken after the machine could give no connection (out of file descriptors).
/// Trying again at once would only burn the processor until somebody closes one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The listener at work.
pub(crate) struct HttpServer {
    /// Take nothing new; end each connection after the request that it runs.
    soft: CancellationToken,
    /// End everything.
    hard: CancellationToken,
    connections: TaskTracker,
    accepting: JoinHandle<()>,
}

impl HttpServer {
    /// Begins to answer what `listener` brings with `router`.
    pub(crate) fn start(listener: TcpListener, router: Router, settings: &Http) -> Self {
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let connections = TaskTracker::new();
        let door = Door {
            builder: builder(settings),
            router,
            permits: Arc::new(Semaphore::new(settings.connections_max as usize)),
            soft: soft.clone(),
            hard: hard.clone(),
            connections: connections.clone(),
        };
        let accepting = tokio::spawn(door.accept(listener));
        Self {
            soft,
            hard,
            connections,
            accepting,
        }
    }

    /// Takes nothing new, lets running requests finish for as long as `patience`, and ends what is
    /// left. Answers whether everything finished by itself.
    pub(crate) async fn stop(self, patience: Duration) -> bool {
        self.soft.cancel();
        // The listener is closed when this task has ended.
        let _ = self.accepting.await;
        self.connections.close();
        let finished = timeout(patience, self.connections.wait()).await.is_ok();
        if !finished {
            warn!(
                connections = self.connections.len(),
                "ending connections whose requests did not finish in time"
            );
            self.hard.cancel();
            self.connections.wait().await;
        }
        finished
    }
}

fn builder(settings: &Http) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_read_timeout.0)
        .max_header_size(settings.header_bytes_max as usize);
    // Any setting moves the headers from the stack to the heap, which costs each request; so the
    // one that hyper has anyway is left to it.
    if settings.headers_max != Http::default().headers_max {
        builder.max_headers(settings.headers_max as usize);
    }
    builder
}

struct Door {
    builder: http1::Builder,
    router: Router,
    permits: Arc<Semaphore>,
    soft: CancellationToken,
    hard: CancellationToken,
    connections: TaskTracker,
}

impl Door {
    async fn accept(self, listener: TcpListener) {
        loop {
            // The permit comes first: what is not taken waits in the kernel's queue, which is
            // bounded, instead of in our memory.
            let taken = self.soft.run_until_cancelled(async {
                let permit = Arc::clone(&self.permits).acquire_owned().await;
                (permit, listener.accept().await)
            });
            let Some((permit, accepted)) = taken.await else {
                return;
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = self.connection(stream, Peer(peer.ip()));
                    self.connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    warn!(%error, "no connection could be taken");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn connection(&self, stream: TcpStream, peer: Peer) -> impl Future<Output = ()> + Send + use<> {
        // Answers are written whole, so waiting to fill a packet would only add latency. A socket
        // that refuses the option works all the same.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(Answering {
            router: self.router.clone(),
            peer,
        });
        let connection = self.builder.serve_connection(TokioIo::new(stream), service);
        let (soft, hard) = (self.soft.clone(), self.hard.clone());
        async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => Some(ended),
                () = soft.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    hard.run_until_cancelled(connection).await
                }
            };
            if let Some(Err(error)) = ended {
                // A peer that went away or spoke no HTTP: its business, not the operator's.
                debug!(%error, "a connection ended early");
            }
        }
    }
}

/// What answers the requests of a connection: the router, which is told who is at the other end.
#[derive(Clone)]
struct Answering {
    router: Router,
    peer: Peer,
}

impl Service<Request<Incoming>> for Answering {
    type Response = <Router as Service<Request<Incoming>>>::Response;
    type Error = <Router as Service<Request<Incoming>>>::Error;
    type Future = <Router as Service<Request<Incoming>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<Incoming>>::poll_ready(&mut self.router, cx)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.router.call(request)
    }
}

#[cfg(test)]
mod tests;
