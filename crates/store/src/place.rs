//! Where a value lies that can't be.

use std::fmt::Display;

use crate::StoreError;

/// Which column a value that can't be was found in.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
}

impl Place {
    /// The value in `row` can't be.
    pub(crate) fn corrupt(self, row: impl Display) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            column: self.column,
            row: row.to_string(),
        }
    }
}
