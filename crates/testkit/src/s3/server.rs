//! The server behind the store.

use std::{
    convert::Infallible,
    error::Error,
    future::pending,
    net::TcpListener,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tokio::{runtime::Builder, sync::oneshot, task::JoinSet};

use super::{ACCESS_KEY, Seen, fault::S3Fault};

type BoxError = Box<dyn Error + Send + Sync>;
type Answer = UnsyncBoxBody<Bytes, BoxError>;

/// Serves until `stopped`, and cuts what is open then.
pub(super) fn run(listener: TcpListener, root: &Path, seen: &Seen, stopped: oneshot::Receiver<()>) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime for the store");
    let store = s3s_fs::FileSystem::new(root).expect("a folder for the store");
    let mut builder = S3ServiceBuilder::new(store);
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY.0, ACCESS_KEY.1));
    let service = builder.build();
    runtime.block_on(async {
        tokio::select! {
            () = accept(listener, &service, seen) => {}
            _ = stopped => {}
        }
    });
    runtime.shutdown_background();
}

async fn accept(listener: TcpListener, service: &S3Service, seen: &Seen) {
    listener
        .set_nonblocking(true)
        .expect("a listener that does not block");
    let listener =
        tokio::net::TcpListener::from_std(listener).expect("a listener of the runtime's");
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let (service, seen) = (service.clone(), seen.clone());
                connections.spawn(async move {
                    let serve = service_fn(|request| answer(request, service.clone(), seen.clone()));
                    let connection = http1::Builder::new();
                    // How a connection ends is what the test looks at from the other side.
                    let _ = connection.serve_connection(TokioIo::new(stream), serve).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    service: S3Service,
    seen: Seen,
) -> Result<Response<Answer>, BoxError> {
    seen.note(format!("{} {}", request.method(), request.uri()));
    let fault = seen.script.take(request.method(), request.uri());
    match fault {
        Some(S3Fault::Answer(status)) => {
            let _ = request.into_body().collect().await;
            let body = Empty::new().map_err(|never: Infallible| match never {});
            return Ok(Response::builder()
                .status(status)
                .body(body.boxed_unsync())?);
        }
        Some(S3Fault::Silence) => {
            let _ = request.into_body().collect().await;
            return pending().await;
        }
        Some(S3Fault::CutRequest(bytes)) => {
            let _taken = read(request.into_body(), bytes).await;
            return Err("the test wants it cut".into());
        }
        Some(S3Fault::StallRequest(bytes)) => {
            let _taken = read(request.into_body(), bytes).await;
            return pending().await;
        }
        _ => {}
    }
    let answered = service.call(request.map(s3s::Body::from)).await;
    let answered = answered.map_err(|error| format!("{error:?}"))?;
    let limit = match fault {
        Some(S3Fault::LoseAnswer) => return Err("the test wants it lost".into()),
        Some(S3Fault::CutAnswer(bytes)) => Some((bytes, true)),
        Some(S3Fault::StallAnswer(bytes)) => Some((bytes, false)),
        _ => None,
    };
    Ok(answered.map(|body| match limit {
        None => body.boxed_unsync(),
        Some((left, cuts)) => Cut { body, left, cuts }.boxed_unsync(),
    }))
}

/// Takes `bytes` of a body, or all there are. What is left comes back unread.
async fn read(mut body: Incoming, bytes: usize) -> Incoming {
    let mut taken = 0;
    while taken < bytes {
        let Some(Ok(frame)) = body.frame().await else {
            break;
        };
        taken += frame.data_ref().map_or(0, Bytes::len);
    }
    body
}

/// A body of which only the beginning comes.
struct Cut {
    body: s3s::Body,
    left: usize,
    cuts: bool,
}

impl Body for Cut {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left == 0 {
            return if self.cuts {
                Poll::Ready(Some(Err("the test wants it cut".into())))
            } else {
                Poll::Pending
            };
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        polled.map_ok(|frame| {
            let Ok(mut data) = frame.into_data() else {
                return Frame::data(Bytes::new());
            };
            data.truncate(self.left);
            self.left -= data.len();
            Frame::data(data)
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
