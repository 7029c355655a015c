//! Taking a file: streamed from the connection into the file store, never held whole.

mod paced;

use std::{error::Error, pin::pin, sync::Mutex, time::Duration};

use app::{App, AppError, Caller, Upload};
use axum::{
    Json,
    body::Body,
    extract::{
        DefaultBodyLimit, FromRequest, Multipart, Request, State,
        multipart::{Field, MultipartError},
    },
};
use bytes::Bytes;
use domain::{FieldId, FileRow};
use futures_util::{
    future::{Either, select},
    stream,
};
use http::{HeaderMap, StatusCode, header};
use tokio::sync::mpsc;
use tower_http::timeout::{TimeoutBody, TimeoutError};
use utoipa::ToSchema;

use self::paced::{FileBegun, FormTooLong, paced};
use super::{Answer, CREATED_BY};
use crate::{Api, Code, ask::Ask, input::Input, instead::Instead, problem::Problem};

/// The field of the form that holds the file.
const FILE_FIELD: &str = "file";
/// Most fields before the file; they are skipped.
const FIELDS_BEFORE_MAX: usize = 20;
/// Bytes that a form may have before its file (a preamble, boundaries, heads, other fields), and
/// that it may have in all beside it.
const FORM_BYTES_MAX: u64 = 64 * 1024;
/// How long a caller is asked to wait when too many upload at once.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The form of an upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct UploadForm {
    /// The file, with its name and media type.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Upload a file
///
/// Into a File Upload control of a checklist. Tells the subscribers to `file_uploaded` once the
/// bytes are safe. `curl -F file=@scan.pdf` sends what is wanted.
#[utoipa::path(
    post,
    path = "/api/task/upload-file",
    tag = "Files",
    params(
        ("taskContentID" = i64, Query, description = "The control in its checklist, by its number."),
        ("createdByUserID" = Option<i64>, Query, description = "Who uploads it: the number of a member, or 0 for the API \
            key itself, as when it is left out."),
    ),
    request_body(content = UploadForm, content_type = "multipart/form-data", description = "The file."),
    responses((status = 200, description = "The file, as it is listed.", body = FileRow))
)]
pub(crate) async fn upload(State(api): State<Api>, request: Request) -> Answer<FileRow> {
    let (parts, body) = request.into_parts();
    let mut ask = Ask::of_parts(&parts, &api)?;
    let field = ask.input.need("taskContentID", Input::number);
    let member = ask.input.number(CREATED_BY);
    let field = FieldId::new(ask.input.all(field)?);
    let caller = ask.caller_for(CREATED_BY, member);
    let max = api.app.limits().file_bytes_max;
    announced(&parts.headers, max)?;
    let _permit = api
        .uploads
        .try_acquire()
        .map_err(|_| Problem::new(Code::Overloaded).retry_after(RETRY_AFTER))?;

    let body = Body::new(TimeoutBody::new(api.limits().body_idle_timeout, body));
    let begun = FileBegun::default();
    let mut request = Request::from_parts(parts, paced(body, begun.clone()));
    let form_max = usize::try_from(max.saturating_add(FORM_BYTES_MAX)).unwrap_or(usize::MAX);
    DefaultBodyLimit::max(form_max).apply(&mut request);
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|_| {
        let detail = "the body must be multipart/form-data with a field \"file\", as curl -F file=@scan.pdf sends it";
        Problem::new(Code::MediaTypeUnsupported).detail(detail)
    })?;
    for _ in 0..=FIELDS_BEFORE_MAX {
        let Some(file) = next(&mut form, max).await? else {
            return Err(no_file().into());
        };
        if is_file(&file) {
            // What comes after the file is never read.
            begun.tell();
            return store(&api.app, &caller, field, file).await.map(Json);
        }
    }
    Err(too_many_fields().into())
}

/// The next field of the form.
async fn next(form: &mut Multipart, max: u64) -> Result<Option<Field<'_>>, Problem> {
    let next = form.next_field().await;
    next.map_err(|error| unreadable(&error, max))
}

fn is_file(field: &Field<'_>) -> bool {
    let name = field.name();
    name.is_some_and(|name| name.eq_ignore_ascii_case(FILE_FIELD))
}

fn no_file() -> Problem {
    let detail =
        format!("the form has no field {FILE_FIELD:?}; curl -F {FILE_FIELD}=@scan.pdf sends one");
    Problem::new(Code::MalformedMultipart).detail(detail)
}

fn too_many_fields() -> Problem {
    let detail = format!(
        "the form has more than {FIELDS_BEFORE_MAX} fields before the file; send the field {FILE_FIELD:?} first"
    );
    Problem::new(Code::MalformedMultipart).detail(detail)
}

/// Refuses what says beforehand that it is too large, so that nobody sends it for nothing.
fn announced(headers: &HeaderMap, max: u64) -> Result<(), Problem> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let length: Option<u64> = length.and_then(|length| length.parse().ok());
    match length {
        Some(length) if length > max.saturating_add(FORM_BYTES_MAX) => Err(too_large(max)),
        _ => Ok(()),
    }
}

fn too_large(max: u64) -> Problem {
    let detail = AppError::FileTooLarge { max }.to_string();
    Problem::new(Code::FileTooLarge).detail(detail)
}

/// Hands the bytes on as they come. Whichever ends first decides: the use case, which may refuse
/// before a byte is read, or the connection.
async fn store(
    app: &App,
    caller: &Caller,
    field: FieldId,
    file: Field<'_>,
) -> Result<FileRow, Instead> {
    let upload = Upload {
        field,
        file_name: file.file_name().unwrap_or_default().to_owned(),
        media_type: file.content_type().unwrap_or_default().to_owned(),
    };
    let max = app.limits().file_bytes_max;
    let (sender, mut receiver) = mpsc::channel(1);
    let bytes = stream::poll_fn(move |context| receiver.poll_recv(context));
    let failure = Mutex::new(None);
    let storing = pin!(app.upload(caller, upload, bytes));
    let reading = pin!(pump(file, sender, &failure, max));
    let stored = match select(storing, reading).await {
        Either::Left((stored, _)) => stored,
        Either::Right(((), storing)) => storing.await,
    };
    let failure = failure.lock().ok().and_then(|mut failure| failure.take());
    stored.map_err(|error| match (error, failure) {
        // The use case knows that the bytes stopped; why they did is known here.
        (AppError::UploadInterrupted, Some(failure)) => failure.into(),
        (error, _) => error.into(),
    })
}

/// The bytes stopped coming.
#[derive(Debug, thiserror::Error)]
#[error("the upload ended early")]
struct Stopped;

async fn pump(
    mut file: Field<'_>,
    sender: mpsc::Sender<Result<Bytes, Stopped>>,
    failure: &Mutex<Option<Problem>>,
    max: u64,
) {
    loop {
        let chunk = match file.chunk().await {
            Ok(Some(chunk)) => Ok(chunk),
            Ok(None) => return,
            Err(error) => {
                if let Ok(mut failure) = failure.lock() {
                    *failure = Some(unreadable(&error, max).for_known_caller());
                }
                Err(Stopped)
            }
        };
        let last = chunk.is_err();
        if sender.send(chunk).await.is_err() || last {
            return;
        }
    }
}

/// Why a form could not be read on.
fn unreadable(error: &MultipartError, max: u64) -> Problem {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if cause.is::<TimeoutError>() {
            return Problem::new(Code::RequestTimeout);
        }
        if cause.is::<FormTooLong>() {
            let detail = format!("{cause}; send the field {FILE_FIELD:?} first");
            return Problem::new(Code::BodyTooLarge).detail(detail);
        }
        next = cause.source();
    }
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(max),
        StatusCode::BAD_REQUEST => {
            let detail = format!("the form can't be read: {}", error.body_text());
            Problem::new(Code::MalformedMultipart).detail(detail)
        }
        _ => Problem::new(Code::UploadInterrupted),
    }
}
