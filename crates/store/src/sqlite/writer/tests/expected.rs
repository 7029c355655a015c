//! What must come of units that share commits, worked out without a database.

use domain::SubscriptionState;
use rusqlite::hooks::TransactionOperation;

use super::script::{Act, End, Script, Step, number};
use crate::StoreError;

/// What fails besides the units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outer {
    /// Nothing.
    Nothing,
    /// No transaction begins, because another process holds on to its own.
    Begin,
    /// So many commits are made, and the next one fails and ends its transaction.
    Commit(usize),
    /// The first commit, which leaves its transaction as it was.
    CommitDenied,
    /// So many commits are brought to the disk, and the next one is lost.
    Sync(usize),
    /// The first statement of this kind about a savepoint.
    Savepoint(TransactionOperation),
}

/// An event that is in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happened {
    pub(super) number: u128,
    /// How the first subscription stood, and its revision.
    pub(super) state: SubscriptionState,
    pub(super) revision: i64,
    /// Which of the groups that were committed it is in.
    pub(super) group: usize,
}

/// A group that was committed.
#[derive(Clone, Debug)]
pub(super) struct Committed {
    /// Whether it was brought to the disk as well.
    pub(super) durable: bool,
    /// Whether the first subscription was resumed in it.
    pub(super) resumed: bool,
    /// How many teams there were after it.
    pub(super) teams: usize,
}

/// What the tables hold.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) teams: Vec<String>,
    pub(super) events: Vec<Happened>,
    state: SubscriptionState,
    revision: i64,
    resumed: bool,
}

/// What must come of it all.
#[derive(Debug)]
pub(super) struct Expected {
    /// What each unit is told, and the group it was committed with, if it was.
    pub(super) told: Vec<(Result<(), String>, Option<usize>)>,
    pub(super) groups: Vec<Committed>,
    pub(super) tables: Tables,
}

/// Why a group ended.
type Lost = StoreError;

/// Units that ran and are told together.
struct Member {
    unit: usize,
    end: End,
}

/// Works it out for `scripts` that have queued up, at most `group_max` to a commit.
pub(super) fn expected(scripts: &[Script], group_max: usize, outer: Outer) -> Expected {
    let mut course = Course {
        scripts,
        outer,
        committed: Tables {
            teams: vec!["a team".to_owned()],
            events: Vec::new(),
            state: SubscriptionState::Paused,
            revision: 2,
            resumed: false,
        },
        groups: Vec::new(),
        begun: 0,
    };
    let mut told = Vec::new();
    while told.len() < scripts.len() {
        // Those who wait behind a transaction that did not begin would wait as long, and are told at once.
        let most = if outer == Outer::Begin {
            usize::MAX
        } else {
            group_max
        };
        let rest = told.len()..scripts.len().min(told.len().saturating_add(most));
        told.extend(course.group(rest));
    }
    Expected {
        told,
        groups: course.groups,
        tables: course.committed,
    }
}

struct Course<'a> {
    scripts: &'a [Script],
    outer: Outer,
    committed: Tables,
    groups: Vec<Committed>,
    begun: usize,
}

impl Course<'_> {
    /// Runs a group of units, at most these; what each of those that it took in is told.
    fn group(&mut self, units: std::ops::Range<usize>) -> Vec<(Result<(), String>, Option<usize>)> {
        let mut tables = self.committed.clone();
        tables.resumed = false;
        let mut members = Vec::new();
        let ran = if self.outer == Outer::Begin {
            members.extend(units.map(|unit| Member {
                unit,
                end: End::Keep,
            }));
            Err(StoreError::Unavailable(None))
        } else {
            self.members(units, &mut tables, &mut members)
        };
        let ended = ran.and_then(|()| self.commit(tables));
        let tell = |member: &Member| match (&ended, member.end) {
            (Err(lost), _) => (Err(lost.to_string()), None),
            (Ok(group), End::Panic) => (Err(StoreError::Panicked.to_string()), Some(*group)),
            (Ok(group), _) => (Ok(()), Some(*group)),
        };
        members.iter().map(tell).collect()
    }

    fn members(
        &mut self,
        units: std::ops::Range<usize>,
        tables: &mut Tables,
        members: &mut Vec<Member>,
    ) -> Result<(), Lost> {
        let mut savepoints = false;
        for unit in units {
            let act = self.scripts[unit].act(0);
            members.push(Member { unit, end: act.end });
            let before = tables.clone();
            let changed = self.run(unit, 0, savepoints, tables)?;
            if act.end == End::Keep {
                continue;
            }
            *tables = before;
            if savepoints || !changed {
                continue;
            }
            savepoints = true;
            tables.clone_from(&self.committed);
            tables.resumed = false;
            for member in members.iter_mut().filter(|one| one.end == End::Keep) {
                let before = tables.clone();
                self.run(member.unit, 1, true, tables)?;
                member.end = self.scripts[member.unit].act(1).end;
                if member.end != End::Keep {
                    *tables = before;
                }
            }
        }
        Ok(())
    }

    /// Runs one unit; whether it changed anything.
    fn run(
        &mut self,
        unit: usize,
        run: usize,
        savepoints: bool,
        tables: &mut Tables,
    ) -> Result<bool, Lost> {
        if savepoints {
            self.savepoint(TransactionOperation::Begin)?;
        }
        let Act { steps, end } = self.scripts[unit].act(run);
        let mut changed = false;
        for (place, step) in steps.iter().enumerate() {
            changed |= tables.take(*step, number(unit, run, place), self.groups.len())?;
        }
        if savepoints {
            if *end != End::Keep {
                self.savepoint(TransactionOperation::Rollback)?;
            }
            self.savepoint(TransactionOperation::Release)?;
        }
        Ok(changed)
    }

    fn savepoint(&mut self, what: TransactionOperation) -> Result<(), Lost> {
        if self.outer == Outer::Savepoint(what) {
            self.outer = Outer::Nothing;
            return Err(StoreError::Failed("denied".into()));
        }
        Ok(())
    }

    /// Answers which of the committed groups it has become.
    fn commit(&mut self, tables: Tables) -> Result<usize, Lost> {
        let number = self.begun;
        self.begun += 1;
        if self.outer == Outer::Commit(number) || self.outer == Outer::CommitDenied {
            self.outer = Outer::Nothing;
            return Err(StoreError::Failed("it failed".into()));
        }
        let durable = self.outer != Outer::Sync(self.groups.len());
        self.groups.push(Committed {
            durable,
            resumed: tables.resumed,
            teams: tables.teams.len(),
        });
        self.committed = tables;
        if durable {
            Ok(self.groups.len() - 1)
        } else {
            Err(StoreError::Unavailable(None))
        }
    }
}

impl Tables {
    /// Takes one step in `group`; whether it changes anything.
    fn take(&mut self, step: Step, number: u128, group: usize) -> Result<bool, Lost> {
        match step {
            Step::Team => self.teams.push(number.to_string()),
            Step::Event => self.events.push(Happened {
                number,
                state: self.state,
                revision: self.revision,
                group,
            }),
            Step::Put(state) if state == self.state => return Ok(false),
            Step::Put(state) => {
                self.resumed |= state.sends() && !self.state.sends();
                self.state = state;
                self.revision += 1;
            }
            Step::Stumble => return Ok(false),
            Step::Fill => return Err(StoreError::Full(None)),
        }
        Ok(true)
    }
}
