//! What is answered instead of doing what was asked.

use app::AppError;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, header};

use crate::problem::Problem;

/// Says of an answer that it was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What is answered instead of doing what was asked.
#[derive(Debug)]
pub(crate) enum Instead {
    /// It can't be done.
    Problem(Problem),
    /// It was done before, under the same `Idempotency-Key`; this was answered.
    Answered(Vec<u8>),
}

impl From<Problem> for Instead {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<AppError> for Instead {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Answered(answer) => Self::Answered(answer),
            error => Self::Problem(error.into()),
        }
    }
}

impl IntoResponse for Instead {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Answered(answer) => {
                let kind = HeaderValue::from_static("application/json");
                let replayed = HeaderValue::from_static("true");
                let headers = [(header::CONTENT_TYPE, kind), (REPLAYED, replayed)];
                (headers, answer).into_response()
            }
        }
    }
}
