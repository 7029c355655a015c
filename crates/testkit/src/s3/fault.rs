//! How the store misbehaves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::{Method, Uri};

/// What the store does to a request in place of serving it soundly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Fault {
    /// Takes it and answers with this status.
    Answer(u16),
    /// Takes it and never answers.
    Silence,
    /// Takes so many bytes of its body and cuts the connection.
    CutRequest(usize),
    /// Takes so many bytes of its body and none after that.
    StallRequest(usize),
    /// Serves it, sends so many bytes of the answer's body and cuts the connection.
    CutAnswer(usize),
    /// Serves it, and sends so many bytes of the answer's body and none after that.
    StallAnswer(usize),
    /// Serves it and cuts the connection in place of the answer.
    LoseAnswer,
}

/// What is to be done to which request.
#[derive(Clone, Debug, Default)]
pub(super) struct Script(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    next: Vec<(Method, String, S3Fault)>,
    always: Option<S3Fault>,
}

impl Script {
    pub(super) fn add(
        &self,
        method: &Method,
        part: &str,
        faults: impl IntoIterator<Item = S3Fault>,
    ) {
        let lines = faults
            .into_iter()
            .map(|fault| (method.clone(), part.to_owned(), fault));
        self.lines().next.extend(lines);
    }

    pub(super) fn always(&self, fault: Option<S3Fault>) {
        self.lines().always = fault;
    }

    /// What is to be done to this request, which is done to no other.
    pub(super) fn take(&self, method: &Method, uri: &Uri) -> Option<S3Fault> {
        let mut lines = self.lines();
        let asked = uri.to_string();
        let found = lines
            .next
            .iter()
            .position(|(of, part, _)| of == method && asked.contains(part));
        match found {
            Some(at) => Some(lines.next.remove(at).2),
            None => lines.always,
        }
    }

    pub(super) fn left(&self) -> usize {
        self.lines().next.len()
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
