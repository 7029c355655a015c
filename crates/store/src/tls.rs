//! How this machine knows whom it speaks to.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// What this machine trusts: its own store, or the file that `SSL_CERT_FILE` names.
pub(crate) fn trusting_this_machine() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    trusting(roots)
}

/// What trusts these authorities and no others.
pub(crate) fn trusting(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring's provider has the cipher suites of the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
