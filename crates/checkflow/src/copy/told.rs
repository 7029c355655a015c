//! What is said of a copy that was made, and of what is left to do.

use std::path::Path;

use serde_json::{Value, json};
use store::{
    CopyPlace, FilesCopied, FilesOptions, KeyCopied, TableCopied, database_without_password,
};

use crate::cli::{CopyArgs, option};

/// Hexadecimal digits of a sum that people compare; `--json` has all.
const SUM_SHOWN: usize = 16;

/// The file of the master key in a data folder.
const KEY_FILE: &str = "master.key";

/// What was done.
pub(super) struct Done {
    pub(super) tables: Vec<TableCopied>,
    /// None: they stay where they are.
    pub(super) files: Option<FilesCopied>,
    /// Where they are from now on, if that was said.
    pub(super) place: Option<FilesOptions>,
    pub(super) key: KeyCopied,
}

/// The option that names a database, as it was said.
pub(super) fn named(place: &CopyPlace, said: &str) -> String {
    match place.folder() {
        Some(folder) => option("--data", &folder.display().to_string()),
        None => option("--database", &database_without_password(said)),
    }
}

impl Done {
    pub(super) fn row(&self, from: &CopyPlace, to: &CopyPlace) -> Value {
        let table = |table: &TableCopied| json!({ "table": table.name, "rows": table.rows, "sum": domain::hex(&table.sum) });
        let files = self.files.map(
            |files| json!({ "copied": files.copied, "there": files.there, "bytes": files.bytes }),
        );
        json!({
            "from": from.to_string(),
            "to": to.to_string(),
            "tables": self.tables.iter().map(table).collect::<Vec<_>>(),
            "files": files,
            "masterKey": match self.key {
                KeyCopied::Copied => "copied",
                KeyCopied::WasThere => "wasThere",
                KeyCopied::NotCopied => "notCopied",
            },
        })
    }

    pub(super) fn text(&self, args: &CopyArgs, from: &CopyPlace, to: &CopyPlace) -> String {
        let mut lines = vec![format!("{:<22}{:>12}  sum of the rows", "table", "rows")];
        for table in &self.tables {
            let sum = &domain::hex(&table.sum)[..SUM_SHOWN];
            lines.push(format!("{:<22}{:>12}  {sum}…", table.name, table.rows));
        }
        let rows: u64 = self.tables.iter().map(|table| table.rows).sum();
        lines.push(format!(
            "{rows} rows were copied, read back from {to} and found the same"
        ));
        lines.push(match self.files {
            None => "files: they stay where they are".to_owned(),
            Some(files) => format!(
                "files: {} copied, {} there already, {} bytes in all",
                files.copied, files.there, files.bytes
            ),
        });
        let folder = self.data_folder(from, to);
        let key = folder.filter(|folder| folder.join(KEY_FILE).exists());
        lines.push(key_told(self.key, folder, key.is_some()));
        lines.push(self.next(args, to, folder));
        lines.join("\n")
    }

    /// The data folder that the copy is served with, if that is known: that of the database, else that of the files,
    /// else that of the master key.
    fn data_folder<'a>(&'a self, from: &'a CopyPlace, to: &'a CopyPlace) -> Option<&'a Path> {
        let of_files = self
            .place
            .as_ref()
            .filter(|place| place.are_in_the_folder());
        let of_files = of_files.map(|place| &*place.folder);
        to.folder().or(of_files).or(from.folder())
    }

    /// What to do next, to be pasted.
    fn next(&self, args: &CopyArgs, to: &CopyPlace, folder: Option<&Path>) -> String {
        let mut line = "next: checkflow serve".to_owned();
        if let Some(folder) = folder {
            line += &option("--data", &folder.display().to_string());
        }
        if to.folder().is_none() {
            line += &named(to, &args.to);
        }
        let bucket = self.place.as_ref().and_then(|place| place.bucket.as_ref());
        if let Some(bucket) = bucket {
            line += &option("--files", &bucket.location.to_string());
        }
        if let Some(file) = &args.config {
            line += &option("--config", &file.display().to_string());
        }
        if self.place.is_none() {
            line += "\n(if the files are in a bucket, with the same --files as before)";
        }
        line
    }
}

/// What became of the master key, and what is left to do for a server with the data folder `folder`, in which the
/// source's may lie.
fn key_told(key: KeyCopied, folder: Option<&Path>, is_there: bool) -> String {
    let Some(folder) = folder else {
        return "master key: it is not in the database; serve it with the data folder whose master.key it was \
                made with, or with that key as store.master_key"
            .to_owned();
    };
    let shown = folder.display();
    match key {
        KeyCopied::Copied => format!("master key: copied into {shown}"),
        KeyCopied::WasThere => format!("master key: {shown} has it"),
        KeyCopied::NotCopied if is_there => {
            format!("master key: it is not in the database; it stays in {shown}")
        }
        KeyCopied::NotCopied => format!(
            "master key: it is not in {shown}; put the master.key that the source was made with there, or give that \
             key as store.master_key"
        ),
    }
}
