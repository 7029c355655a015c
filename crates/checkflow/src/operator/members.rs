//! What the operator does with the members of a team.

use std::process::ExitCode;

use app::MemberRow;
use domain::{Member, MemberId, TeamId};
use serde_json::{Value, json};

use super::{say, with_store};
use crate::{
    cli::{MemberArgs, MemberCommand},
    serve,
};

/// `checkflow member …`
pub(crate) fn member(args: &MemberArgs) -> anyhow::Result<ExitCode> {
    match args.command.clone() {
        MemberCommand::Add {
            team,
            name,
            email,
            role,
            json,
            store,
        } => with_store(&store, serve::open_beside, async |store, source| {
            let wish = (name, email, role);
            let member = app::add_member(store, source, TeamId::new(team), wish).await?;
            let text = format!(
                "member {} ({}) of team {team} added",
                member.id, member.name
            );
            say(json, &listed(&member)?, &text)
        }),
        MemberCommand::List { team, json, store } => {
            let again = store.again();
            with_store(&store, serve::open_beside, async |store, _| {
                let members = app::list_members(store, TeamId::new(team)).await?;
                let text = if members.is_empty() {
                    format!(
                        "no members; `checkflow member add --team {team} --name NAME --email ADDRESS{again}` adds one"
                    )
                } else {
                    table(&members)
                };
                let rows: Vec<Value> = members.iter().map(listed).collect::<Result<_, _>>()?;
                say(json, &rows.into(), &text)
            })
        }
        MemberCommand::Deactivate {
            team,
            member,
            json,
            store,
        } => with_store(&store, serve::open_beside, async |store, source| {
            let (team, id) = (TeamId::new(team), MemberId::new(member));
            let now = app::deactivate_member(store, source, team, id).await?;
            let text = if now {
                "is no longer active"
            } else {
                "was not active before"
            };
            let row = json!({ "memberId": id, "deactivatedNow": now });
            say(json, &row, &format!("member {id} {text}"))
        }),
    }
}

fn listed(member: &Member) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(MemberRow::from(member))?)
}

fn table(members: &[Member]) -> String {
    let row = |member: &Member| {
        let state = match member.deactivated_at {
            Some(at) => format!("  not active since {at}"),
            None => String::new(),
        };
        format!(
            "{}  {}  {}  {}{state}",
            member.id, member.role, member.name, member.email
        )
    };
    members.iter().map(row).collect::<Vec<_>>().join("\n")
}
