//! What certificates say of themselves, read when they are set. Whether one is trusted is for TLS to judge, when it is
//! used.
//!
//! What this can't read, though TLS can, is not held against anybody: there are certificates that bend the rules.

use domain::Timestamp;
use rustls::{pki_types::CertificateDer, server::ParsedCertificate};
use x509_cert::{Certificate, Version, der::Decode as _, ext::pkix::BasicConstraints, time::Time};

/// A certificate, if it can be read.
pub(super) fn read(der: &CertificateDer<'_>) -> Option<Certificate> {
    Certificate::from_der(der).ok()
}

/// From when until when it is good.
pub(super) fn validity(of: &Certificate) -> (Timestamp, Timestamp) {
    let validity = &of.tbs_certificate.validity;
    (moment(validity.not_before), moment(validity.not_after))
}

fn moment(time: Time) -> Timestamp {
    Timestamp::default().after(time.to_unix_duration())
}

/// Whether it is neither an authority nor its own, so that nothing could be known by it.
pub(super) fn is_leaf(of: &Certificate) -> bool {
    let of = &of.tbs_certificate;
    let constraints = of.get::<BasicConstraints>();
    let is_authority = constraints.is_ok_and(|found| found.is_some_and(|(_, found)| found.ca));
    // Before version 3 no certificate could say that it is an authority.
    of.version == Version::V3 && !is_authority && of.subject != of.issuer
}

/// The first of a chain, behind its own certificate, that is none or has issued no other in it, counted from 1.
pub(super) fn stray(chain: &[CertificateDer<'_>]) -> Option<usize> {
    let read: Vec<_> = chain.iter().map(read).collect();
    let rest = read.iter().enumerate().skip(1);
    let mut strays = rest.filter(|(index, one)| match one {
        None => ParsedCertificate::try_from(&chain[*index]).is_err(),
        Some(one) => {
            let mut others = read.iter().enumerate().filter(|(other, _)| other != index);
            !others.any(|(_, other)| {
                let issuer = other.as_ref().map(|other| &other.tbs_certificate.issuer);
                issuer.is_none_or(|issuer| *issuer == one.tbs_certificate.subject)
            })
        }
    });
    strays.next().map(|(index, _)| index + 1)
}
