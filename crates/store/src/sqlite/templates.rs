//! Templates and their editions. An edition is stored as the document that people read, with every
//! key, and read back by the same function that takes theirs.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    ControlId, ControlKey, ControlType, KnownKeys, TaskKey, TeamId, Template, TemplateKey,
    Timestamp, VersionId,
};
use rusqlite::params;

use super::{
    tx::{Change, Tx},
    values::Cells as _,
};
use crate::{
    ControlPlace, Named, ReadTemplates, StoreError, TaskPlace, TemplateRecord, WriteTemplates,
    editions::edition_read, names::folded, place::Place, sql,
};

const CONTROL_TYPE: Place = Place {
    table: "template_control",
    column: "type",
};
const DOCUMENT: Place = Place {
    table: "template_version",
    column: "document",
};

#[async_trait]
impl<G: Send> ReadTemplates for Tx<'_, G> {
    async fn template_list(
        &mut self,
        team: TeamId,
        limit: u32,
    ) -> Result<Vec<Named<TemplateKey>>, StoreError> {
        let sql = sql::TEMPLATE_LIST;
        self.all(sql, params![team.get(), limit], |row| {
            Ok(Named {
                key: TemplateKey::new(row.guid(0)?),
                name: row.get(1)?,
            })
        })
    }

    async fn template_count(&mut self, team: TeamId) -> Result<u64, StoreError> {
        let sql = sql::TEMPLATE_COUNT;
        let count: i64 = self.one(sql, [team.get()], |row| Ok(row.get(0)?))?;
        Ok(count.unsigned_abs())
    }

    async fn template_get(
        &mut self,
        team: TeamId,
        key: TemplateKey,
    ) -> Result<Option<TemplateRecord>, StoreError> {
        let sql = sql::TEMPLATE_GET;
        let version = self.first(sql, params![key.uuid(), team.get()], |row| {
            Ok(VersionId::new(row.guid(0)?))
        })?;
        let Some(version) = version else {
            return Ok(None);
        };
        let template = self.edition(version)?;
        Ok(Some(TemplateRecord {
            team,
            version,
            template,
        }))
    }

    async fn template_known_keys(&mut self, key: TemplateKey) -> Result<KnownKeys, StoreError> {
        let mut known = KnownKeys::default();
        let sql = sql::TEMPLATE_KNOWN_TASKS;
        let tasks = self.all(sql, [key.uuid()], |row| Ok(TaskKey::new(row.guid(0)?)))?;
        known.tasks.extend(tasks);
        let sql = sql::TEMPLATE_KNOWN_CONTROLS;
        let controls = self.all(sql, [key.uuid()], |row| {
            let control = (ControlId::new(row.get(1)?), row.word(2, CONTROL_TYPE)?);
            Ok((ControlKey::new(row.guid(0)?), control))
        })?;
        known.controls.extend(controls);
        Ok(known)
    }

    async fn task_find(
        &mut self,
        team: TeamId,
        key: TaskKey,
    ) -> Result<Option<TaskPlace>, StoreError> {
        let sql = sql::TASK_FIND;
        self.first(sql, params![key.uuid(), team.get()], |row| {
            Ok(TaskPlace {
                template: TemplateKey::new(row.guid(0)?),
                name: row.get(1)?,
                heading: row.get(2)?,
            })
        })
    }

    async fn control_find(
        &mut self,
        team: TeamId,
        key: ControlKey,
    ) -> Result<Option<ControlPlace>, StoreError> {
        let sql = sql::CONTROL_FIND;
        self.first(sql, params![key.uuid(), team.get()], |row| {
            Ok(ControlPlace {
                template: TemplateKey::new(row.guid(0)?),
                task: TaskKey::new(row.guid(1)?),
                name: row.get(2)?,
                kind: row.word(3, CONTROL_TYPE)?,
            })
        })
    }

    async fn task_suggest(
        &mut self,
        team: TeamId,
        limit: u32,
    ) -> Result<Vec<Named<TaskKey>>, StoreError> {
        let sql = "SELECT key, name FROM template_task
            WHERE team_id = ?1 AND current = 1 AND heading = 0 ORDER BY name, key LIMIT ?2";
        self.all(sql, params![team.get(), limit], |row| {
            Ok(Named {
                key: TaskKey::new(row.guid(0)?),
                name: row.get(1)?,
            })
        })
    }

    async fn control_suggest(
        &mut self,
        team: TeamId,
        kind: ControlType,
        limit: u32,
    ) -> Result<Vec<Named<ControlKey>>, StoreError> {
        let sql = "SELECT key, name FROM template_control
            WHERE team_id = ?1 AND type = ?2 AND current = 1 ORDER BY name, key LIMIT ?3";
        self.all(sql, params![team.get(), kind.word(), limit], |row| {
            Ok(Named {
                key: ControlKey::new(row.guid(0)?),
                name: row.get(1)?,
            })
        })
    }
}

impl<G> Tx<'_, G> {
    /// The edition `version`.
    pub(super) fn edition(&self, version: VersionId) -> Result<Arc<Template>, StoreError> {
        if let Some(template) = self.core.editions.get(&version) {
            return Ok(template);
        }
        let sql = sql::VERSION_GET;
        let (key, document) = self.one(sql, [version.uuid()], |row| {
            let document: String = row.get(1)?;
            Ok((TemplateKey::new(row.guid(0)?), document))
        })?;
        let document = serde_json::from_str(&document).ok();
        let template =
            document.and_then(|document| edition_read(key, &document, &self.core.source));
        let template = Arc::new(template.ok_or_else(|| DOCUMENT.corrupt(version))?);
        // What this transaction itself has written may be undone, but then nobody asks for it:
        // the identifier was made for it and is never given again.
        self.core.editions.put(version, template.clone());
        Ok(template)
    }
}

#[async_trait]
impl WriteTemplates for Change<'_> {
    async fn template_lock(&mut self, _key: TemplateKey) -> Result<(), StoreError> {
        // There is one writer, and this is it.
        Ok(())
    }

    async fn control_ids_reserve(&mut self, count: u32) -> Result<ControlId, StoreError> {
        let sql = sql::CONTROL_IDS_RESERVE;
        self.one(sql, [count], |row| Ok(ControlId::new(row.get(0)?)))
    }

    async fn template_put(
        &mut self,
        team: TeamId,
        version: VersionId,
        template: &Template,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let key = template.key.uuid();
        let document = serde_json::to_string(&template.to_document());
        let document = document.map_err(|error| StoreError::Failed(error.into()))?;
        let sql = sql::VERSION_INSERT;
        self.run(sql, params![version.uuid(), key, document, at.as_millis()])?;
        let sql = "INSERT INTO template
                (key, team_id, name, name_folded, version, created_at, updated_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
            ON CONFLICT (key) DO UPDATE SET name = excluded.name,
                name_folded = excluded.name_folded, version = excluded.version,
                updated_at = excluded.updated_at
            WHERE team_id = excluded.team_id";
        let folded = folded(&template.name);
        let row = params![
            key,
            team.get(),
            template.name,
            folded,
            version.uuid(),
            at.as_millis()
        ];
        ours(self.run(sql, row)?)?;
        for table in ["template_task", "template_control"] {
            let sql =
                format!("UPDATE {table} SET current = 0 WHERE template_key = ?1 AND current = 1");
            self.run(&sql, [key])?;
        }
        self.parts_put(team, template)
    }
}

impl Change<'_> {
    /// Has the tasks and controls of the newest edition found by key.
    fn parts_put(&self, team: TeamId, template: &Template) -> Result<(), StoreError> {
        let (team, key) = (team.get(), template.key.uuid());
        let task_sql = "INSERT INTO template_task
                (key, team_id, template_key, name, heading, current)
            VALUES (?1, ?2, ?3, ?4, ?5, 1)
            ON CONFLICT (key) DO UPDATE SET name = excluded.name, heading = excluded.heading,
                current = 1
            WHERE template_key = excluded.template_key";
        let control_sql = "INSERT INTO template_control
                (key, team_id, template_key, task_key, id, name, type, current)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)
            ON CONFLICT (key) DO UPDATE SET task_key = excluded.task_key, name = excluded.name,
                current = 1
            WHERE template_key = excluded.template_key";
        for task in &template.tasks {
            let row = params![task.key.uuid(), team, key, task.name, task.heading];
            ours(self.run(task_sql, row)?)?;
            for control in &task.controls {
                let kind = control.kind.kind().word();
                let (of, id) = (task.key.uuid(), control.id.get());
                let row = params![control.key.uuid(), team, key, of, id, control.name, kind];
                ours(self.run(control_sql, row)?)?;
            }
        }
        Ok(())
    }
}

/// A key that is another team's or template's changes no row.
fn ours(changed: usize) -> Result<(), StoreError> {
    match changed {
        0 => Err(StoreError::Failed(
            "a key of the template is in use elsewhere".into(),
        )),
        _ => Ok(()),
    }
}
