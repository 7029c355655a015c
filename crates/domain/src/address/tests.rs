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
fn the_entry_that_opens_is_named_where_one_is_needed() {
    let listed = policy(&["hooks.internal", "10.0.0.0/8", "169.254.169.254"]);
    let entry = |host, address: &str| listed.opening_entry(host, address.parse().unwrap());
    for (host, address, expected) in [
        (None, "8.8.8.8", None),
        (Some("hooks.internal"), "8.8.8.8", None),
        (Some("Hooks.internal."), "10.0.0.1", Some("Hooks.internal.")),
        (None, "10.0.0.1", Some("10.0.0.0/8")),
        (None, "::ffff:10.0.0.1", Some("10.0.0.0/8")),
        (
            Some("hooks.internal"),
            "169.254.169.254",
            Some("169.254.169.254/32"),
        ),
        (None, "192.168.0.1", None),
    ] {
        assert_eq!(
            entry(host, address).as_deref(),
            expected,
            "{host:?} {address}"
        );
    }
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
            .prop_map(|(bits, wrapping)| IpAddr::from((wrapping | u128::from(bits)).to_be_bytes())),
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
