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

/// The setting that lets webhooks be sent by `https` only.
pub const HTTPS_ONLY_SETTING: &str = "webhook.https_only";

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

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Allowed {
    hosts: BTreeSet<String>,
    nets: BTreeSet<IpNet>,
    https_only: bool,
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

    /// The same, with `https` asked of every target or not (`webhook.https_only`).
    #[must_use]
    pub fn with_https_only(self, https_only: bool) -> Self {
        let allowed = Allowed {
            https_only,
            ..(*self.0).clone()
        };
        Self(Arc::new(allowed))
    }

    /// Whether every target must be `https`.
    pub fn is_https_only(&self) -> bool {
        self.0.https_only
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

    /// The entry of the list that lets a connection to `address` be; none where none is needed, because it is of
    /// the public internet, or none would do.
    pub fn opening_entry(&self, host: Option<&str>, address: IpAddr) -> Option<String> {
        let (layer, range) = layers(address).find_map(|layer| Some((layer, range_of(layer)?)))?;
        let strict = range.kind().needs_its_cidr();
        let listed = host.filter(|host| !strict && self.lists_host(host));
        listed.map(ToOwned::to_owned).or_else(|| {
            let mut nets = self.0.nets.iter();
            let net = nets.find(|net| opens(net, layer, &range));
            net.map(ToString::to_string)
        })
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
        (listed && !range.kind().needs_its_cidr())
            || self.0.nets.iter().any(|net| opens(net, layer, range))
    }
}

/// Whether a listed range opens an address of a special one.
fn opens(net: &IpNet, layer: IpAddr, range: &SpecialRange) -> bool {
    net.contains(&layer) && (!range.kind().needs_its_cidr() || range.net().contains(net))
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
mod tests;
