//! The IPv4 addresses that hide inside IPv6 ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::from_bits(0xffff << 32), 96);
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::from_bits(0x64_ff9b << 96), 96);
const COMPATIBLE: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 96);
const TRANSLATED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::from_bits(0xffff << 48), 96);
const SIX_TO_FOUR: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::from_bits(0x2002 << 112), 16);
const TEREDO: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::from_bits(0x2001 << 112), 32);

/// The addresses that a connection to `address` may come out at, the innermost first.
///
/// A mapped address and one behind the well-known NAT64 prefix *are* their IPv4 address, so only
/// that is judged. The other wrappings are judged as well: no host of the internet has them.
pub(super) fn layers(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let IpAddr::V6(outer) = address else {
        return [None, None, Some(address)].into_iter().flatten();
    };
    let [first, second] = embedded(outer).map(|inner| inner.map(IpAddr::V4));
    let outer = if is_transparent(outer) {
        None
    } else {
        Some(address)
    };
    [first, second, outer].into_iter().flatten()
}

/// `net` as the IPv4 range it stands for, where it is one written as IPv6.
pub(super) fn unwrapped(net: IpNet) -> IpNet {
    let IpNet::V6(wide) = net else { return net };
    if !(MAPPED.contains(&wide) || NAT64.contains(&wide)) {
        return net;
    }
    // Contained in a /96, so the prefix is 96 to 128.
    let prefix = wide.prefix_len().saturating_sub(96);
    Ipv4Net::new(low_bits(wide.network()), prefix).map_or(net, IpNet::V4)
}

/// Whether `address` is nothing but another way to write an IPv4 one.
pub(super) fn is_transparent(address: Ipv6Addr) -> bool {
    MAPPED.contains(&address) || NAT64.contains(&address)
}

fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let bits = address.to_bits();
    if address.is_unspecified() || address.is_loopback() {
        // `::` and `::1` lie in the IPv4-compatible range, yet carry nothing.
        [None, None]
    } else if is_transparent(address)
        || COMPATIBLE.contains(&address)
        || TRANSLATED.contains(&address)
    {
        [Some(low_bits(address)), None]
    } else if SIX_TO_FOUR.contains(&address) {
        [Some(low_bits(Ipv6Addr::from_bits(bits >> 80))), None]
    } else if TEREDO.contains(&address) {
        // The client's address is stored inverted, the server's as it is (RFC 4380, section 4).
        let client = low_bits(Ipv6Addr::from_bits(!bits));
        let server = low_bits(Ipv6Addr::from_bits(bits >> 64));
        [Some(client), Some(server)]
    } else {
        [None, None]
    }
}

fn low_bits(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}
