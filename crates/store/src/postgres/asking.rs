//! How a statement reaches the server: prepared once on each connection, or said whole each time.
//!
//! The second is for a pooler that gives a connection to a client for one transaction only: a statement that was
//! prepared in one is not there in the next. Binding needs the types of the parameters; the server is asked for
//! those of each text once, within the transaction that first uses it.

use std::sync::Arc;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::{
    Error, Row, Statement,
    types::{ToSql, Type},
};

use super::{core::Core, tx::Owned};

/// Texts of which the types are kept. There are fewer.
pub(super) const TEXTS_KEPT_MAX: usize = 1_024;

/// A text with the types of its parameters.
#[derive(Debug)]
pub(super) struct Text {
    sql: String,
    types: Vec<Type>,
}

/// A statement that can be run.
pub(super) enum Asked {
    Prepared(Statement),
    Said(Arc<Text>),
}

impl Asked {
    /// Makes `sql` ready on `conn`, on which a transaction has begun.
    pub(super) async fn new(conn: &ClientWrapper, core: &Core, sql: &str) -> Result<Self, Error> {
        if !core.pooled {
            return conn.prepare_cached(sql).await.map(Self::Prepared);
        }
        let key = sql.to_owned();
        if let Some(text) = core.texts_known.get(&key) {
            return Ok(Self::Said(text));
        }
        // Its name is given back before the transaction can end, so that no other client of the pooler, which
        // may choose the same, finds it taken.
        let types = conn.prepare(sql).await?.params().to_vec();
        let sql = sql.to_owned();
        let text = Arc::new(Text { sql, types });
        core.texts_known.put(key, text.clone());
        Ok(Self::Said(text))
    }

    /// Runs it; answers how many rows it changed.
    pub(super) async fn execute(
        &self,
        conn: &ClientWrapper,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        match self {
            Self::Prepared(statement) => conn.execute(statement, params).await,
            Self::Said(text) => conn.execute_typed(&text.sql, &text.typed(params)).await,
        }
    }

    /// The same with parameters that it owns.
    pub(super) async fn execute_owned(
        &self,
        conn: &ClientWrapper,
        params: Vec<Owned>,
    ) -> Result<u64, Error> {
        match self {
            Self::Prepared(statement) => conn.execute_raw(statement, params).await,
            Self::Said(_) => {
                let borrowed: Vec<&(dyn ToSql + Sync)> =
                    params.iter().map(|param| &**param as _).collect();
                self.execute(conn, &borrowed).await
            }
        }
    }

    /// Runs it with parameters that it owns; answers its rows.
    pub(super) async fn query_owned(
        &self,
        conn: &ClientWrapper,
        params: Vec<Owned>,
    ) -> Result<Vec<Row>, Error> {
        let borrowed: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| &**param as _).collect();
        self.query(conn, &borrowed).await
    }

    /// Runs it; answers its rows.
    pub(super) async fn query(
        &self,
        conn: &ClientWrapper,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        match self {
            Self::Prepared(statement) => conn.query(statement, params).await,
            Self::Said(text) => conn.query_typed(&text.sql, &text.typed(params)).await,
        }
    }
}

impl Text {
    fn typed<'p>(&self, params: &[&'p (dyn ToSql + Sync)]) -> Vec<(&'p (dyn ToSql + Sync), Type)> {
        let types = self.types.iter().cloned();
        params.iter().copied().zip(types).collect()
    }
}
