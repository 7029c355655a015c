//! What tells one event from another: the number of the completed task, which is in the API's answer
//! and in the webhook alike, and belongs to one task of one checklist.

use serde_json::{Value, json};

/// The webhook that the documentation shows; the bodies of `bare` are made from it, so that they are
/// as long as real ones.
const SAMPLE: &str = include_str!("../../../../docs/samples/task_completed.json");

/// The task that a webhook, or the answer to a completion, is about; none if it is no such thing.
pub(crate) fn task_of(body: &[u8]) -> Option<u64> {
    const NAME: &str = "\"taskId\":";
    let text = str::from_utf8(body).ok()?;
    // Cut off half-way it would be none of the server's.
    let text = text.strip_prefix('{')?.strip_suffix('}')?;
    let rest = &text[text.find(NAME)? + NAME.len()..];
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..digits].parse().ok()
}

/// Bodies like those of webhooks.
pub(crate) struct Bodies {
    before: String,
    after: String,
}

impl Bodies {
    pub(crate) fn new() -> anyhow::Result<Self> {
        // No number of a task: what is cut out and put in again.
        const MARK: &str = "\"taskId\":\"HERE\"";
        let mut body: Value = serde_json::from_str(SAMPLE)?;
        body["data"]["taskId"] = json!("HERE");
        let text = body.to_string();
        let parts = text.split_once(MARK);
        let (before, after) = parts.ok_or_else(|| anyhow::anyhow!("the sample has no taskId"))?;
        Ok(Self {
            before: before.to_owned(),
            after: after.to_owned(),
        })
    }

    /// The body of one.
    pub(crate) fn of(&self, task: u64) -> String {
        format!("{}\"taskId\":{task}{}", self.before, self.after)
    }
}
