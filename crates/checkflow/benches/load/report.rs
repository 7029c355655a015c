//! The figures of a run, for people, for documents and for scripts.

use std::{fmt, fs};

use serde_json::{Value, json};

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A part of something, kept as such and shown as a percentage.
    Percent,
    /// How many times something.
    Times,
    PerSecond,
    Millis,
    Seconds,
    /// Kept in bytes, shown in units of 1,024.
    KiB,
    /// Kept in bytes, shown in units of 1,048,576.
    MiB,
    /// Kept in bytes, shown in units of 1,000,000.
    MB,
    Count,
    /// A count of which fractions matter.
    Few,
}

impl Unit {
    const fn word(self) -> &'static str {
        match self {
            Self::Percent => "part",
            Self::Times => "times",
            Self::PerSecond => "per second",
            Self::Millis => "ms",
            Self::Seconds => "s",
            Self::KiB | Self::MiB | Self::MB => "bytes",
            Self::Count | Self::Few => "count",
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Percent => format!("{:.1} %", value * 100.0),
            Self::Times => format!("{value:.2}x"),
            Self::PerSecond => format!("{}/s", thousands(value)),
            Self::Millis => format!("{value:.2} ms"),
            Self::Seconds => format!("{value:.3} s"),
            Self::KiB => format!("{:.1} KiB", value / 1024.0),
            Self::MiB => format!("{:.1} MiB", value / (1024.0 * 1024.0)),
            Self::MB => format!("{:.1} MB", value / 1e6),
            Self::Count => thousands(value),
            Self::Few => format!("{value:.2}"),
        }
    }
}

/// `12,345`.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// One figure.
#[derive(Debug)]
struct Figure {
    scenario: &'static str,
    what: String,
    unit: Unit,
    /// One value for each round, smallest first.
    rounds: Vec<f64>,
    /// What it should be at least, and what is aimed for; empty where it only explains another.
    aim: &'static str,
}

impl Figure {
    fn median(&self) -> f64 {
        let half = self.rounds.len() / 2;
        match self.rounds.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => self.rounds[half],
            _ => f64::midpoint(self.rounds[half - 1], self.rounds[half]),
        }
    }

    fn range(&self) -> String {
        match self.rounds.as_slice() {
            [least, .., most] => {
                format!("{} to {}", self.unit.show(*least), self.unit.show(*most))
            }
            _ => String::new(),
        }
    }
}

/// Everything that a run has to say.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// When, on what, and which version.
    head: Vec<(&'static str, String)>,
    figures: Vec<Figure>,
    /// What must be known to read the figures: sizes, and what was left out.
    notes: Vec<(&'static str, String)>,
    /// What must not be: lost deliveries, wrong answers.
    faults: Vec<(&'static str, String)>,
}

impl Report {
    /// One with nothing in it yet but what stands above the figures.
    pub(crate) fn new(head: Vec<(&'static str, String)>) -> Self {
        Self {
            head,
            ..Self::default()
        }
    }

    /// Adds a figure, with a value for each round.
    pub(crate) fn figure(
        &mut self,
        (scenario, aim): (&'static str, &'static str),
        what: &str,
        unit: Unit,
        rounds: &[f64],
    ) {
        let mut rounds = rounds.to_vec();
        rounds.sort_by(f64::total_cmp);
        let figure = Figure {
            scenario,
            what: what.to_owned(),
            unit,
            rounds,
            aim,
        };
        say(scenario, &format!("{what}: {}", unit.show(figure.median())));
        self.figures.push(figure);
    }

    pub(crate) fn note(&mut self, scenario: &'static str, note: String) {
        say(scenario, &note);
        self.notes.push((scenario, note));
    }

    pub(crate) fn fault(&mut self, scenario: &'static str, fault: String) {
        say(scenario, &format!("WRONG: {fault}"));
        self.faults.push((scenario, fault));
    }

    /// Whether all answers were right and nothing was lost.
    pub(crate) fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// The table of the document.
    pub(crate) fn markdown(&self) -> String {
        let head = self.head.iter();
        let mut lines: Vec<_> = head
            .map(|(what, value)| format!("- {what}: {value}"))
            .collect();
        lines.push(String::new());
        lines.push("| scenario | figure | median | range of the rounds | least / aim |".to_owned());
        lines.push("| --- | --- | --- | --- | --- |".to_owned());
        lines.extend(self.figures.iter().map(|figure| {
            let (scenario, what, aim) = (figure.scenario, &figure.what, figure.aim);
            let (median, range) = (figure.unit.show(figure.median()), figure.range());
            format!("| `{scenario}` | {what} | {median} | {range} | {aim} |")
        }));
        lines.push(String::new());
        let notes = self.notes.iter();
        lines.extend(notes.map(|(scenario, note)| format!("- `{scenario}`: {note}.")));
        let faults = self.faults.iter();
        lines.extend(faults.map(|(scenario, fault)| format!("- **Wrong**, `{scenario}`: {fault}")));
        if self.is_sound() {
            lines.push("- Every answer was right, and no delivery was lost.".to_owned());
        }
        lines.join("\n") + "\n"
    }

    /// Writes everything as JSON, the value of each round included.
    pub(crate) fn write_json(&self, path: &std::path::Path) -> std::io::Result<()> {
        let figures = self.figures.iter().map(|figure| {
            json!({
                "scenario": figure.scenario, "figure": figure.what, "unit": figure.unit.word(),
                "median": figure.median(), "rounds": figure.rounds, "aim": figure.aim,
            })
        });
        let lines = |of: &[(&'static str, String)]| {
            let line =
                |(scenario, text): &(&str, String)| json!({ "scenario": scenario, "text": text });
            of.iter().map(line).collect::<Vec<_>>()
        };
        let head = self.head.iter();
        let head: serde_json::Map<_, _> = head
            .map(|(what, value)| ((*what).to_owned(), Value::from(value.as_str())))
            .collect();
        let all = json!({
            "run": head, "figures": figures.collect::<Vec<_>>(),
            "notes": lines(&self.notes), "faults": lines(&self.faults),
        });
        fs::write(path, format!("{all:#}\n"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, value) in &self.head {
            writeln!(f, "{what}: {value}")?;
        }
        writeln!(f)?;
        for figure in &self.figures {
            let (scenario, what) = (figure.scenario, &figure.what);
            let (median, range) = (figure.unit.show(figure.median()), figure.range());
            writeln!(
                f,
                "{scenario:9} {what:58} {median:>12}  {range:27} {}",
                figure.aim
            )?;
        }
        for (scenario, note) in &self.notes {
            writeln!(f, "{scenario:9} {note}")?;
        }
        for (scenario, fault) in &self.faults {
            writeln!(f, "{scenario:9} WRONG: {fault}")?;
        }
        Ok(())
    }
}

/// Tells whoever waits how far the run is; the report itself goes to standard output.
pub(crate) fn say(scenario: &str, text: &str) {
    eprintln!("[{scenario}] {text}");
}
