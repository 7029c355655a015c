//! Which addresses webhooks may be sent to.
//!
//! Whoever may subscribe chooses where the server connects to. Without a rule that would be a door
//! into the operator's own network, so everything that is not the public internet is refused until
//! the operator lists it (`webhook.allow_targets`, `--allow-target`). [`crate::check_target`] asks
//! this policy wherever a target is saved, tested or connected to. Names are resolved elsewhere;
//! here are only addresses and the words of the setting.

mod layers;
mod ranges;

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use ipnet::IpNet;
use url::Host;

use layers::{layers, unwrapped};
use ranges::range_of;
pub use ranges::{RangeKind, SpecialRange, special_range};

/// The setting that lists what may be called besides the public internet.
pub const ALLOW_TARGETS_SETTING: &str = "webhook.allow_targets";

/// How many hosts and CIDRs the operator may list.
pub const ALLOW_TARGETS_MAX: usize = 256;

/// An entry of the list of allowed targets that can't be taken, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowTargetError {
    /// Nothing is written.
    #[error(
        "an allowed target is empty: write a host such as hooks.internal or a CIDR such as 10.1.0.0/16"
    )]
    Empty,
    /// It is a whole URL.
    #[error(
        "allowed target `{0}` is a URL: write only its host, such as hooks.internal, or a CIDR such as 10.1.0.0/16"
    )]
    Url(String),
    /// It names a port.
    #[error(
        "allowed target `{0}` names a port: write only the host or address, every port of it is allowed"
    )]
    Port(String),
    /// It holds a wildcard.
    #[error(
        "allowed target `{0}` holds a wildcard: write each host, or a CIDR such as 10.1.0.0/16"
    )]
    Wildcard(String),
    /// It is an address in a form that is easily misread.
    #[error("allowed target `{entry}` is an odd way to write {address}: write {address}")]
    OddAddress {
        /// What was written.
        entry: String,
        /// The address it stands for.
        address: Ipv4Addr,
    },
    /// It is an address and a prefix that don't fit together.
    #[error(
        "allowed target `{entry}` has bits beyond its prefix: write {network} for the whole range, or {single} for the one address"
    )]
    HostBits {
        /// What was written.
        entry: String,
        /// The range that the prefix cuts out.
        network: IpNet,
        /// The address alone.
        single: IpNet,
    },
    /// It is neither a host nor a CIDR.
    #[error(
        "allowed target `{0}` is neither a host such as hooks.internal nor a CIDR such as 10.1.0.0/16 or fd00::/8"
    )]
    NotHostOrCidr(String),
    /// There are too many.
    #[error(
        "{0} allowed targets are listed, and at most {ALLOW_TARGETS_MAX} are taken: cover them by fewer CIDRs"
    )]
    TooMany(usize),
}

/// What the operator allows besides the public internet.
///
/// Cheap to clone. Two policies are equal when they allow the same, so that whoever keeps
/// connections open sees that the rule has changed.
///
/// A listed *CIDR* allows the addresses in it. A listed *host* allows whatever that name resolves
/// to, save link-local and metadata addresses. These two open only to a CIDR that lies within their
/// own range: `0.0.0.0/0`, written to reach a private network, does not give the cloud's
/// credentials away as well. An IPv4 CIDR also allows the forms in which IPv6 writes the same
/// addresses (mapped, NAT64), and nothing but an IPv4 CIDR does: `::/0` opens no IPv4.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy(Arc<Allowed>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Allowed {
    hosts: BTreeSet<String>,
    nets: BTreeSet<IpNet>,
}

enum Entry {
    Host(String),
    Net(IpNet),
}

impl AddressPolicy {
    /// Reads the entries of `webhook.allow_targets`; a bare address counts as the CIDR of it alone.
    ///
    /// # Errors
    /// Tells of the first entry that is neither a host nor a CIDR, or that there are more than
    /// [`ALLOW_TARGETS_MAX`].
    pub fn new<T: AsRef<str>>(entries: &[T]) -> Result<Self, AllowTargetError> {
        if entries.len() > ALLOW_TARGETS_MAX {
            return Err(AllowTargetError::TooMany(entries.len()));
        }
        let mut allowed = Allowed::default();
        for entry in entries {
            match parse(entry.as_ref().trim())? {
                Entry::Host(host) => allowed.hosts.insert(host),
                Entry::Net(net) => allowed.nets.insert(net),
            };
        }
        Ok(Self(Arc::new(allowed)))
    }

    /// Whether a connection to `address` is allowed, which `host` resolved to (`None` when the URL
    /// names the address itself).
    ///
    /// # Errors
    /// Says which special range the address lies in.
    pub fn check(&self, host: Option<&str>, address: IpAddr) -> Result<(), ForbiddenAddress> {
        let listed = host.is_some_and(|host| self.lists_host(host));
        for layer in layers(address) {
            let Some(range) = range_of(layer) else {
                continue;
            };
            if !self.opens(listed, layer, &range) {
                return Err(ForbiddenAddress {
                    address,
                    judged: layer,
                    range,
                });
            }
        }
        Ok(())
    }

    /// Whether the operator listed `host` by name, in any case and with or without a final dot.
    pub fn lists_host(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.0.hosts.contains(host) || self.0.hosts.contains(&host.to_ascii_lowercase())
    }

    /// The hosts and CIDRs in it, as they are understood.
    pub fn entries(&self) -> Vec<String> {
        let nets = self.0.nets.iter().map(ToString::to_string);
        self.0.hosts.iter().cloned().chain(nets).collect()
    }

    fn opens(&self, listed: bool, layer: IpAddr, range: &SpecialRange) -> bool {
        let strict = range.kind().needs_its_cidr();
        let by_net = |net: &IpNet| net.contains(&layer) && (!strict || range.net().contains(net));
        (listed && !strict) || self.0.nets.iter().any(by_net)
    }
}

fn parse(entry: &str) -> Result<Entry, AllowTargetError> {
    let refused = || entry.to_owned();
    if entry.is_empty() {
        return Err(AllowTargetError::Empty);
    }
    if entry.contains("://") {
        return Err(AllowTargetError::Url(refused()));
    }
    if entry.contains('*') {
        return Err(AllowTargetError::Wildcard(refused()));
    }
    if entry.contains('/') {
        return parse_net(entry);
    }
    let bare = entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(entry);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(Entry::Net(unwrapped(IpNet::from(address))));
    }
    if entry.contains(':') {
        return Err(port_or_nonsense(entry));
    }
    match Host::parse(entry) {
        Ok(Host::Domain(name)) => match name.strip_suffix('.').unwrap_or(&name) {
            "" => Err(AllowTargetError::NotHostOrCidr(refused())),
            name => Ok(Entry::Host(name.to_owned())),
        },
        // `10` and `0x7f.1` are addresses to a browser. In a list that opens doors that is a trap.
        Ok(Host::Ipv4(address)) => Err(AllowTargetError::OddAddress {
            entry: refused(),
            address,
        }),
        Ok(Host::Ipv6(_)) | Err(_) => Err(AllowTargetError::NotHostOrCidr(refused())),
    }
}

fn parse_net(entry: &str) -> Result<Entry, AllowTargetError> {
    let Ok(net) = entry.parse::<IpNet>() else {
        return Err(AllowTargetError::NotHostOrCidr(entry.to_owned()));
    };
    if net != net.trunc() {
        return Err(AllowTargetError::HostBits {
            entry: entry.to_owned(),
            network: net.trunc(),
            single: IpNet::from(net.addr()),
        });
    }
    Ok(Entry::Net(unwrapped(net)))
}

fn port_or_nonsense(entry: &str) -> AllowTargetError {
    let port = entry.rsplit_once(':').is_some_and(|(host, port)| {
        let host_fits = host.ends_with(']') || !host.contains(':');
        !host.is_empty() && host_fits && port.parse::<u16>().is_ok()
    });
    if port {
        AllowTargetError::Port(entry.to_owned())
    } else {
        AllowTargetError::NotHostOrCidr(entry.to_owned())
    }
}

/// An address that webhooks are not sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForbiddenAddress {
    /// The address as the URL or the resolver gave it.
    pub address: IpAddr,
    /// The address that the rule speaks of: `address`, or the IPv4 address inside it.
    pub judged: IpAddr,
    /// The range that the judged address lies in.
    pub range: SpecialRange,
}

impl ForbiddenAddress {
    /// The narrowest entry of `webhook.allow_targets` that allows it; `host` is the name that
    /// resolved to it.
    pub fn allowing_entry(&self, host: Option<&str>) -> String {
        let kind = self.range.kind();
        match host {
            Some(host) if !kind.needs_its_cidr() => host.to_owned(),
            // All of the loopback range is the same machine, so the whole is as narrow as a part.
            _ if kind == RangeKind::Loopback => self.range.net().to_string(),
            _ => IpNet::from(self.judged).to_string(),
        }
    }
}

impl fmt::Display for ForbiddenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.address == self.judged {
            write!(f, "{}, {}", self.address, self.range)
        } else {
            write!(
                f,
                "{} (which carries {}), {}",
                self.address, self.judged, self.range
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(entries: &[&str]) -> AddressPolicy {
        AddressPolicy::new(entries).unwrap()
    }

    fn allows(entries: &[&str], host: Option<&str>, address: &str) -> bool {
        policy(entries)
            .check(host, address.parse().unwrap())
            .is_ok()
    }

    #[test]
    fn an_entry_opens_what_it_names_and_nothing_else() {
        let name = Some("hooks.internal");
        for (entries, host, address, expected) in [
            (&[][..], None, "8.8.8.8", true),
            (&[], None, "10.0.0.1", false),
            (&[], name, "10.0.0.1", false),
            (&["10.0.0.0/8"], None, "10.0.0.1", true),
            (&["10.0.0.0/8"], name, "10.0.0.1", true),
            (&["10.0.0.0/8"], None, "192.168.0.1", false),
            (&["10.0.0.1"], None, "10.0.0.1", true),
            (&["10.0.0.1"], None, "10.0.0.2", false),
            (&["hooks.internal"], name, "10.0.0.1", true),
            (&["hooks.internal"], name, "127.0.0.1", true),
            (&["hooks.internal"], name, "fd00::1", true),
            (&["HOOKS.internal."], name, "10.0.0.1", true),
            (
                &["hooks.internal"],
                Some("HOOKS.internal."),
                "10.0.0.1",
                true,
            ),
            (
                &["hooks.internal"],
                Some("x.hooks.internal"),
                "10.0.0.1",
                false,
            ),
            (&["hooks.internal"], None, "10.0.0.1", false),
            (&["fd00::/8"], None, "fd00::1", true),
            (&["[::1]"], None, "::1", true),
            (&["::1"], None, "127.0.0.1", false),
        ] {
            assert_eq!(
                allows(entries, host, address),
                expected,
                "{entries:?} {host:?} {address}"
            );
        }
    }

    #[test]
    fn link_local_and_metadata_open_only_to_their_own_cidr() {
        let name = Some("hooks.internal");
        for (entries, address, expected) in [
            (&["hooks.internal"][..], "169.254.1.1", false),
            (&["hooks.internal"], "169.254.169.254", false),
            (&["hooks.internal"], "::ffff:169.254.169.254", false),
            (&["hooks.internal"], "fd00:ec2::254", false),
            (&["hooks.internal"], "fe80::1", false),
            (&["0.0.0.0/0", "::/0"], "169.254.169.254", false),
            (&["0.0.0.0/0", "::/0"], "169.254.1.1", false),
            (&["0.0.0.0/0", "::/0"], "fd00:ec2::254", false),
            (&["100.64.0.0/10"], "100.100.100.200", false),
            (&["fd00::/8"], "fd00:ec2::254", false),
            (&["169.254.0.0/16"], "169.254.1.1", true),
            (&["169.254.0.0/16"], "169.254.169.254", false),
            (&["169.254.169.254/32"], "169.254.169.254", true),
            (&["169.254.169.254/32"], "64:ff9b::169.254.169.254", true),
            (&["fd00:ec2::254"], "fd00:ec2::254", true),
            (&["fe80::/10"], "fe80::1", true),
        ] {
            assert_eq!(
                allows(entries, name, address),
                expected,
                "{entries:?} {address}"
            );
        }
    }

    #[test]
    fn every_layer_of_a_wrapped_address_must_be_allowed() {
        for (entries, address, expected) in [
            (&["127.0.0.0/8"][..], "::ffff:127.0.0.1", true),
            (&["127.0.0.0/8"], "64:ff9b::127.0.0.1", true),
            (&["::ffff:127.0.0.0/104"], "127.0.0.1", true),
            (&["64:ff9b::a00:0/104"], "64:ff9b::10.0.0.1", true),
            (&["::ffff:127.0.0.1"], "127.0.0.1", true),
            (&["::/0"], "::ffff:127.0.0.1", false),
            // The tunnel's own range counts too.
            (&["127.0.0.0/8"], "2002:7f00:1::1", false),
            (&["2002::/16"], "2002:7f00:1::1", false),
            (&["2002::/16", "127.0.0.0/8"], "2002:7f00:1::1", true),
            (&["::/96"], "::10.0.0.1", false),
            (&["::/96", "10.0.0.0/8"], "::10.0.0.1", true),
        ] {
            assert_eq!(
                allows(entries, None, address),
                expected,
                "{entries:?} {address}"
            );
        }
    }

    #[test]
    fn an_entry_that_cannot_be_taken_says_what_to_write() {
        for (entry, expected) in [
            ("", "an allowed target is empty"),
            ("  ", "an allowed target is empty"),
            ("http://hooks.internal/", "write only its host"),
            ("localhost:9000", "names a port"),
            ("127.0.0.1:9000", "names a port"),
            ("[::1]:9000", "names a port"),
            ("*.internal", "holds a wildcard"),
            (
                "10.1.2.3/8",
                "write 10.0.0.0/8 for the whole range, or 10.1.2.3/32",
            ),
            (
                "fd00::1/8",
                "write fd00::/8 for the whole range, or fd00::1/128",
            ),
            ("10.0.0.0/33", "is neither a host"),
            ("hooks.internal/24", "is neither a host"),
            ("10", "is an odd way to write 0.0.0.10: write 0.0.0.10"),
            ("0x7f.1", "is an odd way to write 127.0.0.1"),
            ("hooks internal", "is neither a host"),
            (".", "is neither a host"),
            ("1::2::3", "is neither a host"),
            (":80", "is neither a host"),
            ("host:port", "is neither a host"),
        ] {
            let error = AddressPolicy::new(&[entry]).unwrap_err().to_string();
            assert!(error.contains(expected), "`{entry}`: {error}");
        }
    }

    #[test]
    fn the_list_is_bounded() {
        let entries = vec!["hooks.internal"; ALLOW_TARGETS_MAX + 1];
        assert_eq!(
            AddressPolicy::new(&entries),
            Err(AllowTargetError::TooMany(257))
        );
        assert!(AddressPolicy::new(&entries[1..]).is_ok());
    }

    #[test]
    fn policies_are_equal_when_they_allow_the_same() {
        let one = policy(&["10.0.0.0/8", "Hooks.Internal", "10.0.0.0/8"]);
        assert_eq!(one, policy(&["hooks.internal.", "10.0.0.0/8"]));
        assert_eq!(one, one.clone());
        assert_ne!(one, policy(&["10.0.0.0/8"]));
        assert_eq!(one.entries(), ["hooks.internal", "10.0.0.0/8"]);
    }

    #[test]
    fn the_narrowest_entry_is_offered() {
        for (host, address, expected) in [
            (None, "127.0.0.9", "127.0.0.0/8"),
            (None, "::1", "::1/128"),
            (None, "10.1.2.3", "10.1.2.3/32"),
            (None, "::ffff:10.1.2.3", "10.1.2.3/32"),
            (Some("hooks.internal"), "10.1.2.3", "hooks.internal"),
            (
                Some("hooks.internal"),
                "169.254.169.254",
                "169.254.169.254/32",
            ),
        ] {
            let refused = policy(&[])
                .check(host, address.parse().unwrap())
                .unwrap_err();
            assert_eq!(refused.allowing_entry(host), expected, "{host:?} {address}");
        }
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        // Evenly spread bits would nearly always be a reserved address of IPv6.
        let wrappings = [
            0,
            0xffff << 32,
            0xffff << 48,
            0x64_ff9b << 96,
            0x2001 << 112,
        ];
        let private = prop_oneof![
            any::<u32>(),
            Just(0x7f00_0001),
            Just(0xa9fe_a9fe),
            (0..=0xffff_u32).prop_map(|low| 0xc0a8_0000 | low),
        ];
        prop_oneof![
            private
                .clone()
                .prop_map(|bits| IpAddr::from(bits.to_be_bytes())),
            any::<u128>().prop_map(|bits| IpAddr::from(bits.to_be_bytes())),
            (
                private.clone(),
                proptest::sample::select(wrappings.to_vec())
            )
                .prop_map(|(bits, wrapping)| IpAddr::from(
                    (wrapping | u128::from(bits)).to_be_bytes()
                )),
            private.prop_map(|bits| {
                IpAddr::from((0x2002_u128 << 112 | u128::from(bits) << 80).to_be_bytes())
            }),
        ]
    }

    proptest! {
        #[test]
        fn the_offered_entry_allows_the_address(address in any_address(), named: bool) {
            let host = named.then_some("hooks.internal");
            let mut entries = Vec::new();
            // A wrapped address may need an entry for each of its layers.
            while let Err(refused) = AddressPolicy::new(&entries).unwrap().check(host, address) {
                entries.push(refused.allowing_entry(host));
                prop_assert!(entries.len() <= 3, "{address} {entries:?}");
            }
        }

        #[test]
        fn an_address_is_refused_by_default_when_it_is_special(address in any_address()) {
            let refused = AddressPolicy::default().check(Some("example.com"), address).is_err();
            prop_assert_eq!(refused, special_range(address).is_some());
        }

        #[test]
        fn no_entry_makes_reading_panic(entry in "\\PC{0,40}|[0-9a-fx:./\\[\\]*]{0,24}") {
            let _ = AddressPolicy::new(&[entry]);
        }
    }
}
