//! A program beside the test, gone when the test is over, however it ends.

use std::{
    io::{BufRead as _, BufReader, ErrorKind},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use testkit::PATIENCE;

/// A running program; dropping it kills it and waits until it is gone.
pub(crate) struct Process(Child);

impl Process {
    /// Starts `command` and answers it together with what stands behind `mark` in the first line
    /// of its output that has it. Panics when none comes; with `missing` when the program itself is
    /// not there.
    pub(crate) fn start(
        command: &mut Command,
        mark: &'static str,
        missing: &str,
    ) -> (Self, String) {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| match error.kind() {
                ErrorKind::NotFound => panic!("{missing}"),
                _ => panic!("{command:?}: {error}"),
            });
        let mut process = Self(child);
        let output = BufReader::new(process.0.stdout.take().unwrap());
        let (found, told) = mpsc::channel();
        // Reads on to the end, or a program that says more would be stopped by the broken pipe.
        // The end comes with the program's, and the thread ends then.
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once(mark) {
                    // Whoever asked may have given up already.
                    let _ = found.send(rest.to_owned());
                }
            }
        });
        let Ok(rest) = told.recv_timeout(PATIENCE) else {
            panic!("{command:?} never said {mark:?}");
        };
        (process, rest)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that is gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
