//! Looking names up as the machine does, within a time and with so many at once.
//!
//! The engine asks when it connects, `app` when a target is saved or explained.

use std::{
    io,
    net::{IpAddr, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

use domain::{Answer, Resolver};
use tokio::{sync::Semaphore, task, time};

/// How long looking a name up may take.
pub const LOOKUP_TIME_MAX: Duration = Duration::from_secs(4);

/// Names that are looked up at once.
///
/// A lookup is a call that blocks a thread and can't be ended from outside. Without a bound, a name
/// server that hangs would take every blocking thread of the process.
pub const LOOKUPS_MAX: usize = 32;

/// The machine's own way of looking names up: `getaddrinfo`, so that `/etc/hosts` and whatever the
/// operator set up holds. Cheap to clone; clones share the bound.
///
/// It keeps no answers, because it is only asked for each new connection, and an old answer is the
/// one that sends a webhook to the wrong machine.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    lookups: Arc<Semaphore>,
    time_max: Duration,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self {
            lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            time_max: LOOKUP_TIME_MAX,
        }
    }
}

impl SystemResolver {
    async fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let permit = self.lookups.clone().acquire_owned().await;
        let permit = permit.map_err(io::Error::other)?;
        let host = host.to_owned();
        let lookup = task::spawn_blocking(move || {
            // Held until the call is really over, though whoever asked may have gone long before.
            let _permit = permit;
            let found = (host.as_str(), 0).to_socket_addrs()?;
            Ok(found.map(|socket| socket.ip()).collect())
        });
        lookup.await.map_err(io::Error::other)?
    }
}

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Answer<'a> {
        Box::pin(async move {
            let answer = time::timeout(self.time_max, self.look_up(host)).await;
            answer.unwrap_or_else(|_| {
                let text = format!("the name server did not answer within {:?}", self.time_max);
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_resolves_to_itself() {
        let found = SystemResolver::default().resolve("127.0.0.1").await;
        assert_eq!(found.unwrap(), [IpAddr::from([127, 0, 0, 1])]);
    }

    #[tokio::test]
    async fn when_all_lookups_hang_the_next_one_gives_up() {
        let resolver = SystemResolver {
            lookups: Arc::new(Semaphore::new(0)),
            time_max: Duration::from_millis(1),
        };
        let error = resolver.resolve("example.com").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
