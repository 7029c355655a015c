//! What a database keeps of its master key, and what becomes of the key.

use tokio::sync::mpsc;

use super::{CopyError, CopyPlace, Row, SLICES_WAITING, Source, Value, table};
use crate::MasterKey;

/// What became of the master key that secrets are encrypted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyCopied {
    /// It was copied into the target's folder.
    Copied,
    /// The target's folder had it already.
    WasThere,
    /// Whoever works on the target has to be given it.
    NotCopied,
}

/// What a database keeps under `name`.
pub(super) async fn meta(source: &dyn Source, name: &str) -> Result<Option<Vec<u8>>, CopyError> {
    let mut known = None;
    let (send, mut slices) = mpsc::channel::<Vec<Row>>(SLICES_WAITING);
    let looking = async {
        while let Some(rows) = slices.recv().await {
            for row in rows {
                if let [Value::Text(found), Value::Bytes(value)] = &row[..]
                    && found == name
                {
                    known = Some(value.clone());
                }
            }
        }
    };
    let ((), read) = tokio::join!(looking, source.read(table("meta"), send));
    read.map(|()| known)
}

/// What is to become of the master key. The rows need none: what is encrypted is copied as it is.
pub(super) async fn key_look(
    source: &dyn Source,
    from: &CopyPlace,
    to: &CopyPlace,
) -> Result<KeyCopied, CopyError> {
    let Some(folder) = to.folder() else {
        return Ok(KeyCopied::NotCopied);
    };
    let known = meta(source, crate::secrets::KEY_NAME).await?;
    let is_its = |key: &MasterKey| known.as_ref().is_none_or(|known| key.is_known_by(known));
    if let Some(key) = MasterKey::load(folder)? {
        if is_its(&key) {
            return Ok(KeyCopied::WasThere);
        }
        return Err(CopyError::OtherKey {
            folder: folder.to_owned(),
            source_place: from.to_string(),
        });
    }
    let theirs = from.folder().map(MasterKey::load).transpose()?.flatten();
    Ok(match theirs {
        Some(key) if is_its(&key) => KeyCopied::Copied,
        _ => KeyCopied::NotCopied,
    })
}
