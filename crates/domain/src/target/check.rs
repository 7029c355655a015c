//! Whether a target may be called, and at which addresses.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
};

use super::{HttpsOnly, TargetHost, TargetRefusal, TargetUrl, quoted};
use crate::{AddressPolicy, ForbiddenAddress, PROXY_MEMBER};

/// Most addresses of a name that are looked at, and so may be connected to.
pub const TARGET_ADDRESSES_MAX: usize = 32;

/// The addresses of a name, when they are there.
pub type Answer<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Looks names up.
pub trait Resolver: Send + Sync {
    /// The addresses of `host`, in the order they should be tried in. The caller of
    /// [`check_target`] limits the time this may take.
    fn resolve<'a>(&'a self, host: &'a str) -> Answer<'a>;
}

/// A target that may be called, at these addresses and no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedTarget {
    addresses: Vec<SocketAddr>,
}

impl CheckedTarget {
    /// Where to connect to, in this order; at least one.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// Decides whether `target` may be called.
///
/// One forbidden address among the answers refuses the whole name. Passing over the forbidden one
/// would leave it to whoever rules the name how long the rest holds, and a name of the public
/// internet that also points inside is an attack or a mistake. Whoever connects must use the
/// addresses in the answer and not look the name up again, for it may resolve differently by then.
///
/// # Errors
/// The rule that refuses: a name without an address, or an address that is not allowed.
pub async fn check_target(
    policy: &AddressPolicy,
    resolver: &dyn Resolver,
    target: &TargetUrl,
) -> Result<CheckedTarget, TargetRefusal> {
    judge_target(policy, resolver, target).await.decision
}

/// What was found out about a target, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedTarget {
    /// Each address of it with what the rule says of that one, in the order of the resolver.
    pub addresses: Vec<(IpAddr, Result<(), ForbiddenAddress>)>,
    /// What the rule says of the whole.
    pub decision: Result<CheckedTarget, TargetRefusal>,
}

/// Decides as [`check_target`] does, and says what it decided by.
pub async fn judge_target(
    policy: &AddressPolicy,
    resolver: &dyn Resolver,
    target: &TargetUrl,
) -> JudgedTarget {
    if policy.is_https_only() && !target.is_https() {
        let by = HttpsOnly::Operator;
        return JudgedTarget {
            addresses: Vec::new(),
            decision: Err(TargetRefusal::NotHttps { by }),
        };
    }
    judge_proxy(policy, resolver, target).await
}

/// Decides as [`judge_target`] does of a place that is only passed through, which need not be `https`.
pub async fn judge_proxy(
    policy: &AddressPolicy,
    resolver: &dyn Resolver,
    target: &TargetUrl,
) -> JudgedTarget {
    let (host, found) = match &target.host {
        TargetHost::Address(address) => (None, Ok(vec![*address])),
        TargetHost::Name(name) if is_localhost(name) => (Some(name.as_str()), Ok(own_machine())),
        TargetHost::Name(name) => (Some(name.as_str()), look_up(resolver, name).await),
    };
    let found = match found {
        Ok(found) => found,
        Err(refusal) => {
            return JudgedTarget {
                addresses: Vec::new(),
                decision: Err(refusal),
            };
        }
    };
    let judged = found.into_iter().map(|one| (one, policy.check(host, one)));
    let addresses: Vec<_> = judged.collect();
    let decision = decide(host, &addresses, target.port);
    JudgedTarget {
        addresses,
        decision,
    }
}

/// Decides of what requests reach beside their target, by the member that says so: a proxy is passed through, anything
/// else is sent to.
pub async fn judge_reach(
    policy: &AddressPolicy,
    resolver: &dyn Resolver,
    member: &str,
    url: &TargetUrl,
) -> JudgedTarget {
    if member == PROXY_MEMBER {
        judge_proxy(policy, resolver, url).await
    } else {
        judge_target(policy, resolver, url).await
    }
}

fn decide(
    host: Option<&str>,
    judged: &[(IpAddr, Result<(), ForbiddenAddress>)],
    port: u16,
) -> Result<CheckedTarget, TargetRefusal> {
    let refused = judged.iter().find_map(|(_, verdict)| verdict.err());
    let allowed = judged.iter().filter(|(_, verdict)| verdict.is_ok());
    let allowed: Vec<IpAddr> = allowed.map(|(address, _)| *address).collect();
    match refused {
        // Both loopback addresses are known to belong to such a name and nobody else has a say in it, so one that
        // is not allowed is passed over: who lists `127.0.0.0/8` need not list `::1` as well.
        Some(_) if host.is_some_and(is_localhost) && !allowed.is_empty() => {}
        Some(found) => return Err(forbidden(host, found)),
        None => {}
    }
    Ok(checked(allowed, port))
}

async fn look_up(resolver: &dyn Resolver, name: &str) -> Result<Vec<IpAddr>, TargetRefusal> {
    let unresolvable = |why: &str| TargetRefusal::Unresolvable {
        host: name.to_owned(),
        why: quoted(why),
    };
    let mut found = resolver
        .resolve(name)
        .await
        .map_err(|error| unresolvable(&error.to_string()))?;
    if found.is_empty() {
        return Err(unresolvable("the name is known, but without an address"));
    }
    // What is cut off is not judged, but not connected to either.
    found.truncate(TARGET_ADDRESSES_MAX);
    Ok(found)
}

/// Whether `name` means the own machine whatever a resolver says (RFC 6761, section 6.3).
fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn own_machine() -> Vec<IpAddr> {
    vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
}

fn forbidden(host: Option<&str>, found: ForbiddenAddress) -> TargetRefusal {
    TargetRefusal::Forbidden {
        host: host.map(ToOwned::to_owned),
        found,
    }
}

fn checked(found: Vec<IpAddr>, port: u16) -> CheckedTarget {
    let mut addresses = Vec::with_capacity(found.len());
    for address in found {
        // A mapped address is connected to as the IPv4 address it was judged as.
        let socket = SocketAddr::new(address.to_canonical(), port);
        if !addresses.contains(&socket) {
            addresses.push(socket);
        }
    }
    CheckedTarget { addresses }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::Mutex,
        task::{Context, Poll, Waker},
    };

    use super::*;

    /// Answers from a list, and remembers what it was asked.
    #[derive(Default)]
    struct Names {
        known: Vec<(&'static str, Vec<IpAddr>)>,
        asked: Mutex<Vec<String>>,
    }

    impl Names {
        fn of(name: &'static str, addresses: &[&str]) -> Self {
            let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
            Self {
                known: vec![(name, addresses)],
                ..Self::default()
            }
        }
    }

    impl Resolver for Names {
        fn resolve<'a>(&'a self, host: &'a str) -> Answer<'a> {
            self.asked.lock().unwrap().push(host.to_owned());
            let known = self.known.iter().find(|(name, _)| *name == host);
            let answer = known.map(|(_, addresses)| addresses.clone());
            Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
        }
    }

    fn check(
        allow: &[&str],
        names: &Names,
        target: &str,
    ) -> Result<Vec<String>, (&'static str, Option<String>)> {
        let policy = AddressPolicy::new(allow).unwrap();
        let target = TargetUrl::parse(target).unwrap();
        let mut future = pin!(check_target(&policy, names, &target));
        match future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(Ok(checked)) => Ok(checked
                .addresses()
                .iter()
                .map(ToString::to_string)
                .collect()),
            Poll::Ready(Err(refusal)) => Err((refusal.rule(), refusal.setting())),
            Poll::Pending => panic!("the resolver answers at once"),
        }
    }

    #[test]
    fn where_https_is_asked_of_all_targets_others_are_refused_and_proxies_are_not() {
        let policy = AddressPolicy::default().with_https_only(true);
        let names = Names::of("example.com", &["93.184.215.14"]);
        let decided = |url: &str, member| {
            let url = TargetUrl::parse(url).unwrap();
            let mut judging = pin!(judge_reach(&policy, &names, member, &url));
            let mut cx = Context::from_waker(Waker::noop());
            match judging.as_mut().poll(&mut cx) {
                Poll::Ready(judged) => judged.decision.map_err(|refusal| refusal.setting()),
                Poll::Pending => panic!("the resolver answers at once"),
            }
        };
        let setting = Some("webhook.https_only = false".to_owned());
        assert_eq!(decided("http://example.com/", "targetUrl"), Err(setting));
        assert!(names.asked.lock().unwrap().is_empty(), "not even looked up");
        assert!(decided("https://example.com/", "targetUrl").is_ok());
        assert!(decided("http://example.com/", PROXY_MEMBER).is_ok());
    }

    fn refused(target: &str) -> &'static str {
        check(&[], &Names::default(), target).map_or_else(|refusal| refusal.0, |_| "allowed")
    }

    #[test]
    fn every_way_of_writing_a_private_address_is_seen_through() {
        for (target, expected) in [
            ("http://127.0.0.1/", "loopback"),
            ("http://127.1/", "loopback"),
            ("http://127.0.1/", "loopback"),
            ("http://2130706433/", "loopback"),
            ("http://0x7f000001/", "loopback"),
            ("http://0x7f.0.0.1/", "loopback"),
            ("http://0177.0.0.1/", "loopback"),
            ("http://017700000001/", "loopback"),
            ("http://127.0.0.1./", "loopback"),
            ("http://１２７.０.０.１/", "loopback"),
            ("http://127。0。0。1/", "loopback"),
            ("http://%31%32%37.0.0.1/", "loopback"),
            ("http://[::1]/", "loopback"),
            ("http://[0:0:0:0:0:0:0:1]/", "loopback"),
            ("http://[::ffff:127.0.0.1]/", "loopback"),
            ("http://[::ffff:7f00:1]/", "loopback"),
            ("http://[::127.0.0.1]/", "loopback"),
            ("http://[64:ff9b::127.0.0.1]/", "loopback"),
            ("http://[64:ff9b:1::127.0.0.1]/", "nat64_local"),
            ("http://[2002:7f00:1::]/", "loopback"),
            ("http://localhost/", "loopback"),
            ("http://LOCALHOST./", "loopback"),
            ("http://a.b.localhost/", "loopback"),
            ("http://0/", "unspecified"),
            ("http://0.0.0.0/", "unspecified"),
            ("http://[::]/", "unspecified"),
            ("http://10.0.0.1/", "private"),
            ("http://012.0.0.1/", "private"),
            ("http://3232235521/", "private"),
            ("http://169.254.169.254/latest/meta-data/", "metadata"),
            ("http://2852039166/", "metadata"),
            ("http://[fd00:ec2::254]/", "metadata"),
            ("http://[fe80::1]/", "link_local"),
            ("http://8.8.8.8/", "allowed"),
        ] {
            assert_eq!(refused(target), expected, "{target}");
        }
    }

    #[test]
    fn an_address_in_the_url_is_never_looked_up() {
        let names = Names::default();
        for target in ["http://8.8.8.8:81/", "http://[::ffff:8.8.8.8]:81/"] {
            assert_eq!(check(&[], &names, target).unwrap(), ["8.8.8.8:81"]);
        }
        assert_eq!(
            check(&["localhost"], &names, "http://localhost:81/")
                .unwrap()
                .len(),
            2
        );
        assert!(names.asked.into_inner().unwrap().is_empty());
    }

    #[test]
    fn a_name_is_allowed_at_exactly_the_addresses_that_were_checked() {
        let names = Names::of(
            "example.com",
            &["8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1"],
        );
        let checked = check(&[], &names, "https://EXAMPLE.com./hooks").unwrap();
        assert_eq!(checked, ["8.8.8.8:443", "[2606:4700::1]:443"]);
        assert_eq!(names.asked.into_inner().unwrap(), ["example.com"]);
    }

    #[test]
    fn one_forbidden_address_refuses_the_whole_name() {
        let names = Names::of("example.com", &["8.8.8.8", "10.0.0.1"]);
        let setting = "webhook.allow_targets = [\"example.com\"]".to_owned();
        assert_eq!(
            check(&[], &names, "https://example.com/"),
            Err(("private", Some(setting)))
        );
        for allow in ["example.com", "10.0.0.0/8"] {
            let checked = check(&[allow], &names, "https://example.com/").unwrap();
            assert_eq!(checked, ["8.8.8.8:443", "10.0.0.1:443"]);
        }
    }

    #[test]
    fn a_listed_host_does_not_open_metadata() {
        let names = Names::of("hooks.internal", &["169.254.169.254"]);
        let target = "http://hooks.internal/";
        let setting = "webhook.allow_targets = [\"169.254.169.254/32\"]".to_owned();
        let refusal = Err(("metadata", Some(setting)));
        assert_eq!(check(&["hooks.internal"], &names, target), refusal);
        assert!(check(&["169.254.169.254/32"], &names, target).is_ok());
    }

    #[test]
    fn a_name_without_an_address_is_unresolvable() {
        let target = "https://example.com/";
        for names in [Names::default(), Names::of("example.com", &[])] {
            assert_eq!(check(&[], &names, target), Err(("unresolvable", None)));
            // Listing a host does not make it resolve.
            assert_eq!(
                check(&["example.com"], &names, target),
                Err(("unresolvable", None))
            );
        }
    }

    #[test]
    fn localhost_is_reached_at_the_loopback_addresses_that_are_allowed() {
        for (allow, expected) in [
            (&["localhost"][..], &["127.0.0.1:81", "[::1]:81"][..]),
            (&["127.0.0.0/8"], &["127.0.0.1:81"]),
            (&["::1"], &["[::1]:81"]),
            (&["127.0.0.0/8", "::1"], &["127.0.0.1:81", "[::1]:81"]),
        ] {
            let checked = check(allow, &Names::default(), "http://localhost:81/").unwrap();
            assert_eq!(checked, expected, "{allow:?}");
        }
    }

    #[test]
    fn of_very_many_addresses_only_the_first_are_used() {
        let many = (0..100).map(|last| IpAddr::from([8, 8, 8, last])).collect();
        let names = Names {
            known: vec![("example.com", many)],
            ..Names::default()
        };
        let checked = check(&[], &names, "https://example.com/").unwrap();
        assert_eq!(checked.len(), TARGET_ADDRESSES_MAX);
    }

    #[test]
    fn the_check_may_run_on_any_thread() {
        fn sendable<T: Send>(future: T) -> T {
            future
        }
        let (policy, names) = (AddressPolicy::default(), Names::default());
        let target = TargetUrl::parse("http://10.0.0.1/").unwrap();
        let mut future = pin!(sendable(check_target(&policy, &names, &target)));
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(
            polled,
            Poll::Ready(Err(TargetRefusal::Forbidden { host: None, .. }))
        ));
    }
}
