//! The address of the database, with what libpq's say and the driver's do not: which authority is trusted, and the
//! two words for a certificate that has to be right.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// An address as the driver takes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) url: String,
    /// The file of the authorities that alone are trusted (`sslrootcert`).
    pub(super) authorities: Option<PathBuf>,
}

impl Address {
    pub(super) fn of(url: &str) -> Self {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut authorities, mut kept) = (None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslrootcert", path)) => {
                    let path = percent_decode_str(path).decode_utf8_lossy();
                    authorities = Some(PathBuf::from(path.into_owned()));
                }
                // A certificate is always looked at in full, so there is nothing less to ask for.
                Some(("sslmode", "verify-full" | "verify-ca")) => kept.push("sslmode=require"),
                _ => kept.push(pair),
            }
        }
        let query = kept.join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        Self {
            url: format!("{place}{mark}{query}"),
            authorities,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_name_authorities_as_libpq_has_it() {
        for (given, url, authorities) in [
            ("postgres://u@h/x", "postgres://u@h/x", None),
            (
                "postgres://u@h/x?sslmode=verify-full&sslrootcert=/etc/my%20ca.pem",
                "postgres://u@h/x?sslmode=require",
                Some("/etc/my ca.pem"),
            ),
            (
                "postgres://u@h/x?sslrootcert=ca%zz%2&connect_timeout=3",
                "postgres://u@h/x?connect_timeout=3",
                Some("ca%zz%2"),
            ),
            (
                "postgres://u@h/x?sslmode=disable",
                "postgres://u@h/x?sslmode=disable",
                None,
            ),
        ] {
            let expected = Address {
                url: url.to_owned(),
                authorities: authorities.map(PathBuf::from),
            };
            assert_eq!(Address::of(given), expected);
        }
    }
}
