//! `checkflow member …`

use clap::{Args, Subcommand};
use domain::Role;

use super::StoreArgs;

#[derive(Clone, Debug, Args)]
pub(crate) struct MemberArgs {
    #[command(subcommand)]
    pub(crate) command: MemberCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum MemberCommand {
    /// Add a member, whom calls can name and tasks be assigned to; nobody is written to
    #[command(
        after_help = "Example:\n  checkflow member add --team 1 --name 'Ann Smith' --email ann@example.com --role Administrator"
    )]
    Add {
        /// The team that they are to be in
        #[arg(long, value_name = "ID")]
        team: i64,
        /// Their full name
        #[arg(long)]
        name: String,
        /// Their address, which no other member of the team has
        #[arg(long)]
        email: String,
        /// What kind of member they are: Administrator, Member, or Guest (works only on tasks that are
        /// assigned to them)
        #[arg(long, default_value_t = Role::Member)]
        role: Role,
        /// Print {"memberId", "name", "email", "role", "isActive", "createdDateTime",
        /// "deactivatedDateTime"}
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// List the members of a team by name, those who are no longer active included
    #[command(after_help = "Example:\n  checkflow member list --team 1")]
    List {
        /// The team whose members are meant
        #[arg(long, value_name = "ID")]
        team: i64,
        /// Print an array of what `checkflow member add --json` prints
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Have a member no longer be active; what they did stays theirs
    #[command(after_help = "Example:\n  checkflow member deactivate --team 1 7")]
    Deactivate {
        /// The team whose member it is
        #[arg(long, value_name = "ID")]
        team: i64,
        /// The member's number, as `checkflow member list` shows it
        #[arg(value_name = "MEMBER-ID")]
        member: i64,
        /// Print {"memberId", "deactivatedNow"}
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
}
