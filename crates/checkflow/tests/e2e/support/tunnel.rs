//! A forward proxy that makes tunnels.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A proxy on loopback that leads each tunnel to the asked port of loopback. It takes no new ones once it is dropped.
pub(crate) struct Tunnels {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    listening: JoinHandle<()>,
}

impl Tunnels {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let book = asked.clone();
        let listening = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let book = book.clone();
                // A tunnel that breaks is seen by those at its ends.
                tokio::spawn(async move { tunnel(stream, &book).await.ok() });
            }
        });
        Self {
            address,
            asked,
            listening,
        }
    }

    /// What tunnels were asked for, each as it was written.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Tunnels {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn tunnel(stream: TcpStream, book: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let asked = head.strip_prefix("CONNECT ").unwrap_or(&head);
    let asked = asked.split(' ').next().unwrap_or_default().to_owned();
    let port = asked.rsplit(':').next().and_then(|port| port.parse().ok());
    book.lock().unwrap().push(asked);
    let port: u16 = port.ok_or(std::io::ErrorKind::InvalidData)?;
    let mut to = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    copy_bidirectional(&mut stream, &mut to).await.map(drop)
}
