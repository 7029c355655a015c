//! The targets of webhooks: reading a URL, and deciding whether it may be called.
//!
//! [`check_target`] is the one function that decides, with one answer: where to connect to, or the
//! rule that refuses and the setting that would allow it. It is asked when a target is saved (to
//! fail early), when it is tested, and when the engine connects (which is the truth). Looking names
//! up is the caller's, behind [`Resolver`]; so are its time limits.

mod check;
mod refusal;

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

pub use check::{
    Answer, CheckedTarget, JudgedTarget, Resolver, TARGET_ADDRESSES_MAX, check_target, judge_proxy,
    judge_reach, judge_target,
};
pub use refusal::{HttpsOnly, TargetRefusal, UrlOf};

use refusal::quoted;

/// Most bytes of a target, as given and as normalised.
pub const TARGET_URL_BYTES_MAX: usize = 2_048;

/// Where webhooks go: an absolute `http` or `https` URL in its one normal form.
///
/// The normal form is that of the URL standard, without a final dot of the host: scheme and host in
/// lower case, international names in ASCII, every way of writing an IPv4 address turned into the
/// dotted one, the scheme's own port left out. Two targets are the same when these texts are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TargetUrl {
    url: Url,
    host: TargetHost,
    port: u16,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum TargetHost {
    Name(String),
    Address(IpAddr),
}

impl TargetUrl {
    /// Reads a target.
    ///
    /// # Errors
    /// Every [`TargetRefusal`] save those that take a look at addresses.
    pub fn parse(text: &str) -> Result<Self, TargetRefusal> {
        let text = text.trim();
        bounded(text)?;
        let mut url = parse_absolute(text)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetRefusal::NotHttp {
                scheme: quoted(url.scheme()),
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetRefusal::Credentials);
        }
        if url.fragment().is_some() {
            return Err(TargetRefusal::Fragment);
        }
        let host = settle_host(&mut url)?;
        let port = match url.port_or_known_default() {
            Some(0) | None => return Err(TargetRefusal::PortZero),
            Some(port) => port,
        };
        bounded(url.as_str())?;
        Ok(Self { url, host, port })
    }

    /// The normal form, which "the same target" is compared by.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The parsed URL.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The name that has to be looked up; `None` when the URL names an address.
    pub fn host_name(&self) -> Option<&str> {
        match &self.host {
            TargetHost::Name(name) => Some(name),
            TargetHost::Address(_) => None,
        }
    }

    /// The port to connect to.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

fn bounded(text: &str) -> Result<(), TargetRefusal> {
    if text.len() > TARGET_URL_BYTES_MAX {
        return Err(TargetRefusal::TooLong { bytes: text.len() });
    }
    Ok(())
}

fn parse_absolute(text: &str) -> Result<Url, TargetRefusal> {
    // The URL standard mends `http:example.com` and `http:\\example.com`. A target is shown to
    // people, who should see what they wrote, so it has to be written in full.
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => TargetRefusal::NotAbsolute,
        other => TargetRefusal::NotAUrl {
            why: other.to_string(),
        },
    })?;
    match scheme {
        Some(scheme) if scheme.eq_ignore_ascii_case(url.scheme()) => Ok(url),
        _ if matches!(url.scheme(), "http" | "https") => Err(TargetRefusal::NotAbsolute),
        _ => Err(TargetRefusal::NotHttp {
            scheme: quoted(url.scheme()),
        }),
    }
}

/// The host of `url`, whose final dot is taken off: `example.com.` is the same host, yet a different
/// text to allow-lists and certificates.
fn settle_host(url: &mut Url) -> Result<TargetHost, TargetRefusal> {
    let malformed = |why: &str| TargetRefusal::NotAUrl {
        why: why.to_owned(),
    };
    let name = match url.host() {
        Some(url::Host::Ipv4(address)) => return Ok(TargetHost::Address(address.into())),
        Some(url::Host::Ipv6(address)) => return Ok(TargetHost::Address(address.into())),
        Some(url::Host::Domain(name)) => name.to_owned(),
        None => return Err(malformed("empty host")),
    };
    let Some(bare) = name.strip_suffix('.') else {
        return Ok(TargetHost::Name(name));
    };
    if bare.is_empty() || bare.ends_with('.') {
        return Err(malformed("invalid domain name"));
    }
    url.set_host(Some(bare))
        .map_err(|error| malformed(&error.to_string()))?;
    // Read again rather than assumed: without the dot the text may be an address.
    match url.host() {
        Some(url::Host::Ipv4(address)) => Ok(TargetHost::Address(address.into())),
        Some(url::Host::Ipv6(address)) => Ok(TargetHost::Address(address.into())),
        Some(url::Host::Domain(name)) => Ok(TargetHost::Name(name.to_owned())),
        None => Err(malformed("empty host")),
    }
}

impl FromStr for TargetUrl {
    type Err = TargetRefusal;

    fn from_str(text: &str) -> Result<Self, TargetRefusal> {
        Self::parse(text)
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TargetUrl({})", self.as_str())
    }
}

impl Serialize for TargetUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TargetUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_target_has_one_normal_form() {
        for (text, expected) in [
            ("https://example.com", "https://example.com/"),
            (
                " HTTPS://Example.COM:443/A?b=C ",
                "https://example.com/A?b=C",
            ),
            ("http://example.com:80/", "http://example.com/"),
            ("http://example.com:8080/", "http://example.com:8080/"),
            ("https://example.com./hooks", "https://example.com/hooks"),
            ("https://example.com.:8443/", "https://example.com:8443/"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/"),
            ("https://example.com/a/../b", "https://example.com/b"),
            ("https://example.com/a b", "https://example.com/a%20b"),
            ("https://@example.com/", "https://example.com/"),
            ("http://[::FFFF:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
        ] {
            let target = TargetUrl::parse(text).unwrap();
            assert_eq!(target.as_str(), expected, "{text}");
            assert_eq!(TargetUrl::parse(target.as_str()).unwrap(), target, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_plain_web_address_is_refused_by_name() {
        let long = format!("https://example.com/{}", "a".repeat(TARGET_URL_BYTES_MAX));
        // Each space becomes three bytes.
        let swelling = format!("https://example.com/{}a", " ".repeat(1_000));
        for (text, expected) in [
            ("", "not_absolute"),
            ("/hooks", "not_absolute"),
            ("example.com/hooks", "not_absolute"),
            ("//example.com/hooks", "not_absolute"),
            ("http:example.com", "not_absolute"),
            ("http:\\\\example.com", "not_absolute"),
            ("http:/example.com/?u=x://y", "not_absolute"),
            ("http://", "not_a_url"),
            ("http://exa mple.com/", "not_a_url"),
            ("http://example.com..", "not_a_url"),
            ("http://.", "not_a_url"),
            ("http://example.com:99999/", "not_a_url"),
            ("http://1.2.3.256/", "not_a_url"),
            ("http://[fe80::1%25eth0]/", "not_a_url"),
            ("ftp://example.com/", "not_http"),
            ("file:///etc/passwd", "not_http"),
            ("javascript:alert(1)", "not_http"),
            ("localhost:8080/hooks", "not_http"),
            ("https://user:secret@example.com/", "credentials"),
            ("https://user@example.com/", "credentials"),
            ("https://:secret@example.com/", "credentials"),
            ("https://example.com/#part", "fragment"),
            ("https://example.com/#", "fragment"),
            ("https://example.com:0/", "port_zero"),
            (&long, "too_long"),
            (&swelling, "too_long"),
        ] {
            let refusal = TargetUrl::parse(text).unwrap_err();
            assert_eq!(refusal.rule(), expected, "{text}");
            assert_eq!(refusal.setting(), None, "{text}");
            assert!(!refusal.to_string().contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn the_longest_target_is_taken_and_one_byte_more_is_not() {
        let fits = format!(
            "http://example.com/{}",
            "a".repeat(TARGET_URL_BYTES_MAX - 19)
        );
        assert_eq!(
            TargetUrl::parse(&fits).unwrap().as_str().len(),
            TARGET_URL_BYTES_MAX
        );
        let refusal = TargetUrl::parse(&format!("{fits}a")).unwrap_err();
        assert_eq!(refusal, TargetRefusal::TooLong { bytes: 2_049 });
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_its_normal_form_is_final(text in "(https?://)?\\PC{0,60}") {
            if let Ok(target) = TargetUrl::parse(&text) {
                prop_assert_eq!(TargetUrl::parse(target.as_str()).unwrap(), target);
            }
        }
    }
}
