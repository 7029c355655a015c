//! What a checklist was made with, as it is stored: a JSON object by name.

use domain::{ChecklistId, ParameterValues};

use crate::{StoreError, place::Place};

const PARAMETERS: Place = Place {
    table: "checklist",
    column: "parameters",
};

/// The text for `values`; nothing for none.
pub(crate) fn parameters_text(values: &ParameterValues) -> Option<String> {
    let text = || serde_json::to_string(values).expect("texts by name");
    (!values.is_empty()).then(text)
}

/// The values in the text of a checklist.
pub(crate) fn parameters_read(
    id: ChecklistId,
    text: Option<&str>,
) -> Result<ParameterValues, StoreError> {
    match text {
        None => Ok(ParameterValues::new()),
        Some(text) => serde_json::from_str(text).map_err(|_| PARAMETERS.corrupt(id)),
    }
}
