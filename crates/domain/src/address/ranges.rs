//! The special-purpose address ranges.
//!
//! The tables are the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), with what
//! they leave out because it is kept elsewhere: multicast, the parts of IPv6 that nobody has been
//! given, and the addresses at which clouds hand out credentials. [`super::AddressPolicy`] judges
//! by them; nothing here knows of settings.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::layers::layers;

/// What a special range is for. The word of each is stable: it is stored, logged and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangeKind {
    /// The address of no host: `0.0.0.0`, `::`. Connecting to it reaches the own machine.
    Unspecified,
    /// Hosts of "this network"; some systems route them to the own machine.
    ThisNetwork,
    /// The own machine.
    Loopback,
    /// Private networks of IPv4.
    Private,
    /// Addresses that carriers (and overlay networks) share behind their translation.
    CarrierNat,
    /// The own network segment.
    LinkLocal,
    /// Where clouds hand out credentials and settings to their machines.
    Metadata,
    /// Private networks of IPv6.
    UniqueLocal,
    /// Private networks of IPv6 as they were until 2004.
    SiteLocal,
    /// Set aside for protocols.
    ProtocolAssignment,
    /// Reached at the nearest of many, which may be the own router.
    Anycast,
    /// For examples in texts.
    Documentation,
    /// For measuring equipment.
    Benchmarking,
    /// IPv6 through an IPv4 tunnel.
    SixToFour,
    /// IPv6 through a UDP tunnel.
    Teredo,
    /// IPv4 behind a translator of the own network.
    Nat64Local,
    /// IPv4 written as IPv6 in a form given up in 2006.
    Ipv4Compatible,
    /// IPv4 written as IPv6 for stateless translators.
    Ipv4Translated,
    /// Thrown away on arrival.
    Discard,
    /// Names of hosts in the form of addresses; they are not routed.
    Orchid,
    /// Instructions to routers in the form of addresses.
    SegmentRouting,
    /// Many hosts at once.
    Multicast,
    /// All hosts of the segment.
    Broadcast,
    /// Given to nobody yet.
    Reserved,
}

impl RangeKind {
    /// The stable word of this kind.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::ThisNetwork => "this_network",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::CarrierNat => "carrier_nat",
            Self::LinkLocal => "link_local",
            Self::Metadata => "metadata",
            Self::UniqueLocal => "unique_local",
            Self::SiteLocal => "site_local",
            Self::ProtocolAssignment => "protocol_assignment",
            Self::Anycast => "anycast",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::SixToFour => "six_to_four",
            Self::Teredo => "teredo",
            Self::Nat64Local => "nat64_local",
            Self::Ipv4Compatible => "ipv4_compatible",
            Self::Ipv4Translated => "ipv4_translated",
            Self::Discard => "discard",
            Self::Orchid => "orchid",
            Self::SegmentRouting => "segment_routing",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Reserved => "reserved",
        }
    }

    /// Whether listing a host is not enough, and only the range's own CIDR opens it.
    ///
    /// Whoever rules the name decides where it points. Pointed at a cloud's metadata address or at
    /// a neighbour on the segment it would hand over the machine's credentials, which nobody means
    /// when listing a host.
    pub const fn needs_its_cidr(self) -> bool {
        matches!(self, Self::LinkLocal | Self::Metadata)
    }
}

/// A range of addresses that is not part of the public internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpecialRange {
    kind: RangeKind,
    name: &'static str,
    net: IpNet,
    source: &'static str,
}

impl SpecialRange {
    /// What it is for.
    pub const fn kind(&self) -> RangeKind {
        self.kind
    }

    /// What an address in it is called, with its article: "a loopback address".
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The addresses in it.
    pub const fn net(&self) -> IpNet {
        self.net
    }

    /// The document that sets it aside: an RFC, or whose cloud it is.
    pub const fn source(&self) -> &'static str {
        self.source
    }
}

impl fmt::Display for SpecialRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.net, self.source)
    }
}

const fn v4(
    bytes: [u8; 4],
    prefix: u8,
    kind: RangeKind,
    name: &'static str,
    source: &'static str,
) -> SpecialRange {
    let [a, b, c, d] = bytes;
    let net = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix));
    SpecialRange {
        kind,
        name,
        net,
        source,
    }
}

const fn v6(
    bits: u128,
    prefix: u8,
    kind: RangeKind,
    name: &'static str,
    source: &'static str,
) -> SpecialRange {
    let net = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), prefix));
    SpecialRange {
        kind,
        name,
        net,
        source,
    }
}

const METADATA: &str = "a cloud metadata address";
const PRIVATE: &str = "a private address";
const LINK_LOCAL: &str = "a link-local address";
const LOOPBACK: &str = "a loopback address";
const UNSPECIFIED: &str = "the unspecified address";
const PROTOCOL: &str = "an address set aside for protocols";
const ANYCAST: &str = "an anycast service address";
const EXAMPLE: &str = "a documentation address";
const BENCHMARK: &str = "a benchmarking address";
const MULTICAST: &str = "a multicast address";
const RESERVED: &str = "a reserved address";

// The narrower range stands before the wider one that holds it: the first match counts.
#[rustfmt::skip]
const RANGES_V4: &[SpecialRange] = &[
    v4([169, 254, 169, 254], 32, RangeKind::Metadata, METADATA, "AWS, Azure, Google Cloud and others"),
    v4([169, 254, 170, 2], 32, RangeKind::Metadata, METADATA, "AWS ECS"),
    v4([169, 254, 170, 23], 32, RangeKind::Metadata, METADATA, "AWS EKS"),
    v4([169, 254, 0, 23], 32, RangeKind::Metadata, METADATA, "Tencent Cloud"),
    v4([169, 254, 42, 42], 32, RangeKind::Metadata, METADATA, "Scaleway"),
    v4([100, 100, 100, 200], 32, RangeKind::Metadata, METADATA, "Alibaba Cloud"),
    v4([192, 0, 0, 192], 32, RangeKind::Metadata, METADATA, "Oracle Cloud"),
    v4([168, 63, 129, 16], 32, RangeKind::Metadata, METADATA, "Azure"),
    v4([0, 0, 0, 0], 32, RangeKind::Unspecified, UNSPECIFIED, "RFC 1122"),
    v4([0, 0, 0, 0], 8, RangeKind::ThisNetwork, "an address of \"this network\"", "RFC 791"),
    v4([10, 0, 0, 0], 8, RangeKind::Private, PRIVATE, "RFC 1918"),
    v4([100, 64, 0, 0], 10, RangeKind::CarrierNat, "a shared carrier address", "RFC 6598"),
    v4([127, 0, 0, 0], 8, RangeKind::Loopback, LOOPBACK, "RFC 1122"),
    v4([169, 254, 0, 0], 16, RangeKind::LinkLocal, LINK_LOCAL, "RFC 3927"),
    v4([172, 16, 0, 0], 12, RangeKind::Private, PRIVATE, "RFC 1918"),
    v4([192, 0, 0, 9], 32, RangeKind::Anycast, ANYCAST, "RFC 7723"),
    v4([192, 0, 0, 10], 32, RangeKind::Anycast, ANYCAST, "RFC 8155"),
    v4([192, 0, 0, 0], 24, RangeKind::ProtocolAssignment, PROTOCOL, "RFC 6890"),
    v4([192, 0, 2, 0], 24, RangeKind::Documentation, EXAMPLE, "RFC 5737"),
    v4([192, 31, 196, 0], 24, RangeKind::Anycast, ANYCAST, "RFC 7535"),
    v4([192, 52, 193, 0], 24, RangeKind::Anycast, ANYCAST, "RFC 7450"),
    v4([192, 88, 99, 0], 24, RangeKind::SixToFour, "a 6to4 relay address", "RFC 7526"),
    v4([192, 168, 0, 0], 16, RangeKind::Private, PRIVATE, "RFC 1918"),
    v4([192, 175, 48, 0], 24, RangeKind::Anycast, ANYCAST, "RFC 7534"),
    v4([198, 18, 0, 0], 15, RangeKind::Benchmarking, BENCHMARK, "RFC 2544"),
    v4([198, 51, 100, 0], 24, RangeKind::Documentation, EXAMPLE, "RFC 5737"),
    v4([203, 0, 113, 0], 24, RangeKind::Documentation, EXAMPLE, "RFC 5737"),
    v4([224, 0, 0, 0], 4, RangeKind::Multicast, MULTICAST, "RFC 5771"),
    v4([255, 255, 255, 255], 32, RangeKind::Broadcast, "the broadcast address", "RFC 919"),
    v4([240, 0, 0, 0], 4, RangeKind::Reserved, RESERVED, "RFC 1112"),
];

// `2000::/3` is the only part that is given out for the public internet (RFC 4291, 2.4). All else
// is refused, named by its use where it has one and as reserved where it has none.
#[rustfmt::skip]
const RANGES_V6: &[SpecialRange] = &[
    v6(0xfd00_0ec2 << 96 | 0x254, 128, RangeKind::Metadata, METADATA, "AWS"),
    v6(0xfd00_0ec2 << 96 | 0x23, 128, RangeKind::Metadata, METADATA, "AWS EKS"),
    v6(0xfd20_00ce << 96 | 0x254, 128, RangeKind::Metadata, METADATA, "Google Cloud"),
    v6(0xfd00_00c1 << 96 | 0xa9fe_a9fe, 128, RangeKind::Metadata, METADATA, "Oracle Cloud"),
    v6(0xfd00_0042 << 96 | 0x42, 128, RangeKind::Metadata, METADATA, "Scaleway"),
    v6(0xfe80 << 112 | 0xa9fe_a9fe, 128, RangeKind::Metadata, METADATA, "OpenStack"),
    v6(0, 128, RangeKind::Unspecified, UNSPECIFIED, "RFC 4291"),
    v6(1, 128, RangeKind::Loopback, LOOPBACK, "RFC 4291"),
    v6(0, 96, RangeKind::Ipv4Compatible, "an IPv4-compatible address", "RFC 4291"),
    v6(0xffff << 48, 96, RangeKind::Ipv4Translated, "a translated IPv4 address", "RFC 2765"),
    v6(0x64_ff9b_0001 << 80, 48, RangeKind::Nat64Local, "an address behind a local translator", "RFC 8215"),
    v6(0x100 << 112, 64, RangeKind::Discard, "a discard address", "RFC 6666"),
    v6(0x100 << 112 | 1 << 64, 64, RangeKind::ProtocolAssignment, "a dummy address", "RFC 9780"),
    v6(0x2001 << 112, 32, RangeKind::Teredo, "a Teredo address", "RFC 4380"),
    v6(0x2001_0001 << 96 | 1, 128, RangeKind::Anycast, ANYCAST, "RFC 7723"),
    v6(0x2001_0001 << 96 | 2, 128, RangeKind::Anycast, ANYCAST, "RFC 8155"),
    v6(0x2001_0001 << 96 | 3, 128, RangeKind::Anycast, ANYCAST, "RFC 9665"),
    v6(0x2001_0002 << 96, 48, RangeKind::Benchmarking, BENCHMARK, "RFC 5180"),
    v6(0x2001_0003 << 96, 32, RangeKind::Anycast, ANYCAST, "RFC 7450"),
    v6(0x2001_0004_0112 << 80, 48, RangeKind::Anycast, ANYCAST, "RFC 7535"),
    v6(0x2001_0010 << 96, 28, RangeKind::Orchid, "a host identity", "RFC 4843"),
    v6(0x2001_0020 << 96, 28, RangeKind::Orchid, "a host identity", "RFC 7343"),
    v6(0x2001_0030 << 96, 28, RangeKind::Orchid, "a drone's identity", "RFC 9374"),
    v6(0x2001 << 112, 23, RangeKind::ProtocolAssignment, PROTOCOL, "RFC 2928"),
    v6(0x2001_0db8 << 96, 32, RangeKind::Documentation, EXAMPLE, "RFC 3849"),
    v6(0x2002 << 112, 16, RangeKind::SixToFour, "a 6to4 address", "RFC 3056"),
    v6(0x2620_004f_8000 << 80, 48, RangeKind::Anycast, ANYCAST, "RFC 7534"),
    v6(0x3fff << 112, 20, RangeKind::Documentation, EXAMPLE, "RFC 9637"),
    v6(0x5f00 << 112, 16, RangeKind::SegmentRouting, "a segment routing address", "RFC 9602"),
    v6(0xfc00 << 112, 7, RangeKind::UniqueLocal, "a unique local (private) address", "RFC 4193"),
    v6(0xfe80 << 112, 10, RangeKind::LinkLocal, LINK_LOCAL, "RFC 4291"),
    v6(0xfec0 << 112, 10, RangeKind::SiteLocal, "a site-local (private) address", "RFC 3879"),
    v6(0xff00 << 112, 8, RangeKind::Multicast, MULTICAST, "RFC 4291"),
    v6(0, 3, RangeKind::Reserved, RESERVED, "RFC 4291"),
    v6(0x4000 << 112, 2, RangeKind::Reserved, RESERVED, "RFC 4291"),
    v6(0x8000 << 112, 1, RangeKind::Reserved, RESERVED, "RFC 4291"),
];

/// The special range that `address` lies in, or `None` for an address of the public internet.
///
/// An IPv6 address that carries an IPv4 one is looked into: `::ffff:127.0.0.1` is loopback.
/// Where both the carried address and its wrapping are special, the carried one is named.
pub fn special_range(address: IpAddr) -> Option<SpecialRange> {
    layers(address).find_map(range_of)
}

/// The range that `layer` itself lies in, without looking into it.
pub(super) fn range_of(layer: IpAddr) -> Option<SpecialRange> {
    let ranges = match layer {
        IpAddr::V4(_) => RANGES_V4,
        IpAddr::V6(_) => RANGES_V6,
    };
    ranges
        .iter()
        .find(|range| range.net.contains(&layer))
        .copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::address::layers::is_transparent;

    fn word(address: &str) -> &'static str {
        let address = address.parse().unwrap();
        special_range(address).map_or("public", |range| range.kind().word())
    }

    #[test]
    fn every_special_range_is_known_from_its_first_to_its_last_address() {
        for range in RANGES_V4.iter().chain(RANGES_V6) {
            for address in [range.net.network(), range.net.broadcast()] {
                assert!(special_range(address).is_some(), "{address} of {range}");
            }
            assert_eq!(
                range.net,
                range.net.trunc(),
                "{range} has bits beyond its prefix"
            );
        }
    }

    #[test]
    fn a_narrower_range_stands_before_the_wider_one() {
        for ranges in [RANGES_V4, RANGES_V6] {
            for (index, early) in ranges.iter().enumerate() {
                for late in &ranges[index + 1..] {
                    assert!(!early.net.contains(&late.net), "{early} hides {late}");
                }
            }
        }
    }

    #[test]
    fn an_ipv4_address_is_named_by_its_use() {
        for (address, expected) in [
            ("0.0.0.0", "unspecified"),
            ("0.0.0.1", "this_network"),
            ("10.255.255.255", "private"),
            ("100.63.255.255", "public"),
            ("100.64.0.0", "carrier_nat"),
            ("100.100.100.200", "metadata"),
            ("100.128.0.0", "public"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("168.63.129.16", "metadata"),
            ("168.63.129.17", "public"),
            ("169.254.1.1", "link_local"),
            ("169.254.169.254", "metadata"),
            ("172.15.255.255", "public"),
            ("172.16.0.0", "private"),
            ("172.31.255.255", "private"),
            ("172.32.0.0", "public"),
            ("192.0.0.8", "protocol_assignment"),
            ("192.0.0.9", "anycast"),
            ("192.0.0.170", "protocol_assignment"),
            ("192.0.0.192", "metadata"),
            ("192.0.1.1", "public"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "six_to_four"),
            ("192.168.0.1", "private"),
            ("198.17.255.255", "public"),
            ("198.18.0.1", "benchmarking"),
            ("198.19.255.255", "benchmarking"),
            ("198.51.100.7", "documentation"),
            ("203.0.113.9", "documentation"),
            ("223.255.255.255", "public"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("8.8.8.8", "public"),
        ] {
            assert_eq!(word(address), expected, "{address}");
        }
    }

    #[test]
    fn an_ipv6_address_is_named_by_its_use() {
        for (address, expected) in [
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("100::1", "discard"),
            ("100:0:0:1::1", "protocol_assignment"),
            ("100:0:0:2::1", "reserved"),
            ("2001:1::1", "anycast"),
            ("2001:1::3", "anycast"),
            ("2001:1::4", "protocol_assignment"),
            ("2001:2::1", "benchmarking"),
            ("2001:3::1", "anycast"),
            ("2001:4:112::1", "anycast"),
            ("2001:10::1", "orchid"),
            ("2001:2f::1", "orchid"),
            ("2001:30::1", "orchid"),
            ("2001:1ff::1", "protocol_assignment"),
            ("2001:200::1", "public"),
            ("2001:db8::1", "documentation"),
            ("2001:4860:4860::8888", "public"),
            ("2620:4f:8000::1", "anycast"),
            ("3ffe::1", "public"),
            ("3fff::1", "documentation"),
            ("4000::1", "reserved"),
            ("5f00::1", "segment_routing"),
            ("64:ff9b:1::808:808", "nat64_local"),
            ("fc00::1", "unique_local"),
            ("fd00:ec2::254", "metadata"),
            ("fd20:ce::254", "metadata"),
            ("fdff::1", "unique_local"),
            ("fe80::1", "link_local"),
            ("fe80::a9fe:a9fe", "metadata"),
            ("fec0::1", "site_local"),
            ("fe00::1", "reserved"),
            ("ff02::1", "multicast"),
        ] {
            assert_eq!(word(address), expected, "{address}");
        }
    }

    #[test]
    fn an_ipv4_address_inside_an_ipv6_one_is_found() {
        for (address, expected) in [
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:8.8.8.8", "public"),
            ("::ffff:a9fe:a9fe", "metadata"),
            ("::127.0.0.1", "loopback"),
            ("::8.8.8.8", "ipv4_compatible"),
            ("::ffff:0:10.0.0.1", "private"),
            ("::ffff:0:8.8.8.8", "ipv4_translated"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b::169.254.169.254", "metadata"),
            ("64:ff9b::8.8.8.8", "public"),
            ("64:ff9b::1:808:808", "reserved"),
            ("2002:7f00:1::", "loopback"),
            ("2002:c0a8:101::1", "private"),
            ("2002:808:808::1", "six_to_four"),
            // Teredo with the server 8.8.8.8 and the client 10.0.0.1, then the other way round.
            ("2001:0:808:808::f5ff:fffe", "private"),
            ("2001:0:a00:1::f7f7:f7f7", "private"),
            ("2001:0:808:808::f7f7:f7f7", "teredo"),
        ] {
            assert_eq!(word(address), expected, "{address}");
        }
    }

    #[test]
    fn the_standard_library_knows_no_local_address_that_the_tables_miss() {
        for bits in (0..=u32::MAX).step_by(4099) {
            let address = Ipv4Addr::from_bits(bits);
            let local = address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
                || address.is_documentation();
            if local {
                assert!(special_range(address.into()).is_some(), "{address}");
            }
        }
    }

    proptest! {
        #[test]
        fn only_what_was_given_out_for_the_internet_is_public(bits: u128) {
            let address = Ipv6Addr::from_bits(bits);
            let given_out = bits >> 125 == 1;
            if !given_out && !is_transparent(address) {
                prop_assert!(special_range(address.into()).is_some());
            }
        }

        #[test]
        fn a_wrapped_address_is_as_special_as_the_bare_one(bits: u32) {
            let bare = special_range(Ipv4Addr::from_bits(bits).into());
            for prefix in [0xffff << 32, 0x64_ff9b << 96] {
                let wrapped = Ipv6Addr::from_bits(prefix | u128::from(bits));
                prop_assert_eq!(special_range(wrapped.into()), bare);
            }
        }
    }
}
