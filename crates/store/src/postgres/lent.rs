//! A connection of a pool, for as long as a transaction is on it.

use std::{ops::Deref, time::Duration};

use deadpool_postgres::{ClientWrapper, HookError, Object, Pool, PoolError, TimeoutType};
use tokio::time::timeout;

use super::{
    fault,
    tx::{Lost, Spoilt},
};
use crate::StoreError;

/// A connection that is lent. Whoever is done says so by giving it back; one that is dropped instead, with whoever
/// had it, has an open transaction on it, and is closed.
pub(super) struct Lent<'p> {
    pool: &'p Pool,
    conn: Option<Object>,
}

impl<'p> Lent<'p> {
    /// A connection of `pool`, once there is one.
    pub(super) async fn of(pool: &'p Pool) -> Result<Self, StoreError> {
        let bound = pool.timeouts().create.unwrap_or(Duration::MAX);
        // Waiting for another's and making one have the same bound, and one after the other no longer one.
        let found = timeout(bound, pool.get()).await;
        let found = found.unwrap_or(Err(PoolError::Timeout(TimeoutType::Create)));
        let conn = found.map_err(|error| match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                fault::meaning(error)
            }
            PoolError::Timeout(TimeoutType::Wait) => {
                StoreError::Unavailable(Some("all connections to the database are in use".into()))
            }
            other => StoreError::Unavailable(Some(other.into())),
        })?;
        Ok(Self {
            pool,
            conn: Some(conn),
        })
    }

    /// Gives it back after a transaction, unless it is of no use any more.
    pub(super) fn give_back<T>(mut self, ended: &Result<T, Lost>) {
        let spoilt = ended.as_ref().err().map_or(Spoilt::No, |lost| lost.spoilt);
        if spoilt == Spoilt::No {
            drop(self.conn.take());
        }
        if spoilt == Spoilt::All {
            // Those that are in use find out for themselves.
            self.pool.retain(|_, _| false);
        }
    }
}

impl Deref for Lent<'_> {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        self.conn
            .as_ref()
            .expect("it is here until it is given back")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            drop(Object::take(conn));
        }
    }
}
