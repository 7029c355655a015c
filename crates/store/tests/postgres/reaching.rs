//! Reaching a server: what encrypts the way and whom it trusts, and what is said where there is none.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use domain::Source;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use store::{MasterKey, Outstanding, PostgresError, PostgresOptions, open_postgres, store_schema};
use tempfile::TempDir;
use testkit::{PostgresServer, PostgresSetup, test_source};

/// Who comes with what.
const DOOR: &str =
    "host all postgres 127.0.0.1/32 trust\nhostssl all alice 127.0.0.1/32 scram-sha-256\n";

/// A server that encrypts, with a certificate for `localhost`.
struct Encrypting {
    server: &'static PostgresServer,
    folder: TempDir,
}

impl Encrypting {
    fn of_this_process() -> &'static Self {
        static SERVER: OnceLock<Encrypting> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (authority, key) = authority("CheckFlow's tests");
        let (other, _) = authority_of_nobody();
        for (name, certificate) in [("ours.pem", &authority), ("other.pem", &other)] {
            std::fs::write(folder.path().join(name), pem(certificate)).expect("a file");
        }
        std::fs::write(folder.path().join("empty.pem"), "nothing").expect("a file");
        let own = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let leaf = params
            .signed_by(&own, &authority, &key)
            .expect("a certificate");
        let server = PostgresServer::start_with(&PostgresSetup {
            settings: vec!["ssl=on"],
            files: vec![
                ("server.crt", pem(&leaf)),
                ("server.key", private(&own)),
                ("pg_hba.conf", DOOR.to_owned()),
            ],
        });
        Self { server, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn authority(name: &str) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new([]).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params.self_signed(&key).expect("a certificate"), key)
}

fn authority_of_nobody() -> (rcgen::Certificate, KeyPair) {
    authority("Somebody else's tests")
}

fn armoured(what: &str, bytes: &[u8]) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let text = BASE64_STANDARD.encode(bytes);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    let text = lines.join("\n");
    format!("-----BEGIN {what}-----\n{text}\n-----END {what}-----\n")
}

fn pem(certificate: &rcgen::Certificate) -> String {
    armoured("CERTIFICATE", certificate.der())
}

fn private(key: &KeyPair) -> String {
    armoured("PRIVATE KEY", &key.serialize_der())
}

fn options(url: String) -> PostgresOptions {
    let (source, _): (Source, _) = test_source();
    let key = MasterKey::from_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key");
    PostgresOptions::new(url, key, source)
}

/// What is said when there is no getting in.
async fn refused(url: String) -> PostgresError {
    let opened = open_postgres(options(url.clone())).await;
    opened.err().unwrap_or_else(|| panic!("{url} is open"))
}

#[tokio::test]
async fn a_server_is_spoken_to_in_secret_if_its_certificate_is_right() {
    let there = Encrypting::of_this_process();
    let database = there.server.database();
    let (port, name) = (database.port(), database.name());
    let root = there.file("ours.pem");
    let root = root.display();
    // A way to this machine that is encrypted because authorities are named.
    for mode in ["", "sslmode=verify-full&", "sslmode=require&"] {
        let url = format!("postgres://postgres@localhost:{port}/{name}?{mode}sslrootcert={root}");
        let store = open_postgres(options(url)).await.expect("it is right");
        let secret = database.sql(
            "SELECT count(*) > 0 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
            WHERE application_name = 'checkflow'",
        );
        assert_eq!(secret, "t", "{mode}");
        store.stop().await;
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_right_is_not_passed_over() {
    let there = Encrypting::of_this_process();
    let database = there.server.database();
    let (port, name) = (database.port(), database.name());
    let ours = format!("sslrootcert={}", there.file("ours.pem").display());
    let other = format!("sslrootcert={}", there.file("other.pem").display());
    for (host, query, expected) in [
        ("localhost", other.as_str(), "UnknownIssuer"),
        ("localhost", "sslmode=require", "UnknownIssuer"),
        ("127.0.0.1", &ours, "not valid for name"),
    ] {
        let url = format!("postgres://postgres@{host}:{port}/{name}?{query}");
        let error = refused(url).await;
        assert!(
            matches!(error, PostgresError::Untrusted { .. }),
            "{error:?}"
        );
        let line = error.to_string();
        assert!(
            line.contains(expected) && line.contains("?sslrootcert=FILE"),
            "{line}"
        );
    }
    for file in ["empty.pem", "not-there.pem"] {
        let file = there.file(file);
        let file = file.display();
        let url = format!("postgres://postgres@localhost:{port}/{name}?sslrootcert={file}");
        let error = refused(url).await;
        assert!(
            matches!(error, PostgresError::BadAuthorities { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(&file.to_string()), "{error}");
    }
}

#[tokio::test]
async fn who_is_not_let_in_hears_why() {
    let there = Encrypting::of_this_process();
    let database = there.server.database();
    let (port, name) = (database.port(), database.name());
    database.sql("CREATE ROLE alice LOGIN PASSWORD 'right'");
    database.sql(&format!("ALTER DATABASE {name} OWNER TO alice"));
    let root = there.file("ours.pem");
    let root = root.display();
    let url = |who: &str, name: &str| {
        format!("postgres://{who}@localhost:{port}/{name}?sslrootcert={root}")
    };
    let store = open_postgres(options(url("alice:right", name))).await;
    store.expect("that is her password").stop().await;
    for who in ["alice:wrong", "bob:right", "alice"] {
        let error = refused(url(who, name)).await;
        // Without a password the driver does not even ask.
        let said = matches!(error, PostgresError::NotLetIn { .. }) || who == "alice";
        assert!(said, "{who}: {error:?}");
        assert!(!error.to_string().contains("right"), "{error}");
    }
    let error = refused(url("postgres", "nothing_here")).await;
    assert!(
        matches!(error, PostgresError::NoDatabase { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("no database \"nothing_here\""),
        "{error}"
    );
    database.sql(&format!("REASSIGN OWNED BY alice TO postgres; ALTER DATABASE {name} OWNER TO postgres; DROP OWNED BY alice; DROP ROLE alice"));
}

#[tokio::test]
async fn a_server_that_can_not_be_worked_with_is_named_with_what_to_do() {
    let database = PostgresServer::of_this_process().database();
    let error = refused(format!("{}?sslmode=require", database.url())).await;
    assert!(
        matches!(error, PostgresError::NotEncrypted { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("?sslmode=disable"), "{error}");

    let error = refused("postgres://u:secret@127.0.0.1:1/x".to_owned()).await;
    assert!(
        matches!(error, PostgresError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(!error.to_string().contains("secret"), "{error}");
    let error = refused("postgres://u:secret@no-such-host.invalid/x".to_owned()).await;
    assert!(
        matches!(error, PostgresError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("no-such-host.invalid"),
        "{error}"
    );
}

#[tokio::test]
async fn a_standby_by_itself_is_refused() {
    let server = PostgresServer::start_with(&PostgresSetup {
        settings: vec!["hot_standby=on"],
        files: vec![("standby.signal", String::new())],
    });
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port());
    let error = refused(url).await;
    assert!(
        matches!(error, PostgresError::OnlyReads { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("name the primary"), "{error}");
}

#[tokio::test]
async fn a_primary_that_is_set_to_take_no_writes_is_told_from_a_standby() {
    let database = PostgresServer::of_this_process().database();
    let name = database.name();
    let user = format!("{name}_reads");
    database.sql(&format!("CREATE ROLE {user} LOGIN"));
    let url = database.url();
    let other = url.replace("//postgres@", &format!("//{user}@"));
    let by_option = format!("{url}?options=-c%20default_transaction_read_only%3Don");
    let set = "default_transaction_read_only";
    database.sql(&format!("ALTER ROLE {user} SET {set} = on"));
    for (url, remedy) in [
        (&other, format!("`ALTER ROLE {user} RESET {set}`")),
        (&by_option, "leave it out of the options".to_owned()),
    ] {
        let line = set_to_read(url).await;
        assert!(line.contains(&remedy), "{line}");
        let host = format!(
            "the database at 127.0.0.1:{} is no standby",
            database.port()
        );
        assert!(line.starts_with(&host), "{line}");
    }
    database.sql(&format!("ALTER DATABASE {name} SET {set} = on"));
    let line = set_to_read(&url).await;
    let remedy = format!("`SET {set} = off`, then `ALTER DATABASE {name} RESET {set}`");
    assert!(line.contains(&remedy), "{line}");
    let host = format!("127.0.0.1:1,127.0.0.1:{}", database.port());
    let line = set_to_read(&url.replace(&format!("127.0.0.1:{}", database.port()), &host)).await;
    assert!(line.contains(&remedy), "of several hosts: {line}");
    // A copy and a look at the schema go another way.
    let looked = store_schema(Path::new("."), Some(&url), Outstanding::Told).await;
    let line = looked.unwrap_err().to_string();
    assert!(line.contains(&remedy), "{line}");
    // What it says helps; said here from another database, which takes writes.
    PostgresServer::of_this_process().database().sql(&format!(
        "ALTER DATABASE {name} RESET {set}; DROP ROLE {user}"
    ));
    let opened = open_postgres(options(url)).await;
    opened.expect("it takes writes").stop().await;
}

async fn set_to_read(url: &str) -> String {
    let error = refused(url.to_owned()).await;
    assert!(matches!(error, PostgresError::SetToRead { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn an_account_that_may_not_change_the_schema_serves_once_that_is_made() {
    let database = PostgresServer::of_this_process().database();
    let user = format!("{}_serves", database.name());
    database.sql(&format!("CREATE ROLE {user} LOGIN"));
    let url = database.url().replace("//postgres@", &format!("//{user}@"));
    // What is to be made, it may not make.
    let said = refused(url.clone()).await.to_string();
    assert!(said.contains("permission denied"), "{said}");
    let owners = open_postgres(options(database.url())).await;
    owners.expect("the owner may").stop().await;
    database.sql(&format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}"
    ));
    let served = open_postgres(options(url)).await;
    served.expect("nothing is left to be made").stop().await;
    database.sql(&format!("DROP OWNED BY {user}; DROP ROLE {user}"));
}
