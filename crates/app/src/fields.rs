//! What the controls of a checklist hold.

use domain::{Actor, ChecklistId, ControlId, ControlKey, FieldId, FieldRow, Right};
use store::{Doing, Fields, WriteTx};

use crate::{
    App, AppError, Change, Missing,
    acting::{Work, may_work},
    emit::audit,
};

/// `PUT task/update-task-content`: sets the value of a control.
pub struct SetField {
    /// Which control of which checklist.
    pub field: FieldId,
    /// The control, if the caller named it too; must be the one that `field` is.
    pub control: Option<ControlId>,
    /// The control's key, if the caller named it too.
    pub key: Option<ControlKey>,
    /// The value; empty clears it.
    pub value: String,
}

/// The control as it stands now.
#[derive(serde::Serialize)]
pub struct SetFieldAnswer {
    /// As lists show it.
    pub row: FieldRow,
    /// The number of its type, which this one operation answers instead of the word.
    pub content_type: u8,
}

impl Change for SetField {
    const NEEDS: Right = Right::Run;

    type Answer = SetFieldAnswer;

    fn about(&self) -> Option<ChecklistId> {
        Some(self.field.checklist())
    }

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<SetFieldAnswer, AppError> {
        const DOING: &str = "setting a field";
        let (id, place) = (self.field.checklist(), self.field.index());
        let list = tx
            .checklist_hold(actor.team, id, Fields::At(place))
            .await
            .doing::<AppError>(DOING)?;
        let mut list = list.ok_or(Missing::Field(self.field))?;
        let template = list.template.clone();
        let (task, control) = template
            .control_at(place)
            .ok_or(Missing::Field(self.field))?;
        if let Some(given) = self.control.filter(|given| *given != control.id) {
            let message = format!(
                "is {given}, but taskContentID {} is {}",
                self.field, control.id
            );
            return Err(AppError::invalid("contentID", message));
        }
        if let Some(given) = self.key.filter(|given| *given != control.key) {
            let message = format!(
                "is {given}, but taskContentID {} is {}",
                self.field, control.key
            );
            return Err(AppError::invalid("key", message));
        }
        may_work(tx, actor, (&list, task), Work::Content).await?;
        list.may_edit(task, place)?;
        let value = control.accept(&self.value);
        let value = value.map_err(|reason| AppError::Value {
            name: control.name.clone(),
            reason,
        })?;
        let (now, ended_at) = (app.source().now(), list.head.ended_at);
        if list.set_field(place, value.clone(), now) {
            tx.field_put(self.field, &value)
                .await
                .doing::<AppError>(DOING)?;
            if list.head.ended_at != ended_at {
                tx.checklist_end_put(id, list.head.ended_at)
                    .await
                    .doing::<AppError>(DOING)?;
            }
            // What people typed is not repeated in the log, which is kept longer than the field.
            let subject = ("field.set", self.field.to_string());
            audit(tx, actor, now, subject, String::new()).await?;
        }
        let content_type = control.kind.kind().number();
        let row = FieldRow::of(&list, place).ok_or(Missing::Field(self.field))?;
        Ok(SetFieldAnswer { row, content_type })
    }
}
