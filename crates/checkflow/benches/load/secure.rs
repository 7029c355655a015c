//! The receiver's side with TLS, by HTTP/1.1 and HTTP/2: what `flight` compares with requests in the open.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use h2::{RecvStream, server::SendResponse};
use http::{Request, Response, StatusCode};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use super::sink::{Shared, serve, webhook};

/// Where https is spoken, and by which authority.
pub(crate) struct Secure {
    pub(crate) address: SocketAddr,
    roots: PathBuf,
    _folder: TempDir,
}

impl Secure {
    /// One that takes connections for as long as what it answers is awaited.
    pub(crate) async fn start(
        shared: Arc<Shared>,
    ) -> anyhow::Result<(Self, impl Future<Output = ()> + Send)> {
        let folder = TempDir::new().context("a folder for the authority")?;
        let roots = folder.path().join("roots.pem");
        let acceptor = acceptor(&roots)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = async move {
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    let (acceptor, shared) = (acceptor.clone(), shared.clone());
                    tokio::spawn(async move { greet(stream, acceptor, shared).await });
                }
            }
        };
        let secure = Self {
            address,
            roots,
            _folder: folder,
        };
        Ok((secure, accepting))
    }

    pub(crate) fn roots(&self) -> &Path {
        &self.roots
    }
}

/// What proves this machine's address, by an authority whose certificate is written to `roots`.
fn acceptor(roots: &Path) -> anyhow::Result<TlsAcceptor> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key)?;
    let text = BASE64_STANDARD.encode(authority.der());
    let text = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    std::fs::write(roots, text)?;
    let own = KeyPair::generate()?;
    let params = CertificateParams::new([Ipv4Addr::LOCALHOST.to_string()])?;
    let leaf = params.signed_by(&own, &authority, &key)?;
    let own = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.serialize_der()));
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    let builder = builder.with_no_client_auth();
    let mut config = builder.with_single_cert(vec![leaf.der().clone()], own)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn greet(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return serve(stream, &shared).await;
    }
    let connection = h2::server::handshake(stream).await;
    let mut connection = connection.map_err(io::Error::other)?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request.map_err(io::Error::other)?;
        let shared = shared.clone();
        // One that is broken off has not arrived.
        tokio::spawn(async move { answer(request, respond, &shared).await });
    }
    Ok(())
}

async fn answer(
    mut request: Request<RecvStream>,
    mut respond: SendResponse<bytes::Bytes>,
    shared: &Shared,
) -> Result<(), h2::Error> {
    let mut body = Vec::new();
    while let Some(data) = request.body_mut().data().await {
        let data = data?;
        request
            .body_mut()
            .flow_control()
            .release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    let path = request.uri().path().trim_start_matches('/');
    let given_up = async {
        // Whatever the reason is.
        let _ = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
    };
    let status = match shared.take(webhook(path, &body), given_up).await {
        Some(true) => StatusCode::OK,
        Some(false) => StatusCode::BAD_REQUEST,
        None => return Ok(()),
    };
    let mut head = Response::new(());
    *head.status_mut() = status;
    respond.send_response(head, true)?;
    Ok(())
}
