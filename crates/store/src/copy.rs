//! Copying a database, whole, into another that is empty: from SQLite to PostgreSQL, back, or to one of the
//! same kind.
//!
//! Each backend can be read from and filled, in rows of typed values; what is copied is one list of tables.
//! The rows are read back from the target and compared before it is kept, all or nothing. The source is
//! never changed, and nobody works on it meanwhile. Files are copied by themselves, before: they are
//! immutable and named by their keys, so that what is there already need not be copied again.

mod error;
mod files;
mod keys;
mod place;
mod rows;
mod tables;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    FileStore, MasterKey,
    files::{FILES_MARK, mark_of},
    postgres, sqlite,
};

pub use error::CopyError;
pub(crate) use error::During;
pub use files::FilesCopied;
pub use keys::KeyCopied;
pub use place::{CopyPlace, CopyPlaceError, is_address_like};
pub(crate) use rows::{Row, Slice, Value};
pub(crate) use tables::{Column, Kind, TABLES, Table};

use keys::{key_look, meta};
use rows::Tally;
use tables::table;

/// Slices that wait to be written at most.
const SLICES_WAITING: usize = 2;

/// Where rows go that are read.
pub(crate) type Slices = mpsc::Sender<Vec<Row>>;

/// A database that is read from, on one view of it.
#[async_trait]
pub(crate) trait Source: Send + Sync {
    /// Sends all rows of `table`, in an order in which the target numbers what it numbers itself. Ends early
    /// and without an error when nobody wants them any more.
    async fn read(&self, table: &'static Table, out: Slices) -> Result<(), CopyError>;

    /// What somebody else on the same database sees held, where that can't be told from how they are named.
    fn mark(&self) -> Option<i64> {
        None
    }
}

/// An empty database that is filled. Dropped before it is kept, it is as it was.
#[async_trait]
pub(crate) trait Target: Source {
    /// Writes rows of `table`.
    async fn write(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), CopyError>;

    /// Everything was written: what the database numbers itself goes on from there.
    async fn filled(&self) -> Result<(), CopyError>;

    /// Keeps what was written, all at once.
    async fn keep(self: Box<Self>) -> Result<(), CopyError>;
}

/// How far a copy is, for people who wait.
#[derive(Clone, Copy, Debug)]
pub struct CopyProgress {
    /// Such as "copying".
    pub doing: &'static str,
    /// Of which table.
    pub table: &'static str,
    /// How many rows, or files, so far.
    pub count: u64,
}

/// Hears how far a copy is, often.
pub type CopyWatch<'a> = &'a (dyn Fn(CopyProgress) + Sync);

/// A table that was copied and found the same in the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableCopied {
    /// Its name.
    pub name: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// The sum of their SHA-256s, each over typed values, so that it is the same on both kinds of database.
    pub sum: [u8; 32],
}

/// A source and a target, opened, with nobody else at work on them.
pub struct Copying {
    source: Box<dyn Source>,
    target: Box<dyn Target>,
    from: CopyPlace,
    to: CopyPlace,
    key: KeyCopied,
    /// None: the target knows its files as the source does.
    bound: Option<Bound>,
}

/// Where the files of the target are, which it will know by this id.
struct Bound {
    files: FileStore,
    id: Uuid,
}

impl std::fmt::Debug for Copying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Copying({} to {})", self.from, self.to)
    }
}

impl Copying {
    /// Opens both, and refuses what can't be copied from or to. Changes nothing in the source.
    ///
    /// # Errors
    /// See [`CopyError`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn begin(from: &CopyPlace, to: &CopyPlace) -> Result<Self, CopyError> {
        use place::Kind::{Folder, Server};
        if let (Some(one), Some(other)) = (from.folder(), to.folder())
            && let (Ok(one), Ok(other)) = (one.canonicalize(), other.canonicalize())
            && one == other
        {
            return Err(CopyError::Same);
        }
        let shown = from.to_string();
        let source: Box<dyn Source> = match &from.0 {
            Folder(folder) => Box::new(sqlite::CopySource::open(folder, shown)?),
            Server(url) => Box::new(postgres::CopySource::open(url, shown).await?),
        };
        let shown = to.to_string();
        let target: Box<dyn Target> = match &to.0 {
            Folder(folder) => Box::new(sqlite::CopyTarget::open(folder, shown)?),
            Server(url) => Box::new(postgres::CopyTarget::open(url, shown, source.mark()).await?),
        };
        let key = key_look(&*source, from, to).await?;
        Ok(Self {
            source,
            target,
            from: from.clone(),
            to: to.clone(),
            key,
            bound: None,
        })
    }

    /// Copies every row, reads all of them back from the target, compares, and keeps the target.
    ///
    /// # Errors
    /// See [`CopyError`]. The target is then as it was before.
    pub async fn database(
        self,
        watch: CopyWatch<'_>,
    ) -> Result<(Vec<TableCopied>, KeyCopied), CopyError> {
        let mut copied = Vec::new();
        for table in &TABLES {
            copied.push((table, self.pour(table, watch).await?));
        }
        self.target.filled().await?;
        let mut report = Vec::new();
        for (table, expected) in copied {
            let found = tally(&*self.target, table, watch).await?;
            if found != expected {
                return Err(CopyError::Differs {
                    table: table.name,
                    expected: expected.rows,
                    found: found.rows,
                });
            }
            report.push(TableCopied {
                name: table.name,
                rows: found.rows,
                sum: found.sum(),
            });
        }
        if let (KeyCopied::Copied, Some(from), Some(to)) =
            (self.key, self.from.folder(), self.to.folder())
        {
            // Before the database, which is of no use without it.
            MasterKey::copy(from, to)?;
        }
        self.target.keep().await?;
        if let Some(Bound { files, id }) = self.bound
            && let Err(error) = files.copy_ended(id).await
        {
            // The first start does it.
            tracing::debug!(%error, "the files were not told that their database was kept");
        }
        Ok((report, self.key))
    }

    /// The rows of a slice as the target gets them: its mark of where its files are is its own.
    fn bind(&self, table: &Table, rows: &mut Vec<Row>) {
        if self.bound.is_some() && table.name == "meta" {
            let mark = Value::Text(FILES_MARK.to_owned());
            rows.retain(|row| row.first() != Some(&mark));
        }
    }

    /// The row that the target has beside those of the source.
    fn own_row(&self, table: &Table) -> Option<Row> {
        let bound = self.bound.as_ref().filter(|_| table.name == "meta")?;
        let mark = Value::Text(FILES_MARK.to_owned());
        Some(vec![mark, Value::Bytes(mark_of(bound.id))])
    }

    /// Copies the rows of one table.
    async fn pour(&self, table: &'static Table, watch: CopyWatch<'_>) -> Result<Tally, CopyError> {
        let (send, mut slices) = mpsc::channel::<Vec<Row>>(SLICES_WAITING);
        let writing = async move {
            let mut tally = Tally::default();
            while let Some(mut rows) = slices.recv().await {
                self.bind(table, &mut rows);
                tally.add(table, &rows);
                self.target.write(table, rows).await?;
                watch(progress("copying", table, tally));
            }
            if let Some(row) = self.own_row(table) {
                let rows = vec![row];
                tally.add(table, &rows);
                self.target.write(table, rows).await?;
            }
            Ok::<_, CopyError>(tally)
        };
        let (written, read) = tokio::join!(writing, self.source.read(table, send));
        let written = written?;
        read.map(|()| written)
    }
}

/// Counts and sums the rows of one table.
async fn tally(
    of: &(impl Source + ?Sized),
    table: &'static Table,
    watch: CopyWatch<'_>,
) -> Result<Tally, CopyError> {
    let (send, mut slices) = mpsc::channel::<Vec<Row>>(SLICES_WAITING);
    let counting = async move {
        let mut tally = Tally::default();
        while let Some(rows) = slices.recv().await {
            tally.add(table, &rows);
            watch(progress("comparing", table, tally));
        }
        tally
    };
    let (tally, read) = tokio::join!(counting, of.read(table, send));
    read.map(|()| tally)
}

fn progress(doing: &'static str, table: &Table, tally: Tally) -> CopyProgress {
    CopyProgress {
        doing,
        table: table.name,
        count: tally.rows,
    }
}
