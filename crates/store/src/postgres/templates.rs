//! Templates and their editions.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    ControlId, ControlKey, ControlType, KnownKeys, TaskKey, TeamId, Template, TemplateDocument,
    TemplateKey, Timestamp, VersionId,
};
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::{
    tx::{Change, Tx, owned},
    values::{Cells as _, Moment},
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
        self.all(sql, &[&team.get(), &i64::from(limit)], |row| {
            Ok(Named {
                key: TemplateKey::new(row.guid(0)?),
                name: row.cell(1)?,
            })
        })
        .await
    }

    async fn template_count(&mut self, team: TeamId) -> Result<u64, StoreError> {
        let sql = sql::TEMPLATE_COUNT;
        let count: i64 = self.one(sql, &[&team.get()], |row| row.cell(0)).await?;
        Ok(count.unsigned_abs())
    }

    async fn template_get(
        &mut self,
        team: TeamId,
        key: TemplateKey,
    ) -> Result<Option<TemplateRecord>, StoreError> {
        let sql = sql::TEMPLATE_GET;
        let version = self
            .first(sql, &[&key.uuid(), &team.get()], |row| {
                Ok(VersionId::new(row.guid(0)?))
            })
            .await?;
        let Some(version) = version else {
            return Ok(None);
        };
        let template = self.edition(version).await?;
        Ok(Some(TemplateRecord {
            team,
            version,
            template,
        }))
    }

    async fn template_known_keys(&mut self, key: TemplateKey) -> Result<KnownKeys, StoreError> {
        let mut known = KnownKeys::default();
        let sql = sql::TEMPLATE_KNOWN_TASKS;
        let tasks = self
            .all(sql, &[&key.uuid()], |row| Ok(TaskKey::new(row.guid(0)?)))
            .await?;
        known.tasks.extend(tasks);
        let sql = sql::TEMPLATE_KNOWN_CONTROLS;
        let controls = self
            .all(sql, &[&key.uuid()], |row| {
                let control = (ControlId::new(row.cell(1)?), row.word(2, CONTROL_TYPE)?);
                Ok((ControlKey::new(row.guid(0)?), control))
            })
            .await?;
        known.controls.extend(controls);
        Ok(known)
    }

    async fn task_find(
        &mut self,
        team: TeamId,
        key: TaskKey,
    ) -> Result<Option<TaskPlace>, StoreError> {
        let sql = sql::TASK_FIND;
        self.first(sql, &[&key.uuid(), &team.get()], |row| {
            Ok(TaskPlace {
                template: TemplateKey::new(row.guid(0)?),
                name: row.cell(1)?,
                heading: row.cell(2)?,
            })
        })
        .await
    }

    async fn control_find(
        &mut self,
        team: TeamId,
        key: ControlKey,
    ) -> Result<Option<ControlPlace>, StoreError> {
        let sql = sql::CONTROL_FIND;
        self.first(sql, &[&key.uuid(), &team.get()], |row| {
            Ok(ControlPlace {
                template: TemplateKey::new(row.guid(0)?),
                task: TaskKey::new(row.guid(1)?),
                name: row.cell(2)?,
                kind: row.word(3, CONTROL_TYPE)?,
            })
        })
        .await
    }

    async fn task_suggest(
        &mut self,
        team: TeamId,
        limit: u32,
    ) -> Result<Vec<Named<TaskKey>>, StoreError> {
        let sql = "SELECT key, name FROM template_task
            WHERE team_id = $1 AND current AND NOT heading ORDER BY name, key LIMIT $2";
        self.all(sql, &[&team.get(), &i64::from(limit)], |row| {
            Ok(Named {
                key: TaskKey::new(row.guid(0)?),
                name: row.cell(1)?,
            })
        })
        .await
    }

    async fn control_suggest(
        &mut self,
        team: TeamId,
        kind: ControlType,
        limit: u32,
    ) -> Result<Vec<Named<ControlKey>>, StoreError> {
        let sql = "SELECT key, name FROM template_control
            WHERE team_id = $1 AND type = $2 AND current ORDER BY name, key LIMIT $3";
        self.all(
            sql,
            &[&team.get(), &kind.word(), &i64::from(limit)],
            |row| {
                Ok(Named {
                    key: ControlKey::new(row.guid(0)?),
                    name: row.cell(1)?,
                })
            },
        )
        .await
    }
}

impl<G: Send> Tx<'_, G> {
    /// The edition `version`.
    pub(super) async fn edition(
        &mut self,
        version: VersionId,
    ) -> Result<Arc<Template>, StoreError> {
        if let Some(template) = self.core.editions.get(&version) {
            return Ok(template);
        }
        let sql = sql::VERSION_GET;
        let (key, document) = self
            .one(sql, &[&version.uuid()], |row| {
                let Json(document) = row.cell::<Json<TemplateDocument>>(1)?;
                Ok((TemplateKey::new(row.guid(0)?), document))
            })
            .await?;
        let template = edition_read(key, &document, &self.core.source);
        let template = Arc::new(template.ok_or_else(|| DOCUMENT.corrupt(version))?);
        // What this transaction itself has written may be undone, but then nobody asks for it:
        // the identifier was made for it and is never given again.
        self.core.editions.put(version, template.clone());
        Ok(template)
    }
}

#[async_trait]
impl WriteTemplates for Change<'_> {
    async fn template_lock(&mut self, key: TemplateKey) -> Result<(), StoreError> {
        let sql = "SELECT 1 FROM template WHERE key = $1 FOR UPDATE";
        self.later(sql, owned![key.uuid()]).await
    }

    async fn control_ids_reserve(&mut self, count: u32) -> Result<ControlId, StoreError> {
        let sql = sql::CONTROL_IDS_RESERVE;
        self.one(sql, &[&i64::from(count)], |row| {
            Ok(ControlId::new(row.cell(0)?))
        })
        .await
    }

    async fn template_put(
        &mut self,
        team: TeamId,
        version: VersionId,
        template: &Template,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (key, at) = (template.key.uuid(), Moment(at));
        let sql = sql::VERSION_INSERT;
        let document = Json(template.to_document());
        self.run(sql, &[&version.uuid(), &key, &document, &at])
            .await?;
        let sql = "INSERT INTO template AS t
                (key, team_id, name, name_folded, version, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $6)
            ON CONFLICT (key) DO UPDATE SET name = excluded.name,
                name_folded = excluded.name_folded, version = excluded.version,
                updated_at = excluded.updated_at
            WHERE t.team_id = excluded.team_id";
        let folded = folded(&template.name);
        let changed = self
            .run(
                sql,
                &[
                    &key,
                    &team.get(),
                    &template.name,
                    &folded,
                    &version.uuid(),
                    &at,
                ],
            )
            .await?;
        ours(changed, 1)?;
        for sql in [
            "UPDATE template_task SET current = false WHERE template_key = $1 AND current",
            "UPDATE template_control SET current = false WHERE template_key = $1 AND current",
        ] {
            self.later(sql, owned![key]).await?;
        }
        self.parts_put(team, template).await
    }
}

impl Change<'_> {
    /// Has the tasks and controls of the newest edition found by key.
    async fn parts_put(&mut self, team: TeamId, template: &Template) -> Result<(), StoreError> {
        let (team, template_key) = (team.get(), template.key.uuid());
        let tasks = &template.tasks;
        let keys: Vec<Uuid> = tasks.iter().map(|task| task.key.uuid()).collect();
        let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
        let headings: Vec<bool> = tasks.iter().map(|task| task.heading).collect();
        let sql = "INSERT INTO template_task AS t
                (key, team_id, template_key, name, heading, current)
            SELECT key, $1, $2, name, heading, true
                FROM unnest($3::uuid[], $4::text[], $5::boolean[]) AS given (key, name, heading)
            ON CONFLICT (key) DO UPDATE SET name = excluded.name, heading = excluded.heading,
                current = true
            WHERE t.template_key = excluded.template_key";
        let bound: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&team, &template_key, &keys, &names, &headings];
        ours(self.run(sql, &bound).await?, keys.len())?;
        let controls = || {
            tasks
                .iter()
                .flat_map(|task| task.controls.iter().map(move |control| (task, control)))
        };
        let keys: Vec<Uuid> = controls().map(|(_, control)| control.key.uuid()).collect();
        let of: Vec<Uuid> = controls().map(|(task, _)| task.key.uuid()).collect();
        let ids: Vec<i64> = controls().map(|(_, control)| control.id.get()).collect();
        let names: Vec<&str> = controls()
            .map(|(_, control)| control.name.as_str())
            .collect();
        let kinds: Vec<&str> = controls()
            .map(|(_, control)| control.kind.kind().word())
            .collect();
        let sql = "INSERT INTO template_control AS c
                (key, team_id, template_key, task_key, id, name, type, current)
            SELECT key, $1, $2, task_key, id, name, type, true
                FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[])
                    AS given (key, task_key, id, name, type)
            ON CONFLICT (key) DO UPDATE SET task_key = excluded.task_key, name = excluded.name,
                current = true
            WHERE c.template_key = excluded.template_key";
        let bound: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
            [&team, &template_key, &keys, &of, &ids, &names, &kinds];
        ours(self.run(sql, &bound).await?, keys.len())
    }
}

/// A key that is another team's or template's changes no row.
fn ours(changed: u64, wanted: usize) -> Result<(), StoreError> {
    if usize::try_from(changed) == Ok(wanted) {
        Ok(())
    } else {
        Err(StoreError::Failed(
            "a key of the template is in use elsewhere".into(),
        ))
    }
}
