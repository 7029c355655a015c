//! What stands in the way of a bucket is told when it is opened.

use std::net::TcpListener;

use testkit::S3Fault;

use super::*;

async fn told(options: &S3Options) -> String {
    let opened = in_time(FileStore::open_s3(options)).await;
    let said = opened.unwrap_err().to_string();
    assert!(!said.contains('\n'), "{said}");
    for (_, secret) in options.credentials.each() {
        assert!(!said.contains(secret), "{said}");
    }
    said
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told() {
    let server = S3Server::start();
    let mut options = options(&server, "");
    options.location = "s3://no-such-bucket".parse().unwrap();
    let said = told(&options).await;
    assert!(
        said.contains("there is no bucket no-such-bucket; make it"),
        "{said}"
    );
}

#[tokio::test]
async fn a_wrong_key_is_told_from_a_wrong_secret() {
    let server = S3Server::start();
    let with = async |wrong: &str| {
        let mut options = options(&server, "");
        let variables = server.variables();
        options.credentials = S3Credentials::from_variables(|name| {
            let set = variables.iter().find(|(set, _)| *set == name);
            set.map(|(_, value)| {
                if name == wrong {
                    "WRONGWRONG".to_owned()
                } else {
                    value.clone()
                }
            })
        });
        told(&options).await
    };
    let said = with("AWS_SECRET_ACCESS_KEY").await;
    assert!(
        said.contains("AWS_SECRET_ACCESS_KEY is not the secret"),
        "{said}"
    );
    let said = with("AWS_ACCESS_KEY_ID").await;
    assert!(said.contains("AWS_ACCESS_KEY_ID"), "{said}");
}

#[tokio::test]
async fn a_store_that_nobody_answers_for_is_told() {
    let server = S3Server::start();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options(&server, "");
    let address = free.local_addr().unwrap();
    options.endpoint = Some(format!("http://{address}"));
    drop(free);
    let said = told(&options).await;
    assert!(
        said.contains(&format!("no connection to {address} came about")),
        "{said}"
    );
    assert!(said.contains("check files.endpoint"), "{said}");
}

#[tokio::test]
async fn a_store_that_never_answers_is_told() {
    let server = S3Server::start();
    server.always(Some(S3Fault::Silence));
    let mut options = options(&server, "");
    options.limits.idle_time = std::time::Duration::from_millis(50);
    options.limits.retries_max = 1;
    let said = told(&options).await;
    assert!(said.contains("did nothing for 50ms"), "{said}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told() {
    let server = S3Server::start();
    let mut options = options(&server, "");
    options.endpoint = Some(server.endpoint().replace("http://", "https://"));
    let said = told(&options).await;
    assert!(said.contains("no connection to 127.0.0.1"), "{said}");
}
