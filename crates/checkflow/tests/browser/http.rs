//! One HTTP request and its answer, blocking, so that what a test started can also be stopped from
//! `Drop`. Enough for chromedriver and for the API; no redirects, no chunks.

use std::{
    io::{self, BufRead as _, BufReader, Error, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;
use testkit::PATIENCE;

/// Larger than any answer a test expects; a picture of the page is the largest.
const BODY_BYTES_MAX: usize = 64 << 20;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Asks `address` with these further header lines and a JSON body, or (null) with none.
pub(crate) fn ask(
    address: SocketAddr,
    request: &str,
    headers: &str,
    body: &Value,
) -> io::Result<Answer> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let head = format!(
        "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    // Twice the patience: the driver waits for elements itself and is to say that there was none.
    stream.set_read_timeout(Some(PATIENCE * 2))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    (&stream).write_all(head.as_bytes())?;
    (&stream).write_all(body.as_bytes())?;
    read(BufReader::new(stream))
}

fn read(mut stream: BufReader<TcpStream>) -> io::Result<Answer> {
    let wrong = |what: &str| Error::other(format!("not an answer: {what:?}"));
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|text| text.parse().ok());
    let status = status.ok_or_else(|| wrong(&line))?;
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().map_err(|_| wrong(&line))?;
        }
    }
    if length > BODY_BYTES_MAX {
        return Err(wrong(&format!("{length} bytes")));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Answer {
        status,
        body: serde_json::from_slice(&body)?,
    })
}
