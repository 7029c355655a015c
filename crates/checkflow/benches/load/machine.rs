//! When and on what a run was made.

use std::{env, fs, ops::RangeInclusive, path::Path, thread, time::Duration};

use domain::{Clock as _, SystemClock};

use super::server::BINARY;

/// Of `/proc/PID/stat`: the same on every architecture that we build for.
const TICKS_PER_SECOND: u64 = 100;

/// What stands above the figures.
pub(crate) fn head() -> Vec<(&'static str, String)> {
    let words: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let command = format!("cargo xtask bench {}", words.join(" "));
    let build = if cfg!(debug_assertions) {
        "a debug build, whose figures say nothing"
    } else {
        "release build"
    };
    vec![
        ("date", SystemClock.now().to_string()),
        ("command", command.trim_end().to_owned()),
        (
            "program",
            format!("checkflow {}, {build}", env!("CARGO_PKG_VERSION")),
        ),
        ("machine", machine()),
    ]
}

fn machine() -> String {
    let processors = thread::available_parallelism().map_or(0, usize::from);
    let model = line_of("/proc/cpuinfo", "model name");
    let model = model.trim_start_matches(':').trim();
    let memory = line_of("/proc/meminfo", "MemTotal:");
    let kibibytes: u64 = memory.trim_end_matches("kB").trim().parse().unwrap_or(0);
    let gibibytes = kibibytes / (1024 * 1024);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{processors} × {model}, {gibibytes} GiB, Linux {}",
        kernel.trim()
    )
}

/// What follows `name` in the first line that begins with it.
fn line_of(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or("").trim().to_owned()
}

/// How large the binary is, in bytes: as it was built, and stripped of all symbols where there is a
/// tool for that.
pub(crate) fn binary_bytes(scratch: &Path) -> std::io::Result<(u64, Option<u64>)> {
    let stripped = scratch.join("stripped");
    let mut strip = std::process::Command::new("strip");
    strip.arg("-o").arg(&stripped).arg(BINARY);
    let done = strip.status().is_ok_and(|status| status.success());
    let bytes = done.then(|| fs::metadata(&stripped)).transpose()?;
    Ok((fs::metadata(BINARY)?.len(), bytes.map(|file| file.len())))
}

/// The sum of some fields of a `/proc/PID/stat` that count processor time, by their numbers in `proc_pid_stat(5)`.
pub(crate) fn processor_time(stat: &str, fields: RangeInclusive<usize>) -> Duration {
    // After the name, which may contain anything but ends with the last parenthesis.
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    // Of which the first is the third.
    let (skipped, counted) = (fields.start() - 3, fields.count());
    let ticks = behind.split_whitespace().skip(skipped).take(counted);
    let ticks: u64 = ticks.map(|text| text.parse().unwrap_or(0)).sum();
    Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
}
