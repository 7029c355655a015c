//! Filling a database in one transaction.

use std::{error::Error, pin::pin};

use async_trait::async_trait;
use bytes::BytesMut;
use domain::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio_postgres::{
    Client,
    binary_copy::BinaryCopyInWriter,
    error::SqlState,
    types::{IsNull, Json, ToSql, Type, to_sql_checked},
};

use super::{
    super::{
        fault::Fault,
        migrations::{self, LOCK},
        open::{lone_client, version_check},
        values::Moment,
    },
    WITHOUT_LIMITS, is_worked_on, open_failed, read, schema, try_lock, up_to_date,
};
use crate::{
    PostgresError,
    copy::{CopyError, During, Kind, Row, Slices, Source, TABLES, Table, Target, Value},
};

/// A database with nothing in it, in a transaction that nobody else sees into.
pub(crate) struct CopyTarget {
    client: Client,
    place: String,
}

impl CopyTarget {
    /// Opens the database at `url`, unless it is that of the source, which left its `mark`.
    pub(crate) async fn open(
        url: &str,
        place: String,
        mark: Option<i64>,
    ) -> Result<Self, CopyError> {
        let mut client = lone_client(url).await?;
        version_check(&client).await?;
        if let Some(mark) = mark
            && !try_lock(&client, mark).await?
        {
            return Err(CopyError::Same);
        }
        let steps = schema(&client).await?;
        if steps.done() == 0 {
            // Its own commit: a schema with nothing in it is as good as none.
            migrations::migrate(&mut client)
                .await
                .map_err(open_failed)?
                .ok_or(PostgresError::NewerSchema)?;
        } else {
            up_to_date(&steps, &place)?;
        }
        client
            .batch_execute(&format!("BEGIN; {WITHOUT_LIMITS}"))
            .await
            .map_err(open_failed)?;
        // For a moment only: one that was killed may still hold it.
        let lock = client.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]);
        lock.await.map_err(|error| busy(error, &place))?;
        if is_worked_on(&client).await? {
            return Err(CopyError::InUse(place));
        }
        let target = Self { client, place };
        target.make_sure_of_nothing().await?;
        Ok(target)
    }

    /// Locks all tables, and refuses any that has something in it.
    async fn make_sure_of_nothing(&self) -> Result<(), CopyError> {
        let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        let lock = format!(
            "LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE",
            names.join(", ")
        );
        let locked = self.client.batch_execute(&lock).await;
        locked.map_err(|error| busy(error, &self.place))?;
        let mut found = Vec::new();
        for table in &TABLES {
            if table.preset {
                let delete = format!("DELETE FROM {}", table.name);
                self.client
                    .batch_execute(&delete)
                    .await
                    .map_err(open_failed)?;
                continue;
            }
            let count = format!("SELECT count(*) FROM {}", table.name);
            let row = self.client.query_one(&count, &[]).await;
            let count: i64 = row.and_then(|row| row.try_get(0)).map_err(open_failed)?;
            if count > 0 {
                found.push(format!("{} ({count})", table.name));
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        Err(CopyError::NotEmpty {
            place: self.place.clone(),
            what: found.join(", "),
        })
    }

    fn doing(&self, doing: &'static str, table: &'static str) -> During<'_> {
        During {
            place: &self.place,
            doing,
            table,
        }
    }
}

/// What it means that a lock was not got.
fn busy(error: tokio_postgres::Error, place: &str) -> CopyError {
    if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
        CopyError::Busy(place.to_owned())
    } else {
        open_failed(error)
    }
}

#[async_trait]
impl Source for CopyTarget {
    async fn read(&self, table: &'static Table, out: Slices) -> Result<(), CopyError> {
        read(&self.client, &self.place, table, out).await
    }
}

#[async_trait]
impl Target for CopyTarget {
    async fn write(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), CopyError> {
        let doing = self.doing("writing", table.name);
        let written = self.copy_in(table, rows).await;
        written.map_err(|error| doing.failed(&Fault::from(error).into()))
    }

    async fn filled(&self) -> Result<(), CopyError> {
        let doing = self.doing("finishing", "delivery");
        let finished = self.number_on().await;
        finished.map_err(|error| doing.failed(&Fault::from(error).into()))
    }

    async fn keep(self: Box<Self>) -> Result<(), CopyError> {
        let doing = self.doing("keeping", "delivery");
        let kept = self.client.batch_execute("COMMIT").await;
        kept.map_err(|error| doing.failed(&Fault::from(error).into()))
    }
}

impl CopyTarget {
    async fn copy_in(
        &self,
        table: &Table,
        mut rows: Vec<Row>,
    ) -> Result<(), tokio_postgres::Error> {
        let mut names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let mut types: Vec<_> = table.columns.iter().map(|column| ty(column.kind)).collect();
        if table.name == "subscription" {
            names.push("target_hash");
            types.push(Type::BYTEA);
        }
        for row in &mut rows {
            own(table, row);
        }
        let columns = names.join(", ");
        let copy = format!("COPY {} ({columns}) FROM STDIN (FORMAT binary)", table.name);
        let mut writer = pin!(BinaryCopyInWriter::new(
            self.client.copy_in(&copy).await?,
            &types
        ));
        for row in &rows {
            writer.as_mut().write_raw(row).await?;
        }
        writer.finish().await.map(|_| ())
    }

    /// Has the database's own numbers go on after those that were copied, and its planner know of what is
    /// there.
    async fn number_on(&self) -> Result<(), tokio_postgres::Error> {
        let numbered = "SELECT table_name::text, column_name::text FROM information_schema.columns
            WHERE table_schema = current_schema() AND is_identity = 'YES'";
        for row in self.client.query(numbered, &[]).await? {
            let (table, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let next = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column}))
                FROM {table} HAVING max({column}) IS NOT NULL"
            );
            self.client.batch_execute(&next).await?;
        }
        for table in &TABLES {
            let analyze = format!("ANALYZE {}", table.name);
            self.client.batch_execute(&analyze).await?;
        }
        Ok(())
    }
}

/// Gives a row what only this database has.
fn own(table: &Table, row: &mut Row) {
    if table.name == "subscription" {
        let Value::Text(target) = &row[table.place("target_url")] else {
            unreachable!("a subscription has a target");
        };
        let hash = Sha256::digest(target).to_vec();
        row.push(Value::Bytes(hash));
    }
}

fn ty(kind: Kind) -> Type {
    match kind {
        Kind::Int => Type::INT8,
        Kind::Bool => Type::BOOL,
        Kind::Text => Type::TEXT,
        Kind::Bytes => Type::BYTEA,
        Kind::Guid => Type::UUID,
        Kind::Time => Type::TIMESTAMPTZ,
        Kind::Json => Type::JSONB,
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql(ty, out),
            Self::Bool(is) => is.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
            Self::Guid(guid) => guid.to_sql(ty, out),
            Self::Time(millis) => Moment(Timestamp::from_millis(*millis)).to_sql(ty, out),
            Self::Json(json) => Json(json).to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // The list of columns says which value goes where.
        true
    }

    to_sql_checked!();
}
