mod limits;

use std::{io::Write as _, time::Duration};

use clap::CommandFactory as _;
use figment::providers::Serialized;

use super::*;

/// The default file with every key that stands in a comment made real.
fn uncommented() -> String {
    let real = |line: &str| match line.strip_prefix('#') {
        // Prose begins with a blank after the mark, a key does not.
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
        Some(_) => String::new(),
        None => line.to_owned(),
    };
    DEFAULT_FILE
        .lines()
        .map(real)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every `section.key` that a configuration can hold.
fn keys(figment: &Figment) -> Vec<String> {
    let value: serde_json::Value = figment.extract().unwrap();
    let mut keys = Vec::new();
    for (name, value) in value.as_object().unwrap() {
        match value.as_object() {
            Some(section) => keys.extend(section.keys().map(|key| format!("{name}.{key}"))),
            None => keys.push(name.clone()),
        }
    }
    keys.sort();
    keys
}

fn load_text(text: &str) -> Result<Settings, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let store = StoreArgs {
        config: Some(file.path().to_owned()),
        ..StoreArgs::default()
    };
    let shown = file.path().display().to_string();
    load(&ServeArgs {
        store,
        ..ServeArgs::default()
    })
    .map_err(|error| error.to_string().replace(&shown, "FILE"))
}

#[test]
fn the_default_file_lists_every_key_with_its_default() {
    let shown = Figment::from(Toml::string(&uncommented()));
    let real = Figment::from(Serialized::defaults(Config::default()));
    assert_eq!(keys(&shown), keys(&real));
    assert_eq!(shown.extract::<Config>().unwrap(), Config::default());
}

#[test]
fn as_it_stands_the_default_file_sets_nothing_and_is_taken() {
    let config: Config = Figment::from(Toml::string(DEFAULT_FILE)).extract().unwrap();
    assert_eq!(config, Config::default());
    load_text(DEFAULT_FILE).unwrap();
}

#[test]
fn whom_to_believe_and_how_much_to_take_is_checked() {
    for (text, expected) in [
        (
            "[http]\ntrusted_proxies = [\"proxy.internal\"]",
            "FILE: http.trusted_proxies: \"proxy.internal\" is neither an address nor a CIDR",
        ),
        (
            "[http]\ntrusted_proxies = [\"10.0.0.1/8\"]",
            "FILE: http.trusted_proxies: \"10.0.0.1/8\" has bits beyond its prefix; write 10.0.0.0/8",
        ),
        (
            "[api]\nrequests_per_minute_per_key = 10000001",
            "FILE: api.requests_per_minute_per_key is 10000001: write 0 to 10000000",
        ),
    ] {
        refused(text, expected);
    }
}

#[test]
fn what_is_wrong_in_a_file_is_named_by_file_and_key() {
    for (text, expected) in [
        (
            "[delivery]\nrequest_timeot = \"5s\"",
            "FILE: delivery.request_timeot: there is no such key",
        ),
        ("nonsense = 1", "FILE: nonsense: there is no such key"),
        (
            "[delivery]\nrequest_timeout = \"5 minutes\"",
            "FILE: delivery.request_timeout: \"5 minutes\" is no length",
        ),
        (
            "[delivery]\nrequest_timeout = 5",
            "FILE: delivery.request_timeout: 5 is no length of time: write a whole number and its unit",
        ),
        (
            "[delivery]\nrequest_timeout = 1.5",
            "FILE: delivery.request_timeout: 1.5 is no length of time: write a whole number and its unit",
        ),
        (
            "[delivery]\nrequest_timeout = true",
            "FILE: delivery.request_timeout: ",
        ),
        (
            "[delivery]\nrequest_timeout = \"3s\"\nconnect_timeout = \"4s\"",
            "FILE: delivery.connect_timeout is 4s: write 100ms to 3s",
        ),
        (
            "[delivery]\nrequest_timeout = \"31s\"",
            "FILE: delivery.request_timeout is 31s: write 1s to 30s",
        ),
        (
            "[delivery]\nschedule = []",
            "FILE: delivery.schedule: a retry schedule needs at least one step",
        ),
        (
            "[delivery]\nschedule = [\"1s\"]",
            "FILE: delivery.schedule: the first step",
        ),
        (
            "[webhook]\nallow_targets = [\"http://x/\"]",
            "FILE: webhook.allow_targets: ",
        ),
        (
            "public_url = \"checks.example.com\"",
            "FILE: public_url must be an absolute http or https address",
        ),
        ("listen = \"localhost\"", "FILE: listen: "),
        (
            "database = \"mysql://db/x\"",
            "FILE: database: it reads postgres://user:password@host:port/name",
        ),
        (
            "[http]\nconnections_max = 0",
            "FILE: http.connections_max is 0: write 1 to 65536",
        ),
        (
            "[api]\nrequest_timeout = \"0s\"",
            "FILE: api.request_timeout is 0s: write 1s to 10min",
        ),
        ("[log]\nfilter = \"a=b=c\"", "FILE: log.filter: "),
        ("[log]\nformat = \"xml\"", "FILE: log.format: "),
        ("[http", "FILE: "),
    ] {
        refused(text, expected);
    }
}

#[test]
fn what_is_wrong_about_keeping_is_named_by_file_and_key() {
    for (text, expected) in [
        (
            "[keeping]\nlog = \"0s\"",
            "FILE: keeping.log is 0s: write 1h to 3650d, or \"forever\"",
        ),
        (
            "[keeping]\nlog = \"never\"",
            "FILE: keeping.log: \"never\" is no length of time: write a whole number and its unit",
        ),
        (
            "[keeping]\nlog = 30",
            "FILE: keeping.log: 30 is no length of time: ",
        ),
        (
            "[keeping]\nlog = \"7d\"\nbodies = \"forever\"",
            "FILE: keeping.bodies is forever, which is longer than keeping.log (7d): bodies go with the log",
        ),
    ] {
        refused(text, expected);
    }
}

fn refused(text: &str, expected: &str) {
    let error = load_text(text).unwrap_err();
    assert!(error.starts_with(expected), "{text:?}: {error}");
}

#[test]
fn a_default_gives_way_to_the_key_that_bounds_it() {
    let lowered = load_text("[delivery]\nrequest_timeout = \"3s\"\nin_flight_max = 8").unwrap();
    assert_eq!(lowered.delivery.connect_timeout, Duration::from_secs(3));
    assert_eq!(lowered.delivery.in_flight_per_subscription_max, 8);
    let raised = load_text("[delivery]\nrequest_timeout = \"30s\"\nin_flight_max = 4096").unwrap();
    let usual = DeliverySettings::default();
    assert_eq!(raised.delivery.connect_timeout, usual.connect_timeout);
    assert_eq!(
        raised.delivery.in_flight_per_subscription_max,
        usual.in_flight_per_subscription_max
    );
}

#[test]
fn what_is_kept_is_kept_no_longer_than_the_log() {
    let days = |days: u32| Some(Duration::from_hours(24) * days);
    let keeping = |text| {
        let keeping = load_text(text).unwrap().keeping;
        [keeping.log, keeping.bodies, keeping.answers]
    };
    assert_eq!(keeping("[keeping]\nlog = \"7d\""), [days(7); 3]);
    assert_eq!(
        keeping("[keeping]\nlog = \"Forever\"\nanswers = \"1d\""),
        [None, days(30), days(1)]
    );
    assert_eq!(
        keeping("[keeping]\nlog = \"forever\"\nbodies = \"forever\""),
        [None, None, days(30)]
    );
}

/// The help of a command and of all below it, and the variables of their options.
fn told(mut command: clap::Command) -> (String, Vec<String>) {
    let mut help = command.render_long_help().to_string();
    let mut variables: Vec<String> = command
        .get_arguments()
        .filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned()))
        .collect();
    for below in command.get_subcommands() {
        let (text, more) = told(below.clone());
        help.push_str(&text);
        variables.extend(more);
    }
    (help, variables)
}

#[test]
fn each_variable_that_the_help_and_the_default_file_name_is_taken() {
    let (help, options) = told(crate::cli::Cli::command());
    let keys = keys(&Figment::from(Serialized::defaults(Config::default())));
    let text = format!("{help}\n{DEFAULT_FILE}");
    let named: Vec<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        // What has blanks to fill in, such as CHECKFLOW_<SECTION>__<KEY>, ends at the first.
        .filter(|word| word.len() > VARIABLE_MARK.len() && word.starts_with(VARIABLE_MARK))
        .collect();
    for word in &named {
        let key = word[VARIABLE_MARK.len()..]
            .replace(LEVEL_MARK, ".")
            .to_lowercase();
        let is_key = word.contains(LEVEL_MARK) && keys.contains(&key);
        assert!(is_key || options.iter().any(|name| name == word), "{word}");
    }
    assert!(named.iter().any(|word| word.contains(LEVEL_MARK)));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let store = StoreArgs {
        config: Some("/nowhere/checkflow.toml".into()),
        ..StoreArgs::default()
    };
    let error = load(&ServeArgs {
        store,
        ..ServeArgs::default()
    })
    .unwrap_err();
    assert!(
        format!("{error:#}")
            .starts_with("the configuration file /nowhere/checkflow.toml can't be read: ")
    );
}

#[test]
fn the_command_line_wins_over_the_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text = "role = \"api\"\ndata = \"a\"\nlisten = \"127.0.0.1:1\"\n[webhook]\nallow_targets = [\"a.internal\"]";
    file.write_all(text.as_bytes()).unwrap();
    let store = StoreArgs {
        config: Some(file.path().to_owned()),
        data: Some("b".into()),
        database: None,
    };
    let settings = load(&ServeArgs {
        role: Some(Role::Deliver),
        store,
        files: Some("s3://checks".to_owned()),
        listen: Some(([127, 0, 0, 1], 2).into()),
        allow_targets: vec!["b.internal".to_owned()],
        public_url: Some("http://c".to_owned()),
        crash_at: Some("before-settle:2".to_owned()),
    })
    .unwrap();
    assert_eq!(settings.role, Role::Deliver);
    assert_eq!(settings.data, PathBuf::from("b"));
    assert_eq!(settings.bucket.unwrap().location.to_string(), "s3://checks");
    assert_eq!(settings.listen.port(), 2);
    assert_eq!(settings.policy.entries(), ["b.internal"]);
    assert_eq!(settings.public_url.unwrap().to_string(), "http://c");
    assert_eq!(settings.crash_at.unwrap().to_string(), "before-settle:2");
}

#[test]
fn what_is_wrong_on_the_command_line_is_named_by_its_option() {
    let args = ServeArgs {
        public_url: Some("nonsense".to_owned()),
        ..ServeArgs::default()
    };
    let error = load(&args).unwrap_err().to_string();
    assert!(
        error.starts_with("--public-url or CHECKFLOW_PUBLIC_URL: public_url must be"),
        "{error}"
    );
    let args = ServeArgs {
        files: Some("/mnt/files".to_owned()),
        ..ServeArgs::default()
    };
    let error = load(&args).unwrap_err().to_string();
    assert!(
        error.starts_with("--files or CHECKFLOW_FILES: files.store: it reads s3://BUCKET"),
        "{error}"
    );
    let args = ServeArgs {
        allow_targets: vec!["*.x".to_owned()],
        ..ServeArgs::default()
    };
    let error = load(&args).unwrap_err().to_string();
    assert!(
        error.starts_with("--allow-target or CHECKFLOW_ALLOW_TARGETS: "),
        "{error}"
    );
}
