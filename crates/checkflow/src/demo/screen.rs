//! What the demo shows: plain lines in columns, coloured only for a person at a terminal.

use std::{
    io::{IsTerminal as _, Write as _},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    account::Account,
    next::NextSteps,
    receiver::{Arrival, REFUSED_EVERY, Receiver},
};
use crate::serve::{Server, colours_wanted};

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// Standard output, written to line by line from several tasks.
#[derive(Clone)]
pub(crate) struct Screen(Arc<Inner>);

struct Inner {
    colours: bool,
    chapters: AtomicUsize,
    /// Held for a whole line, or for several that belong together.
    out: Mutex<std::io::Stdout>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let out = std::io::stdout();
        let colours = out.is_terminal() && colours_wanted();
        Self(Arc::new(Inner {
            colours,
            chapters: AtomicUsize::new(0),
            out: Mutex::new(out),
        }))
    }

    /// Says what runs where.
    pub(crate) fn opening(
        &self,
        server: &Server,
        receiver: &Receiver,
        folder: &Path,
        schedule: &[Duration],
    ) {
        let title = format!("CheckFlow {} demo", env!("CARGO_PKG_VERSION"));
        let waits: Vec<String> = schedule
            .iter()
            .skip(1)
            .map(|wait| format!("{wait:?}"))
            .collect();
        self.lines(&[
            self.paint(BOLD, &title),
            String::new(),
            format!("  server    {}  (data in {}, removed at the end)", server.public_url(), folder.display()),
            format!(
                "  receiver  {}  (answers 503 to the first attempt of every {REFUSED_EVERY}rd event)",
                receiver.url()
            ),
            format!("  retries   after {} here; after 5s, 5min, 30min … in `checkflow serve`", waits.join(", ")),
        ]);
    }

    /// Begins a part of the story.
    pub(crate) fn chapter(&self, title: &str, how: &str) {
        let number = self.0.chapters.fetch_add(1, Ordering::Relaxed) + 1;
        let title = self.paint(BOLD, &format!("{number}. {title}"));
        self.lines(&[String::new(), format!("{title}  {}", self.paint(DIM, how))]);
    }

    /// A detail of what was made.
    pub(crate) fn note(&self, text: &str) {
        self.lines(&[format!("  {text}")]);
    }

    /// Something done through the API.
    pub(crate) fn step(&self, text: &str) {
        self.lines(&[self.paint(DIM, &format!("  {text}"))]);
    }

    /// Something that the API refused, as it should, and why.
    pub(crate) fn refusal(&self, what: &str, reasons: &[String]) {
        let reasons = reasons.iter().map(|reason| format!("            {reason}"));
        let lines = std::iter::once(format!("  {what}")).chain(reasons);
        self.lines(
            &lines
                .map(|line| self.paint(YELLOW, &line))
                .collect::<Vec<_>>(),
        );
    }

    /// The heads of the columns of [`Screen::arrival`].
    pub(crate) fn heads(&self) {
        let heads = [
            "event",
            "subject",
            "attempt",
            "latency",
            "signature",
            "answered",
        ];
        let heads = columns(heads).replacen('→', " ", 1);
        self.lines(&[self.paint(DIM, &heads)]);
    }

    /// A webhook that came in.
    pub(crate) fn arrival(&self, arrival: &Arrival) {
        let signature = match &arrival.verified {
            Ok(()) => "verified".to_owned(),
            Err(reason) => format!("NOT VERIFIED: {reason}"),
        };
        let latency = format!("{} ms", arrival.latency.as_millis());
        let answer = arrival.answer.as_u16().to_string();
        let subject = &arrival.subject;
        let line = columns([
            &subject.event,
            &subject.shown,
            &arrival.attempt,
            &latency,
            &signature,
            &answer,
        ]);
        let colour = match (&arrival.verified, arrival.answer.is_success()) {
            (Err(_), _) => RED,
            (Ok(()), true) => GREEN,
            (Ok(()), false) => YELLOW,
        };
        self.lines(&[self.paint(colour, &line)]);
    }

    /// What was promised against what came.
    pub(crate) fn account(&self, account: &Account) {
        let verdict = if account.is_right() {
            self.paint(GREEN, "Each expected event was received and verified.")
        } else {
            self.paint(RED, "This is not as it should be: see the figures above.")
        };
        self.chapter(
            "The account",
            "expected by the API's answers, received by the receiver's record",
        );
        let line = |name: &str, number: usize, what: &str| {
            format!("  {name:<11}{number:>4}  {}", self.paint(DIM, what))
        };
        self.lines(&[
            line(
                "expected",
                account.expected,
                "events that the API's answers promised",
            ),
            line(
                "received",
                account.received,
                "events that the receiver took",
            ),
            line(
                "retried",
                account.retried,
                "attempts refused with 503, which came again",
            ),
            line("lost", account.lost, "expected and never received"),
            line("repeated", account.repeated, "received more than once"),
            line(
                "unexpected",
                account.unexpected,
                "received and never expected",
            ),
            line(
                "verified",
                account.verified,
                "received with a signature that holds",
            ),
            String::new(),
            format!("  {verdict}"),
        ]);
    }

    /// How to go on, while the server stays up.
    pub(crate) fn stay(&self, next: &NextSteps, receiver: &str) {
        self.chapter("Go on", "everything stays up until Ctrl+C");
        let mut lines = vec![
            format!("  API       {}/api", next.server),
            format!("  Swagger   {}/swagger", next.server),
            format!("  receiver  {receiver}"),
            format!("  key       {}", next.key),
        ];
        for (what, curl) in &next.curls {
            lines.extend([
                String::new(),
                self.paint(DIM, &format!("  # {what}")),
                format!("  {curl}"),
            ]);
        }
        lines.push(String::new());
        self.lines(&lines);
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.0.colours {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn lines(&self, lines: &[String]) {
        let mut out = self.0.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever read along may have gone (`| head`); what is shown is no part of the proof.
        let _ = out
            .write_all((lines.join("\n") + "\n").as_bytes())
            .and_then(|()| out.flush());
    }
}

fn columns([event, subject, attempt, latency, signature, answer]: [&str; 6]) -> String {
    format!("  → {event:<15} {subject:<20} {attempt:>7}  {latency:>8}  {signature:<9}  {answer}")
}
