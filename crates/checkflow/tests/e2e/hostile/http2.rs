//! A receiver by HTTP/2 that goes away all the time, as one does that is often brought up anew.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use testkit::PATIENCE;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::certificates::{Authority, of, scene};

/// Requests that a connection takes.
const EACH: usize = 4;
const EVENTS: usize = 20;

/// What of a request is looked at, and on which connection it came; none once that one has ended.
type Told = (usize, Option<Request<()>>);

/// Takes so many requests of each connection, says that no more are taken, and answers those.
fn receiver(authority: &Authority) -> (SocketAddr, mpsc::UnboundedReceiver<Told>) {
    let mut config = authority.config(of("localhost"));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, tell) = (acceptor.clone(), tell.clone());
            tokio::spawn(async move {
                // How a connection ends is its peer's business; nobody may be left to hear that it has.
                let _ = serve(stream, acceptor, number, &tell).await;
                let _ = tell.send((number, None));
            });
        }
    });
    (address, told)
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    number: usize,
    tell: &mpsc::UnboundedSender<Told>,
) -> io::Result<()> {
    let stream = acceptor.accept(stream).await?;
    let connection = h2::server::handshake(stream).await;
    let mut connection = connection.map_err(io::Error::other)?;
    let mut taken = 0;
    while let Some(request) = connection.accept().await {
        let (request, mut respond) = request.map_err(io::Error::other)?;
        taken += 1;
        if taken == EACH {
            connection.graceful_shutdown();
        }
        tell.send((number, Some(request.map(|_| ())))).unwrap();
        let answer = respond.send_response(Response::new(()), false);
        let mut answer = answer.map_err(io::Error::other)?;
        let body = Bytes::from_static(b"ok");
        answer.send_data(body, true).map_err(io::Error::other)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_receiver_by_http_2_that_goes_away_again_and_again_gets_every_webhook_once() {
    let authority = Authority::new("Trusted");
    // Whatever fails once is exhausted.
    let scene = scene(&authority).await;
    let (address, mut told) = receiver(&authority);
    let template = scene.client.template().await;
    let key = template["templateKey"].as_str().unwrap();
    let wish = format!("templateKey={key}&httpVersion=2");
    let target = format!("https://localhost:{}/hook", address.port());
    let made = scene
        .client
        .subscribe("new_checklist", &wish, &target)
        .await;
    assert_eq!(made["httpVersion"], "2");
    let (mut ids, mut connections, mut ended) = (Vec::new(), 0, 0);
    for wanted in [EVENTS / 2, EVENTS] {
        for number in ids.len()..wanted {
            let name = format!("Month-{number}");
            scene.client.checklist(&template, &name).await;
        }
        // The second half begins once a connection has ended, so that it needs another.
        while ids.len() < wanted || ended == 0 {
            let next = timeout(PATIENCE, told.recv()).await;
            let (connection, request) = next.expect("every webhook comes").unwrap();
            connections = connections.max(connection + 1);
            let Some(request) = request else {
                ended += 1;
                continue;
            };
            assert_eq!(request.version(), http::Version::HTTP_2);
            let id = request.headers()["webhook-id"].to_str().unwrap().to_owned();
            assert!(!ids.contains(&id), "{id} came twice");
            ids.push(id);
        }
    }
    // Those that were under way when a connection said so were still taken on it.
    assert!((2..=EVENTS / EACH).contains(&connections), "{connections}");
    scene.server.stop().await;
    while let Ok((_, request)) = told.try_recv() {
        assert!(request.is_none(), "nothing more comes");
    }
}
