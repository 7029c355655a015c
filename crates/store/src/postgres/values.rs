//! Values as they lie in columns, and back.

use std::{error::Error, str::FromStr};

use bytes::{BufMut as _, BytesMut};
use domain::{Done, Person, Timestamp};
use tokio_postgres::{
    Row,
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};
use uuid::Uuid;

use super::fault::Fault;
use crate::place::Place;

/// Milliseconds from 1970, from where we count, to 2000, from where PostgreSQL does.
const EPOCH_MILLIS: i64 = 946_684_800_000;

/// A moment as `timestamptz`: microseconds since 2000 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(pub(super) Timestamp);

impl ToSql for Moment {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let millis = self.0.as_millis().saturating_sub(EPOCH_MILLIS);
        out.put_i64(millis.saturating_mul(1_000));
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Moment {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        let millis = micros.div_euclid(1_000) + EPOCH_MILLIS;
        Ok(Self(Timestamp::from_millis(millis)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

/// A moment that may be absent, as it is stored.
pub(super) fn moment(at: Option<Timestamp>) -> Option<Moment> {
    at.map(Moment)
}

/// Reading a row by the places of its columns.
pub(super) trait Cells {
    /// A value that needs no translation.
    fn cell<'a, T: FromSql<'a>>(&'a self, at: usize) -> Result<T, Fault>;
    /// A number, which is never negative and fits.
    fn number<T: TryFrom<i64>>(&self, at: usize, place: Place) -> Result<T, Fault>;
    /// A number that may be absent.
    fn number_opt<T: TryFrom<i64>>(&self, at: usize, place: Place) -> Result<Option<T>, Fault>;
    /// A moment.
    fn time(&self, at: usize) -> Result<Timestamp, Fault>;
    /// A moment that may be absent.
    fn time_opt(&self, at: usize) -> Result<Option<Timestamp>, Fault>;
    /// A GUID.
    fn guid(&self, at: usize) -> Result<Uuid, Fault>;
    /// When and by whom, from three columns that begin at `at`.
    fn done(&self, at: usize) -> Result<Done, Fault>;
    /// A word, read back as what it stands for.
    fn word<T: FromStr>(&self, at: usize, place: Place) -> Result<T, Fault>;
}

impl Cells for Row {
    fn cell<'a, T: FromSql<'a>>(&'a self, at: usize) -> Result<T, Fault> {
        Ok(self.try_get(at)?)
    }

    fn number<T: TryFrom<i64>>(&self, at: usize, place: Place) -> Result<T, Fault> {
        let number: i64 = self.try_get(at)?;
        T::try_from(number).map_err(|_| place.corrupt(format!("with {number}")).into())
    }

    fn number_opt<T: TryFrom<i64>>(&self, at: usize, place: Place) -> Result<Option<T>, Fault> {
        let absent = self.try_get::<_, Option<i64>>(at)?.is_none();
        if absent {
            Ok(None)
        } else {
            self.number(at, place).map(Some)
        }
    }

    fn time(&self, at: usize) -> Result<Timestamp, Fault> {
        Ok(self.try_get::<_, Moment>(at)?.0)
    }

    fn time_opt(&self, at: usize) -> Result<Option<Timestamp>, Fault> {
        Ok(self.try_get::<_, Option<Moment>>(at)?.map(|Moment(at)| at))
    }

    fn guid(&self, at: usize) -> Result<Uuid, Fault> {
        Ok(self.try_get(at)?)
    }

    fn done(&self, at: usize) -> Result<Done, Fault> {
        let by = Person {
            name: self.cell(at + 1)?,
            email: self.cell(at + 2)?,
        };
        Ok(Done {
            at: self.time(at)?,
            by,
        })
    }

    fn word<T: FromStr>(&self, at: usize, place: Place) -> Result<T, Fault> {
        let word: &str = self.try_get(at)?;
        // The row's own key is not always among the columns; the word itself finds it as well.
        word.parse()
            .map_err(|_| place.corrupt(format!("with {word:?}")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lies_in_the_column_as_postgresql_counts() {
        // 2026-11-23T20:00:00.123Z is 27 years less some weeks after 2000.
        for (millis, micros) in [
            (EPOCH_MILLIS, 0),
            (EPOCH_MILLIS + 1, 1_000),
            (0, -EPOCH_MILLIS * 1_000),
        ] {
            let moment = Moment(Timestamp::from_millis(millis));
            let mut out = BytesMut::new();
            moment.to_sql(&Type::TIMESTAMPTZ, &mut out).unwrap();
            assert_eq!(&out[..], i64::to_be_bytes(micros), "{millis}");
            let back = Moment::from_sql(&Type::TIMESTAMPTZ, &out).unwrap();
            assert_eq!(back, moment);
        }
    }
}
