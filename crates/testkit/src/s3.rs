//! An S3-compatible store of the tests' own: in this process, in a temporary folder, on a free port of
//! loopback. It checks signatures, takes parts, and misbehaves on demand.
//!
//! The store is `s3s-fs`. It keeps bytes and nothing of what Amazon's keeps beside them; why it was
//! chosen, and what it leaves out, is in `docs/adr/0009-our-own-client-under-the-object-store.md`.

mod fault;
mod server;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use hyper::Method;
use tempfile::TempDir;
use tokio::sync::oneshot;

pub use fault::S3Fault;
use fault::Script;

/// The bucket that there is from the start.
const BUCKET: &str = "checkflow-test";
/// The key that opens the store, and its secret.
const ACCESS_KEY: (&str, &str) = ("CHECKFLOWTESTKEY", "a secret of the tests");
/// Where the bucket is said to be. The store does not care.
const REGION: &str = "us-east-1";

/// A store for the length of a test. It stops when it is dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    folder: TempDir,
    seen: Seen,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the server knows of its requests.
#[derive(Clone, Debug, Default)]
struct Seen {
    script: Script,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Seen {
    fn note(&self, request: String) {
        let requests = self.requests.lock();
        requests
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
    }
}

impl S3Server {
    /// Starts on a free port, with one empty bucket.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let folder = tempfile::Builder::new()
            .prefix("checkflow-s3-")
            .tempdir()
            .expect("a temporary folder");
        fs::create_dir(folder.path().join(BUCKET)).expect("a folder for the bucket");
        let seen = Seen::default();
        let (stop, stopped) = oneshot::channel();
        let thread = {
            let (root, seen) = (folder.path().to_owned(), seen.clone());
            // A thread and a runtime of its own: tests block theirs, or have none.
            thread::spawn(move || server::run(listener, &root, &seen, stopped))
        };
        Self {
            address,
            folder,
            seen,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Where it is, as `files.endpoint` takes it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bucket that there is.
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// The bucket, or what is below `prefix` in it, as `--files` takes it.
    pub fn location(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}")
            .trim_end_matches('/')
            .to_owned()
    }

    /// The variables that a program needs to use it: where it is, the region, the key and its secret.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL_S3", self.endpoint()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.0.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY.1.to_owned()),
        ]
    }

    /// Treats the next requests so, one each, whose method is this and whose path and query hold `part`.
    pub fn upset(&self, method: &Method, part: &str, faults: impl IntoIterator<Item = S3Fault>) {
        self.seen.script.add(method, part, faults);
    }

    /// Treats every request so for which nothing else is scripted; none means soundly.
    pub fn always(&self, fault: Option<S3Fault>) {
        self.seen.script.always(fault);
    }

    /// How many of those requests have not come.
    pub fn upsets_left(&self) -> usize {
        self.seen.script.left()
    }

    /// Every request so far, as `METHOD /path?query`, in the order they came.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.seen.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The folder that holds the objects of the bucket, each under its name.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// The names of the objects in the bucket, in order.
    pub fn objects(&self) -> Vec<String> {
        let bucket = self.folder();
        let mut names = Vec::new();
        let mut folders = vec![bucket.clone()];
        while let Some(folder) = folders.pop() {
            for path in entries(&folder) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&bucket).expect("it is in the bucket");
                    names.push(name.to_string_lossy().into_owned());
                }
            }
        }
        names.sort();
        names
    }

    /// How many parts there are of uploads that were neither completed nor given up.
    pub fn parts(&self) -> usize {
        let is_part = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(".upload_id-") && name.contains(".part-")
        };
        entries(self.folder.path())
            .iter()
            .filter(|path| is_part(path))
            .count()
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    // A folder may go while it is looked at: the server removes what it is told to.
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    found.map(|entry| entry.path()).collect()
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
