//! The server behind a receiver.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    header::CONNECTION,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, Interval, interval, sleep},
};

use super::{
    book::{Answering, Book, Received},
    reply::{Gate, Kind, Reply},
    wire::{Instead, Wire},
};

/// Most bytes of a request that are taken.
const REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of one piece of an endless body.
const CHUNK_BYTES: usize = 16 * 1024;
/// How often a dripping body drips. Time passes here because time is what it is about.
const DRIP_EVERY: Duration = Duration::from_millis(10);

/// Serves connections until it is aborted, which cuts them as well.
pub(super) async fn accept(listener: TcpListener, book: Book) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Too many open files, say; the next one may do better.
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(serve(stream, book.clone(), book.connect()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, book: Book, connection: usize) {
    // Answers are small; without this each would wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let instead = Instead::default();
    let wire = TokioIo::new(Wire::new(stream, instead.clone()));
    let service = service_fn(|request| answer(request, book.clone(), connection, instead.clone()));
    // How a connection ends is what the test looks at from the other side.
    let _ = http1::Builder::new().serve_connection(wire, service).await;
}

async fn answer(
    request: Request<Incoming>,
    book: Book,
    connection: usize,
    instead: Instead,
) -> io::Result<Response<Answer>> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, REQUEST_BYTES_MAX)
        .collect()
        .await
        .map_err(io::Error::other)?;
    let headers = parts.headers.clone();
    let (mut reply, answering) = book.receive(Received {
        number: 0,
        connection,
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body: body.to_bytes(),
        arrived: Instant::now(),
    });
    if let Some(name) = reply.echoed.take()
        && let Some(value) = headers.get(&name)
    {
        let value = String::from_utf8_lossy(value.as_bytes());
        reply.headers.push((name, value.into_owned()));
    }
    if let Some(gate) = &reply.after {
        gate.pass().await;
    }
    if !reply.takes.is_zero() {
        sleep(reply.takes).await;
    }
    response(reply, answering, &instead)
}

fn response(reply: Reply, answering: Answering, instead: &Instead) -> io::Result<Response<Answer>> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let content = match reply.kind {
        Kind::Body(body) => Content::Whole(Some(body)),
        Kind::Endless => Content::Endless,
        Kind::Drip(gate) => Content::Drip(interval(DRIP_EVERY), gate),
        // Hyper closes a connection whose service fails, without an answer.
        Kind::Close => return Err(io::Error::other("the test wants it closed")),
        Kind::Raw(bytes) => {
            instead.send(bytes);
            response = response.header(CONNECTION, "close");
            Content::Whole(None)
        }
    };
    response
        .body(Answer {
            content,
            _answering: answering,
        })
        .map_err(io::Error::other)
}

/// The body of an answer. The request counts as being answered until it is gone.
struct Answer {
    content: Content,
    _answering: Answering,
}

enum Content {
    Whole(Option<Bytes>),
    Endless,
    Drip(Interval, Gate),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match &mut self.content {
            Content::Whole(body) => body.take().filter(|body| !body.is_empty()),
            Content::Endless => Some(Bytes::from_static(&[b'x'; CHUNK_BYTES])),
            Content::Drip(_, gate) if gate.is_open() => None,
            Content::Drip(interval, _) => {
                ready!(interval.poll_tick(context));
                Some(Bytes::from_static(b"."))
            }
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    // Known lengths are told, so that a plain answer is not sent in chunks.
    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(body) => {
                let bytes = body.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(bytes).unwrap_or(u64::MAX))
            }
            Content::Endless | Content::Drip(..) => SizeHint::default(),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(body) if body.as_ref().is_none_or(Bytes::is_empty))
    }
}
