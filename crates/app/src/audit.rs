//! Reading the audit log: who changed what, when, and through which door. Nothing changes it or takes from it.

use domain::{Actor, ApiKeyId, AuditNumber, MemberId, Right, Timestamp};
use serde::Serialize;
use store::{AuditLine, Doing, ReadTx};
use utoipa::ToSchema;

use crate::{App, AppError, Query};

/// Most lines on a page.
pub const AUDIT_PAGE_MAX: u32 = 100;
/// Lines read at once.
const SLICE: u32 = 500;
/// Most slices that are looked through for one page, so that a rare wish does not hold the database up.
const SLICES_MAX: usize = 20;

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditRow {
    /// Its number; later lines of the team have higher ones.
    pub number: AuditNumber,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub date_time: Timestamp,
    /// The name of who acted.
    pub by: String,
    /// The API key that was used, if one was.
    pub key_id: Option<ApiKeyId>,
    /// The member for whom it was used; null where the key itself acted.
    pub member_id: Option<MemberId>,
    /// Through which door: `api`, `cli`, or `system` for the server itself.
    #[schema(example = "api")]
    pub door: String,
    /// What was done.
    #[schema(example = "task.complete")]
    pub action: String,
    /// To what: its identifier.
    pub subject: String,
    /// What else was noted.
    pub detail: String,
}

impl From<AuditLine> for AuditRow {
    fn from(line: AuditLine) -> Self {
        Self {
            number: line.number,
            date_time: line.at,
            by: line.by,
            key_id: line.key,
            member_id: line.member,
            door: line.door,
            action: line.action,
            subject: line.subject,
            detail: line.detail,
        }
    }
}

/// Some lines of the audit log.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditPage {
    /// The lines, newest first. May be fewer than asked for, or none, with more to come.
    pub items: Vec<AuditRow>,
    /// What to give as `cursor` for the next page; null on the last.
    pub next_cursor: Option<AuditNumber>,
}

/// `GET audit/log`: the team's audit log, newest first.
#[derive(Clone, Debug, Default)]
pub struct ReadAudit {
    /// From then on.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
    /// What was done, or the noun of it: `task.complete`, `task`.
    pub action: Option<String>,
    /// To what.
    pub subject: Option<String>,
    /// With which key.
    pub key: Option<ApiKeyId>,
    /// For which member.
    pub member: Option<MemberId>,
    /// The last of the page before.
    pub before: Option<AuditNumber>,
    /// Lines on a page, from 1 to [`AUDIT_PAGE_MAX`].
    pub limit: u32,
}

impl ReadAudit {
    fn wants(&self, line: &AuditLine) -> bool {
        let action = |wanted: &String| {
            let noun = line.action.split('.').next().unwrap_or_default();
            *wanted == line.action || wanted == noun
        };
        self.since.is_none_or(|since| line.at >= since)
            && self.until.is_none_or(|until| line.at < until)
            && self.action.as_ref().is_none_or(action)
            && self
                .subject
                .as_ref()
                .is_none_or(|subject| *subject == line.subject)
            && self.key.is_none_or(|key| line.key == Some(key))
            && self.member.is_none_or(|member| line.member == Some(member))
    }
}

impl Query for ReadAudit {
    const NEEDS: Right = Right::Admin;

    type Answer = AuditPage;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<AuditPage, AppError> {
        let limit = self.limit.clamp(1, AUDIT_PAGE_MAX) as usize;
        let mut items = Vec::new();
        let mut reached = self.before;
        for _ in 0..SLICES_MAX {
            let slice = tx.audit_list(actor.team, reached, SLICE).await;
            let slice = slice.doing::<AppError>("reading the audit log")?;
            let last = slice.len() < SLICE as usize;
            for line in slice {
                if items.len() == limit {
                    return Ok(AuditPage {
                        items,
                        next_cursor: reached,
                    });
                }
                reached = Some(line.number);
                if self.wants(&line) {
                    items.push(line.into());
                }
            }
            if last {
                return Ok(AuditPage {
                    items,
                    next_cursor: None,
                });
            }
        }
        Ok(AuditPage {
            items,
            next_cursor: reached,
        })
    }
}
