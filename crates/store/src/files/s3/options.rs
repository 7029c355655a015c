//! Where the files are and how to get at them, as the operator says it.

use std::{fmt, net::IpAddr, str::FromStr, time::Duration};

use http::Uri;
use object_store::{aws::AmazonS3ConfigKey, path::Path as Name};

use crate::files::FIRST_BYTE_TIME;

/// Least and most characters of a bucket's name.
const BUCKET_CHARS: std::ops::RangeInclusive<usize> = 3..=63;
/// Longest prefix; S3's names end at 1,024 bytes.
const PREFIX_BYTES_MAX: usize = 512;
/// The region that stores which have none go by.
const REGION_OF_OTHERS: &str = "us-east-1";

/// A bucket, or what is below a prefix in it: `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Location {
    bucket: String,
    prefix: Name,
}

/// What was given is no such location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it reads s3://BUCKET or s3://BUCKET/PREFIX; {0}")]
pub struct BadS3Location(&'static str);

impl S3Location {
    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(crate) const fn prefix(&self) -> &Name {
        &self.prefix
    }
}

impl FromStr for S3Location {
    type Err = BadS3Location;

    fn from_str(text: &str) -> Result<Self, BadS3Location> {
        let rest = text
            .strip_prefix("s3://")
            .ok_or(BadS3Location("this does not begin with s3://"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let in_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !BUCKET_CHARS.contains(&bucket.len()) || !bucket.chars().all(in_name) {
            return Err(BadS3Location(
                "a bucket's name has 3 to 63 letters, digits, dots and hyphens",
            ));
        }
        let prefix = prefix.trim_end_matches('/');
        let in_prefix = |c: char| in_name(c) || "/!=+@".contains(c);
        let named = prefix.len() <= PREFIX_BYTES_MAX && prefix.chars().all(in_prefix);
        // A slash too many would be dropped in silence.
        let read = Name::parse(prefix).ok().filter(|_| named);
        let prefix = read.filter(|read| read.as_ref() == prefix);
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.ok_or(BadS3Location(
                "a prefix has letters, digits and . _ - ! = + @ between single slashes",
            ))?,
        })
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if self.prefix.is_root() {
            Ok(())
        } else {
            write!(f, "/{}", self.prefix)
        }
    }
}

/// How files in an S3-compatible store are got at.
#[derive(Clone, Debug)]
pub struct S3Options {
    /// Where they are.
    pub location: S3Location,
    /// Who keeps them: `https://host:port`; none is Amazon.
    pub endpoint: Option<String>,
    /// The bucket's region.
    pub region: Option<String>,
    /// Whether the bucket is named in the path of a request, not in its host.
    pub path_style: bool,
    /// Whether what is sent to another machine may be unencrypted.
    pub allow_http: bool,
    /// What opens the store.
    pub credentials: S3Credentials,
    /// Bounds.
    pub limits: S3Limits,
}

impl S3Options {
    /// Options for the bucket at Amazon.
    pub fn new(location: S3Location, credentials: S3Credentials) -> Self {
        Self {
            location,
            endpoint: None,
            region: None,
            path_style: true,
            allow_http: false,
            credentials,
            limits: S3Limits::default(),
        }
    }
}

/// The bounds of requests to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct S3Limits {
    /// How long a connection may take, TLS included.
    pub connect_time: Duration,
    /// How long nothing may move in a request or its answer.
    pub idle_time: Duration,
    /// How long it may take until a file that is read begins, all tries counted.
    pub first_byte_time: Duration,
    /// How often a request that failed is sent again.
    pub retries_max: usize,
    /// From when on a request is not sent again.
    pub retry_time: Duration,
}

impl Default for S3Limits {
    fn default() -> Self {
        Self {
            connect_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(20),
            first_byte_time: FIRST_BYTE_TIME,
            retries_max: 4,
            retry_time: Duration::from_secs(30),
        }
    }
}

/// What opens the store: an access key, or where the machine gets one from.
#[derive(Clone, Default)]
pub struct S3Credentials(Vec<(AmazonS3ConfigKey, String)>);

/// Where they usually are. The first of access key, web identity, container and instance that is there
/// counts; an instance asks its metadata service, which has a known address.
const VARIABLES: [(&str, AmazonS3ConfigKey); 11] = [
    ("AWS_ACCESS_KEY_ID", AmazonS3ConfigKey::AccessKeyId),
    ("AWS_SECRET_ACCESS_KEY", AmazonS3ConfigKey::SecretAccessKey),
    ("AWS_SESSION_TOKEN", AmazonS3ConfigKey::Token),
    (
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        AmazonS3ConfigKey::WebIdentityTokenFile,
    ),
    ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
    ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
    ("AWS_ENDPOINT_URL_STS", AmazonS3ConfigKey::StsEndpoint),
    (
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
    ),
    (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        AmazonS3ConfigKey::ContainerCredentialsFullUri,
    ),
    (
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
    ),
    (
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        AmazonS3ConfigKey::MetadataEndpoint,
    ),
];

impl S3Credentials {
    /// What is set of the usual variables, which `variable` answers for. An empty one counts as not set.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = VARIABLES.into_iter().filter_map(|(name, key)| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            Some((key, value))
        });
        Self(set.collect())
    }

    pub(in crate::files) fn each(&self) -> impl Iterator<Item = (AmazonS3ConfigKey, &str)> {
        self.0.iter().map(|(key, value)| (*key, &**value))
    }

    fn has(&self, key: AmazonS3ConfigKey) -> bool {
        self.0.iter().any(|(set, _)| *set == key)
    }

    /// The variable that is missing beside the one that is set.
    pub(super) fn half(&self) -> Option<(&'static str, &'static str)> {
        let (key, secret) = (VARIABLES[0], VARIABLES[1]);
        match (self.has(key.1), self.has(secret.1)) {
            (true, false) => Some((key.0, secret.0)),
            (false, true) => Some((secret.0, key.0)),
            _ => None,
        }
    }
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Credentials(…)")
    }
}

impl S3Options {
    /// The region that requests are signed for; none is said when it must be and is not.
    pub(super) fn signing_region(&self) -> Option<&str> {
        match (&self.region, &self.endpoint) {
            (Some(region), _) => Some(region),
            (None, Some(_)) => Some(REGION_OF_OTHERS),
            (None, None) => None,
        }
    }

    /// The endpoint as requests take it: with the bucket in it, if that is where it is named. What is wrong with it,
    /// otherwise.
    pub(super) fn request_endpoint(&self) -> Result<Option<String>, &'static str> {
        let Some(text) = &self.endpoint else {
            return Ok(None);
        };
        let uri: Uri = text
            .parse()
            .map_err(|_| "it is no URL; write https://HOST:PORT")?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("it has no scheme or no host; write https://HOST:PORT");
        };
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(
                "it holds more than scheme, host and port; a key belongs into AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY",
            );
        }
        let address: Option<IpAddr> = bare(authority.host()).parse().ok();
        let stays_here =
            authority.host() == "localhost" || address.is_some_and(|address| address.is_loopback());
        match scheme {
            "https" => {}
            "http" if self.allow_http || stays_here => {}
            "http" => {
                return Err(
                    "it is not encrypted, and files would pass other machines in the open; write \
                     https://, or set files.allow_http = true",
                );
            }
            _ => return Err("it begins with neither https:// nor http://"),
        }
        let path = uri.path().trim_end_matches('/');
        if self.path_style {
            return Ok(Some(format!("{scheme}://{authority}{path}")));
        }
        if address.is_some() {
            return Err(
                "an address has no room for the bucket's name; set files.path_style = true",
            );
        }
        let bucket = self.location.bucket();
        Ok(Some(format!("{scheme}://{bucket}.{authority}{path}")))
    }
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_bucket_and_maybe_a_prefix() {
        for (text, shown) in [
            ("s3://files", "s3://files"),
            ("s3://files/", "s3://files"),
            (
                "s3://my.files-1/checkflow/eu/",
                "s3://my.files-1/checkflow/eu",
            ),
        ] {
            assert_eq!(text.parse::<S3Location>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "files",
            "https://files",
            "s3://",
            "s3://ab",
            "s3://a b c",
            "s3://files//x",
            "s3://files/../x",
            "s3://files/a?b",
            "s3://files/ä",
        ] {
            assert!(text.parse::<S3Location>().is_err(), "{text:?}");
        }
    }

    fn at(
        endpoint: &str,
        path_style: bool,
        allow_http: bool,
    ) -> Result<Option<String>, &'static str> {
        let location = "s3://files".parse().unwrap();
        let options = S3Options {
            endpoint: Some(endpoint.to_owned()),
            path_style,
            allow_http,
            ..S3Options::new(location, S3Credentials::default())
        };
        options.request_endpoint()
    }

    #[test]
    fn an_endpoint_takes_the_bucket_into_its_host_when_told_to() {
        for (endpoint, path_style, expected) in [
            ("https://s3.example.com", true, "https://s3.example.com"),
            (
                "https://s3.example.com/",
                false,
                "https://files.s3.example.com",
            ),
            ("http://127.0.0.1:9000", true, "http://127.0.0.1:9000"),
            ("http://[::1]:9000", true, "http://[::1]:9000"),
            (
                "http://localhost:9000",
                false,
                "http://files.localhost:9000",
            ),
            (
                "https://x.example.com/storage/s3/",
                true,
                "https://x.example.com/storage/s3",
            ),
        ] {
            assert_eq!(at(endpoint, path_style, false).unwrap().unwrap(), expected);
        }
        assert!(at("http://s3.internal:9000", true, true).is_ok());
    }

    #[test]
    fn an_endpoint_that_cannot_be_meant_is_refused_with_what_to_do() {
        for (endpoint, path_style, said) in [
            ("s3.example.com", true, "https://HOST:PORT"),
            ("/tmp", true, "https://HOST:PORT"),
            ("ftp://s3.example.com", true, "neither https:// nor http://"),
            ("http://s3.internal:9000", true, "files.allow_http"),
            (
                "https://key:secret@s3.example.com",
                true,
                "AWS_ACCESS_KEY_ID",
            ),
            ("https://10.0.0.1:9000", false, "files.path_style"),
            ("https://[2001:db8::1]", false, "files.path_style"),
        ] {
            let refused = at(endpoint, path_style, false).unwrap_err();
            assert!(refused.contains(said), "{endpoint}: {refused}");
        }
    }

    #[test]
    fn credentials_are_never_shown() {
        let credentials = S3Credentials::from_variables(|name| Some(format!("{name}-value")));
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("value"), "{shown}");
        assert_eq!(credentials.each().count(), VARIABLES.len());
        assert_eq!(credentials.half(), None);
        let half = |set: &'static str| {
            let only = S3Credentials::from_variables(|name| (name == set).then(|| "x".to_owned()));
            only.half().map(|(_, missing)| missing)
        };
        assert_eq!(half("AWS_ACCESS_KEY_ID"), Some("AWS_SECRET_ACCESS_KEY"));
        assert_eq!(half("AWS_SECRET_ACCESS_KEY"), Some("AWS_ACCESS_KEY_ID"));
        assert_eq!(half("AWS_ROLE_ARN"), None);
    }
}
