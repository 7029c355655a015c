//! `checkflow migrate`: the schema of the database, looked at and brought up to date.

use std::process::ExitCode;

use serde_json::json;
use store::{Outstanding, SchemaSteps, store_schema};

use crate::{
    cli::MigrateArgs,
    config,
    operator::{on_runtime, say},
    serve,
};

/// With `--check`: there are steps to be done.
const EXIT_OUTSTANDING: u8 = 3;

/// `checkflow migrate`
pub(crate) fn command(args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    let settings = config::load_for_tools(&args.store)?;
    // Whatever makes a database makes it up to date; a folder without one is a misspelt one.
    serve::must_be_there(&settings)?;
    let outstanding = if args.check {
        Outstanding::Told
    } else {
        Outstanding::Done
    };
    let look = store_schema(&settings.data, settings.database.as_deref(), outstanding);
    let steps = on_runtime(async { Ok(look.await?) })?;
    let row = json!({
        "stepsBefore": steps.before,
        "steps": steps.done(),
        "made": steps.made,
        "outstanding": steps.outstanding,
    });
    say(args.json, &row, &told(&steps, &args.store.again()))?;
    Ok(if steps.outstanding.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_OUTSTANDING)
    })
}

/// What is done and what is not; `again` names the same database to a command that is pasted.
fn told(steps: &SchemaSteps, again: &str) -> String {
    let names = |what: &str, names: &[&str]| {
        let lines = names.iter().map(|name| format!("{what} {name}\n"));
        lines.collect::<String>()
    };
    let (done, outstanding) = (steps.done(), steps.outstanding.len());
    let all = done + outstanding;
    if outstanding > 0 {
        let listed = names("outstanding:", &steps.outstanding);
        return format!(
            "{listed}{done} of {all} steps are done; `checkflow migrate{again}` does the others"
        );
    }
    let listed = names("done:", &steps.made);
    format!("{listed}the schema is up to date, at step {done} of {all}")
}
