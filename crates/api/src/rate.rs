//! How much one caller may ask for: a bucket for each key and one for each address.
//!
//! A bucket holds as many requests as a minute allows and fills evenly within a minute (GCRA, by `governor`). What is
//! refused costs neither a transaction nor a look at the key. Each node has buckets of its own.

use std::{
    fmt::Write as _,
    hash::{BuildHasher as _, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::HashMapStateStore,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::{ApiSettings, Code, ask, problem::Problem};

/// What each bucket allows (draft-ietf-httpapi-ratelimit-headers, section 3).
pub(crate) const POLICY_HEADER: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left in each (section 4 of the same).
pub(crate) const LIMIT_HEADER: HeaderName = HeaderName::from_static("ratelimit");
/// Where trusted proxies say for whom they ask.
const FORWARDED_HEADER: HeaderName = HeaderName::from_static("x-forwarded-for");
/// After how many requests buckets are forgotten that are full again.
const TIDY_EVERY: u32 = 4_096;
/// The window that limits are said in.
const WINDOW: Duration = Duration::from_mins(1);

/// Who is at the other end of the connection. The binary puts it into each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The buckets of everybody.
pub(crate) struct Rates {
    keys: Option<Buckets<u64>>,
    addresses: Option<Buckets<IpAddr>>,
    trusted_proxies: Vec<IpNet>,
    /// Keys are told apart by a hash that only this process can make; what they are is not kept.
    hasher: RandomState,
    policy: Option<HeaderValue>,
}

struct Buckets<K: Clone + Hash + Eq> {
    limiter: RateLimiter<K, HashMapStateStore<K>, DefaultClock, StateInformationMiddleware>,
    whose: &'static str,
    most: NonZeroU32,
    asked: AtomicU32,
}

/// What is left in a bucket.
struct Left {
    whose: &'static str,
    requests: u32,
    full_in: Duration,
}

impl Rates {
    pub(crate) fn new(settings: &ApiSettings) -> Self {
        let limits = &settings.limits;
        let keys = Buckets::new("key", limits.requests_per_minute_per_key);
        let addresses = Buckets::new("address", limits.requests_per_minute_per_address);
        let policies = [
            keys.as_ref().map(Buckets::policy),
            addresses.as_ref().map(Buckets::policy),
        ];
        let policies: Vec<String> = policies.into_iter().flatten().collect();
        let policy = HeaderValue::try_from(policies.join(", ")).ok();
        Self {
            keys,
            addresses,
            trusted_proxies: settings.trusted_proxies.clone(),
            hasher: RandomState::new(),
            policy: policy.filter(|policy| !policy.is_empty()),
        }
    }

    /// Takes a request out of the buckets of its address and of its key, in this order: an address that tries keys
    /// makes no bucket for each.
    fn take(&self, request: &Request) -> Result<Vec<Left>, Problem> {
        let mut left = Vec::new();
        if let Some(addresses) = &self.addresses
            && let Some(Peer(peer)) = request.extensions().get()
        {
            let address = asking(*peer, request.headers(), &self.trusted_proxies);
            left.push(addresses.take(&network(address))?);
        }
        if let Some(keys) = &self.keys
            && let Some(key) = ask::key(request.headers())
        {
            left.insert(0, keys.take(&self.hasher.hash_one(key))?);
        }
        Ok(left)
    }
}

impl<K: Clone + Hash + Eq> Buckets<K> {
    /// None where there is no limit.
    fn new(whose: &'static str, per_minute: u32) -> Option<Self> {
        let most = NonZeroU32::new(per_minute)?;
        let quota = Quota::with_period(WINDOW / per_minute)?.allow_burst(most);
        Some(Self {
            limiter: RateLimiter::hashmap(quota).with_middleware(),
            whose,
            most,
            asked: AtomicU32::new(0),
        })
    }

    fn policy(&self) -> String {
        format!(r#""{}";q={};w={}"#, self.whose, self.most, WINDOW.as_secs())
    }

    fn take(&self, of: &K) -> Result<Left, Problem> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if asked % TIDY_EVERY == TIDY_EVERY - 1 {
            self.limiter.retain_recent();
        }
        match self.limiter.check_key(of) {
            Ok(state) => {
                let requests = state.remaining_burst_capacity();
                let gone = self.most.get().saturating_sub(requests);
                Ok(Left {
                    whose: self.whose,
                    requests,
                    full_in: WINDOW / self.most.get() * gone,
                })
            }
            Err(not_until) => {
                let wait = not_until.wait_time_from(DefaultClock::default().now());
                Err(self.refusal(whole_seconds(wait)))
            }
        }
    }

    fn refusal(&self, wait: Duration) -> Problem {
        let Self { whose, most, .. } = self;
        let detail = format!(
            "this {whose} has sent more than {most} requests within a minute; the next is taken in {} s",
            wait.as_secs()
        );
        let left = Left {
            whose,
            requests: 0,
            full_in: WINDOW,
        };
        let problem = Problem::new(Code::RateLimited)
            .detail(detail)
            .retry_after(wait);
        match left_value(&[left]) {
            Some(value) => problem.header(LIMIT_HEADER, value),
            None => problem,
        }
    }
}

/// Lets a request through if its key and its address have one left, and says how many are.
pub(crate) async fn limited(
    State(rates): State<Arc<Rates>>,
    request: Request,
    next: Next,
) -> Response {
    let left = match rates.take(&request) {
        Ok(left) => left,
        Err(problem) => return with_policy(problem.into_response(), &rates),
    };
    let mut response = next.run(request).await;
    if let Some(value) = left_value(&left) {
        response.headers_mut().insert(LIMIT_HEADER, value);
    }
    with_policy(response, &rates)
}

fn with_policy(mut response: Response, rates: &Rates) -> Response {
    if let Some(policy) = &rates.policy {
        response.headers_mut().insert(POLICY_HEADER, policy.clone());
    }
    response
}

fn left_value(left: &[Left]) -> Option<HeaderValue> {
    let mut text = String::new();
    for one in left {
        let between = if text.is_empty() { "" } else { ", " };
        let full_in = whole_seconds(one.full_in).as_secs();
        let (whose, requests) = (one.whose, one.requests);
        let written = write!(text, r#"{between}"{whose}";r={requests};t={full_in}"#);
        written.ok()?;
    }
    if text.is_empty() {
        return None;
    }
    HeaderValue::try_from(text).ok()
}

/// Up to the next whole second, for whoever comes back too early is refused again.
fn whole_seconds(time: Duration) -> Duration {
    let up = u64::from(time.subsec_nanos() > 0);
    Duration::from_secs(time.as_secs() + up)
}

/// Who asks: the other end, or for whom it says that it asks, if it is a trusted proxy. Of several proxies each
/// appends the address that it was asked from, so what counts is read from the end on.
fn asking(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let mut asking = peer.to_canonical();
    let values = headers.get_all(FORWARDED_HEADER).iter().rev();
    let values = values.filter_map(|value| value.to_str().ok());
    for said in values.flat_map(|value| value.rsplit(',')) {
        if !is_trusted(asking) {
            break;
        }
        let Ok(said) = said.trim().parse::<IpAddr>() else {
            break;
        };
        asking = said.to_canonical();
    }
    asking
}

/// What has a bucket in common: an IPv4 address, or the /64 of an IPv6 address, of which one household has all.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let bits = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn asked_by(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_HEADER, value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        asking(ip(peer), &headers, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_for_whom_it_asks() {
        let said = &["203.0.113.9"][..];
        assert_eq!(asked_by("198.51.100.1", said, &[]), "198.51.100.1");
        assert_eq!(asked_by("10.0.0.1", said, &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(asked_by("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(
            asked_by("::ffff:10.0.0.1", said, &["10.0.0.0/8"]),
            "203.0.113.9"
        );
    }

    #[test]
    fn what_a_caller_wrote_itself_before_the_proxy_does_not_count() {
        let trusted = &["10.0.0.0/8"];
        let lie = &["192.0.2.1, 203.0.113.9, 10.0.0.2"][..];
        assert_eq!(asked_by("10.0.0.1", lie, trusted), "203.0.113.9");
        let lines = &["192.0.2.1", "203.0.113.9", "10.0.0.2"][..];
        assert_eq!(asked_by("10.0.0.1", lines, trusted), "203.0.113.9");
        let nonsense = &["192.0.2.1, unknown"][..];
        assert_eq!(asked_by("10.0.0.1", nonsense, trusted), "10.0.0.1");
    }

    #[test]
    fn all_addresses_of_a_household_have_one_bucket() {
        assert_eq!(network(ip("2001:db8:1:2:3::4")), ip("2001:db8:1:2::"));
        assert_eq!(network(ip("192.0.2.7")), ip("192.0.2.7"));
    }

    #[test]
    fn a_bucket_holds_a_minute_of_requests_and_each_has_its_own() {
        let buckets = Buckets::new("key", 3).unwrap();
        for left in [2, 1, 0] {
            assert_eq!(buckets.take(&'a').unwrap().requests, left);
        }
        assert_eq!(buckets.take(&'a').err().unwrap().code(), Code::RateLimited);
        assert_eq!(buckets.take(&'b').unwrap().requests, 2);
        assert!(Buckets::<char>::new("key", 0).is_none());
        assert_eq!(buckets.policy(), r#""key";q=3;w=60"#);
    }

    #[test]
    fn what_is_full_again_is_forgotten() {
        // A thousand a second: each is full again when the next thousands have been asked.
        let buckets = Buckets::new("key", 60_000_000).unwrap();
        for who in 0..TIDY_EVERY * 8 {
            buckets.take(&who).unwrap();
        }
        assert!(buckets.limiter.len() <= TIDY_EVERY as usize * 2);
    }
}
