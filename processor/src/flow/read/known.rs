//! Reads an answer from fields that have a value already.

use serde_json::{Map, Value};

use super::{Context, Expected, Reading, Scalar};

impl Expected {
    /// Returns the answer in `data`; none if it is missing or no answer of this type. `fill` is the
    /// question's own field.
    pub(in crate::flow) fn known(
        &self,
        fill: Option<&str>,
        data: &Map<String, Value>,
        context: Context<'_>,
    ) -> Option<Reading> {
        if let Self::Form(fields) = self {
            let mut values = Map::new();
            for field in fields {
                match data.get(&field.fill) {
                    Some(value) if field.scalar.admits(value, context) => {
                        values.insert(field.fill.clone(), value.clone());
                    }
                    None if !field.is_required => {}
                    _ => return None,
                }
            }
            return Some(Reading::Fields(values));
        }
        let value = data.get(fill?)?;
        let is_answer = match self {
            Self::Scalar(scalar) => scalar.admits(value, context),
            Self::Choice(choices) => choices
                .iter()
                .any(|choice| value.as_str() == Some(choice.value.as_str())),
            Self::Location | Self::Media(_) => value.is_object(),
            Self::Form(_) => false,
        };
        is_answer.then(|| Reading::Value(value.clone()))
    }
}

impl Scalar {
    /// Returns whether `value` is a value that an answer can have.
    fn admits(&self, value: &Value, context: Context<'_>) -> bool {
        match (self, value) {
            (Self::Number { .. }, Value::Number(number)) => self.number(number).is_some(),
            (Self::Number { .. }, _) => false,
            (_, Value::String(text)) => self.read(text, context).as_ref() == Some(value),
            _ => false,
        }
    }
}
