//! Opening a bucket: what stands in the way is told at once, in one line that says what to do.

use std::{error::Error, sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use object_store::{
    BackoffConfig, ObjectStore as _, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
    path::Path as Name,
};

use super::{Bucket, S3Limits, S3Options, Trouble, http::Http};
use crate::error::reason;
use crate::tls::trusting_this_machine;

/// The first wait before a request is sent again, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Why the files are not to be got at.
#[derive(Debug, thiserror::Error)]
#[error("the files in {location} can't be used: {advice}")]
pub struct S3Error {
    location: String,
    advice: String,
}

/// Opens the bucket and looks into it; `below` is where nothing is.
pub(in crate::files) async fn open(options: &S3Options, below: &Name) -> Result<Bucket, S3Error> {
    let fail = |advice| S3Error {
        location: options.location.to_string(),
        advice,
    };
    let s3 = build(options).map_err(fail)?;
    // Looking for what is not there asks for the bucket, the key, and the right to list, without which
    // nothing could be swept.
    match s3.list(Some(below)).try_next().await {
        Ok(_) => Ok(Bucket::new(s3, options.clone())),
        Err(error) => Err(fail(advice(options, &error))),
    }
}

fn build(options: &S3Options) -> Result<AmazonS3, String> {
    if let Some((set, missing)) = options.credentials.half() {
        return Err(format!("{set} is set and {missing} is not; set both"));
    }
    let region = options.signing_region().ok_or(
        "it is not said in which region of Amazon's the bucket is; set files.region or AWS_REGION (or \
         files.endpoint, for another store than Amazon's)",
    )?;
    let endpoint = options
        .request_endpoint()
        .map_err(|why| format!("files.endpoint: {why}"))?;
    let http = Http {
        limits: options.limits,
        tls: Arc::new(trusting_this_machine()),
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(options.location.bucket())
        .with_region(region)
        .with_virtual_hosted_style_request(!options.path_style)
        // One at a time: not every store takes many at once.
        .with_disable_bulk_delete(true)
        .with_allow_http(true)
        .with_retry(retries(options.limits))
        .with_http_connector(http);
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    for (key, value) in options.credentials.each() {
        builder = builder.with_config(key, value);
    }
    builder.build().map_err(|error| reason(&error))
}

fn retries(limits: S3Limits) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: BACKOFF.0,
            max_backoff: BACKOFF.1,
            base: 2.0,
        },
        max_retries: limits.retries_max,
        retry_timeout: limits.retry_time,
    }
}

/// What to do about `error`.
pub(super) fn advice(options: &S3Options, error: &(dyn Error + 'static)) -> String {
    let Some(trouble) = Trouble::of(error) else {
        return match error.downcast_ref() {
            Some(object_store::Error::NotFound { .. }) => no_bucket(options),
            _ => reason(error),
        };
    };
    if is_of_credentials(options, trouble) {
        return format!(
            "{trouble}, which was asked for an access key; set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or give this machine a role that may use the bucket"
        );
    }
    let Trouble::Answered {
        status,
        code,
        region,
        ..
    } = trouble
    else {
        return format!("{trouble}; check files.endpoint and files.region, and the way there");
    };
    match (&**code, region) {
        ("NoSuchBucket", _) => no_bucket(options),
        ("InvalidAccessKeyId" | "NotSignedUp", _) => {
            format!("{trouble}: it does not know the key in AWS_ACCESS_KEY_ID")
        }
        ("SignatureDoesNotMatch", _) => format!(
            "{trouble}: AWS_SECRET_ACCESS_KEY is not the secret of the key in AWS_ACCESS_KEY_ID"
        ),
        ("RequestTimeTooSkewed", _) => format!("{trouble}: set the clock of this machine right"),
        ("ExpiredToken" | "InvalidToken", _) => {
            format!("{trouble}: renew AWS_SESSION_TOKEN and the key that came with it")
        }
        (_, Some(region)) if Some(&**region) != options.signing_region() => {
            format!("{trouble}: the bucket is in another region; set files.region = {region:?}")
        }
        ("AuthorizationHeaderMalformed" | "IncorrectEndpoint", _) => {
            format!(
                "{trouble}: the bucket is in another region; name it in files.region or AWS_REGION"
            )
        }
        _ if status.as_u16() == 403 || status.as_u16() == 401 => format!(
            "{trouble}: the key needs s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject, \
             s3:DeleteObject and s3:AbortMultipartUpload on what is in it"
        ),
        _ if status.is_redirection() => format!(
            "{trouble}: the bucket is elsewhere; check files.endpoint, files.region and files.path_style"
        ),
        _ => format!("{trouble}; check files.endpoint, files.region and files.path_style"),
    }
}

fn no_bucket(options: &S3Options) -> String {
    let bucket = options.location.bucket();
    format!("there is no bucket {bucket}; make it, or correct its name or files.endpoint")
}

/// Whether the trouble is with whoever gives keys, not with the store.
fn is_of_credentials(options: &S3Options, trouble: &Trouble) -> bool {
    let has_key = |(key, _)| key == AmazonS3ConfigKey::AccessKeyId;
    if options.credentials.each().any(has_key) {
        return false;
    }
    let of_store = match options.request_endpoint() {
        Ok(Some(endpoint)) => endpoint.contains(trouble.host()),
        _ => trouble.host().contains("s3."),
    };
    !of_store
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::{S3Credentials, S3Location};

    fn options(variables: &[&str]) -> S3Options {
        let location: S3Location = "s3://files/a".parse().unwrap();
        let set = |name: &str| variables.contains(&name).then(|| "x".to_owned());
        S3Options::new(location, S3Credentials::from_variables(set))
    }

    const KEY: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

    async fn told(options: &S3Options) -> String {
        let opened = open(options, &Name::from("nothing")).await;
        opened.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn what_is_missing_is_said_before_anybody_is_asked() {
        let told = async |change: &dyn Fn(&mut S3Options), variables: &[&str]| {
            let mut options = options(variables);
            change(&mut options);
            told(&options).await
        };
        let said = told(&|_| (), &KEY).await;
        assert!(
            said.starts_with("the files in s3://files/a can't be used: "),
            "{said}"
        );
        assert!(said.contains("set files.region or AWS_REGION"), "{said}");
        let said = told(&|o| o.endpoint = Some("nowhere".into()), &KEY).await;
        assert!(said.contains("files.endpoint: it has no scheme"), "{said}");
        let said = told(&|o| o.region = Some("eu-west-1".into()), &KEY[..1]).await;
        assert!(
            said.contains("AWS_SECRET_ACCESS_KEY is not; set both"),
            "{said}"
        );
    }

    #[test]
    fn each_refusal_of_the_store_says_what_to_do() {
        let check = |status: u16, code: &str, region: Option<&str>, expected: &str| {
            let mut options = options(&KEY);
            options.region = Some("eu-west-1".to_owned());
            let trouble = Trouble::Answered {
                host: "s3.eu-west-1.amazonaws.com".to_owned(),
                status: StatusCode::from_u16(status).unwrap(),
                code: code.to_owned(),
                region: region.map(str::to_owned),
            };
            let error = object_store::Error::Generic {
                store: "S3",
                source: trouble.into(),
            };
            let said = advice(&options, &error);
            assert!(said.contains(expected), "{status} {code}: {said}");
        };
        check(
            404,
            "NoSuchBucket",
            None,
            "there is no bucket files; make it",
        );
        check(
            403,
            "InvalidAccessKeyId",
            None,
            "does not know the key in AWS_ACCESS_KEY_ID",
        );
        check(
            403,
            "SignatureDoesNotMatch",
            None,
            "is not the secret of the key",
        );
        check(403, "RequestTimeTooSkewed", None, "set the clock");
        check(400, "ExpiredToken", None, "renew AWS_SESSION_TOKEN");
        check(403, "AccessDenied", None, "s3:ListBucket");
        check(403, "", Some("eu-west-1"), "s3:ListBucket");
        check(
            301,
            "PermanentRedirect",
            Some("us-west-2"),
            r#"set files.region = "us-west-2""#,
        );
        check(
            400,
            "AuthorizationHeaderMalformed",
            None,
            "name it in files.region",
        );
        check(307, "TemporaryRedirect", None, "the bucket is elsewhere");
        check(503, "SlowDown", None, "check files.endpoint");
    }

    #[test]
    fn trouble_with_the_giver_of_keys_is_not_taken_for_the_stores() {
        let check = |variables: &[&str], host: &str, expected: bool| {
            let mut options = options(variables);
            options.region = Some("eu-west-1".to_owned());
            let trouble = Trouble::Unreachable {
                host: host.to_owned(),
                why: "refused".to_owned(),
            };
            assert_eq!(is_of_credentials(&options, &trouble), expected, "{host}");
        };
        check(&[], "169.254.169.254", true);
        check(&[], "s3.eu-west-1.amazonaws.com", false);
        check(
            &["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"],
            "sts.eu-west-1.amazonaws.com",
            true,
        );
        check(&KEY, "169.254.169.254", false);
    }
}
