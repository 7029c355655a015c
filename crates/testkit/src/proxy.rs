//! What stands between two ends of a connection and fails them when told to.

use std::{io, net::SocketAddr};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// How the way through is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    Cut,
    Silent,
}

/// A proxy for the length of a test. It ends, and all its connections with it, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of loopback and passes on what comes to `target`, both ways.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a port of the loopback interface");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let way = watch::Sender::new(Way::Open);
        let accepting = tokio::spawn(accept(listener, target, way.subscribe()));
        Self {
            address,
            way,
            accepting,
        }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets every connection, and every new one at once.
    pub fn cut(&self) {
        self.way.send_replace(Way::Cut);
    }

    /// Passes nothing on any more and says nothing of it: connections stay up, new ones are taken, and what is
    /// sent goes nowhere. Those that meet this come to nothing for good, as those do of which a firewall has
    /// lost the memory.
    pub fn silence(&self) {
        self.way.send_replace(Way::Silent);
    }

    /// Passes on what comes by connections that are new from now on.
    pub fn mend(&self) {
        self.way.send_replace(Way::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, way: watch::Receiver<Way>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((near, _)) = accepted else { continue };
                connections.spawn(serve(near, target, way.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut near: TcpStream, target: SocketAddr, mut way: watch::Receiver<Way>) {
    let mut far = None;
    if *way.borrow_and_update() == Way::Open {
        let Ok(mut found) = TcpStream::connect(target).await else {
            // Its own end would be told that nobody is there.
            let _ = reset(&near);
            return;
        };
        let _ = (near.set_nodelay(true), found.set_nodelay(true));
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut found) => return,
            _ = way.wait_for(|way| *way != Way::Open) => {}
        }
        far = Some(found);
    }
    // Whoever is silent once is silent for good.
    let _ = way.wait_for(|way| *way == Way::Cut).await;
    let _ = reset(&near);
    if let Some(far) = &far {
        let _ = reset(far);
    }
}

/// Has the other end told, once the stream is dropped, that the connection is no more.
fn reset(stream: &TcpStream) -> io::Result<()> {
    stream.set_zero_linger()
}
