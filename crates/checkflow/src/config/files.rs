//! Where uploaded files are kept.

use std::env;

use anyhow::{anyhow, bail};
use serde::{Deserialize, Serialize};
use store::{S3Credentials, S3Location, S3Options};

use super::Origin;

/// Where uploaded files are kept. The key that opens a bucket is no setting: it comes from where programs that
/// use S3 look for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Files {
    /// Empty: the data folder.
    pub(crate) store: String,
    /// Empty: Amazon.
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) path_style: bool,
    pub(crate) allow_http: bool,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            store: String::new(),
            endpoint: String::new(),
            region: String::new(),
            path_style: true,
            allow_http: false,
        }
    }
}

impl Files {
    /// The bucket, if files are in one.
    pub(super) fn bucket(&self, origin: &Origin) -> anyhow::Result<Option<S3Options>> {
        self.bucket_with(origin, |name| env::var(name).ok())
    }

    /// The same, with what else is needed from `variable`.
    fn bucket_with(
        &self,
        origin: &Origin,
        variable: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Option<S3Options>> {
        if self.store.is_empty() {
            for (key, value) in [("endpoint", &self.endpoint), ("region", &self.region)] {
                if !value.is_empty() {
                    let key = format!("files.{key}");
                    let from = origin.of(&key);
                    bail!("{from}{key}: it tells of a bucket; say which one in files.store");
                }
            }
            return Ok(None);
        }
        let location: Result<S3Location, _> = self.store.parse();
        let location = location
            .map_err(|error| anyhow!("{}files.store: {error}", origin.of("files.store")))?;
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let or = |key: &str, names: [&str; 2]| {
            let said = Some(key.to_owned()).filter(|key| !key.is_empty());
            said.or_else(|| names.into_iter().find_map(set))
        };
        Ok(Some(S3Options {
            endpoint: or(&self.endpoint, ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]),
            region: or(&self.region, ["AWS_REGION", "AWS_DEFAULT_REGION"]),
            path_style: self.path_style,
            allow_http: self.allow_http,
            ..S3Options::new(location, S3Credentials::from_variables(&variable))
        }))
    }
}

#[cfg(test)]
mod tests {
    use figment::Figment;

    use super::*;

    fn bucket(files: &Files, variables: &[(&str, &str)]) -> Result<Option<S3Options>, String> {
        let origin = Origin {
            figment: Figment::new(),
            said: Vec::new(),
        };
        let variable = |name: &str| {
            let set = variables.iter().find(|(set, _)| *set == name);
            set.map(|(_, value)| (*value).to_owned())
        };
        let bucket = files.bucket_with(&origin, variable);
        bucket.map_err(|error| error.to_string())
    }

    fn files(store: &str, endpoint: &str, region: &str) -> Files {
        Files {
            store: store.to_owned(),
            endpoint: endpoint.to_owned(),
            region: region.to_owned(),
            ..Files::default()
        }
    }

    #[test]
    fn files_are_in_the_folder_unless_a_bucket_is_named() {
        let variables = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", "https://s3.example.com"),
        ];
        assert!(bucket(&Files::default(), &variables).unwrap().is_none());
        let found = bucket(&files("s3://files/a", "", ""), &variables)
            .unwrap()
            .unwrap();
        assert_eq!(found.location.to_string(), "s3://files/a");
        assert_eq!(found.endpoint.as_deref(), Some("https://s3.example.com"));
        assert_eq!(found.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn what_is_said_here_wins_over_what_other_programs_use_too() {
        let variables = [
            ("AWS_REGION", ""),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL_S3", "https://one.example.com"),
            ("AWS_ENDPOINT_URL", "https://two.example.com"),
        ];
        let found = bucket(&files("s3://files", "", ""), &variables)
            .unwrap()
            .unwrap();
        assert_eq!(found.endpoint.as_deref(), Some("https://one.example.com"));
        assert_eq!(found.region.as_deref(), Some("eu-west-1"));
        let said = files("s3://files", "https://three.example.com", "us-east-2");
        let found = bucket(&said, &variables).unwrap().unwrap();
        assert_eq!(found.endpoint.as_deref(), Some("https://three.example.com"));
        assert_eq!(found.region.as_deref(), Some("us-east-2"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key() {
        for (files, said) in [
            (
                files("/mnt/files", "", ""),
                "files.store: it reads s3://BUCKET",
            ),
            (
                files("", "https://s3.example.com", ""),
                "files.endpoint: it tells of a bucket",
            ),
            (
                files("", "", "eu-west-1"),
                "files.region: it tells of a bucket",
            ),
        ] {
            let refused = bucket(&files, &[]).unwrap_err();
            assert!(refused.starts_with(said), "{refused}");
        }
    }
}
