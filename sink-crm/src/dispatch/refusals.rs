//! Decides what a refused field costs: the field, or the record. Pure.

use crate::mapping::FieldRole;
use crate::outcome::{Cause, Refusal};

/// The reaction to the fields that the CRM refused of one record, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reaction {
    /// The record is sent again without the fields.
    LeaveOut,
    /// The record waits until the CRM's set-up changes.
    Park,
    /// The record is given up.
    GiveUp,
}

/// Returns the reaction to `refusals`, after the fields `left_out` were left out. What the lead wrote
/// costs its field. What the mapping writes waits for the CRM's administrator.
pub(super) fn react(
    refusals: &[Refusal],
    left_out: &[Refusal],
    role: impl Fn(&str) -> FieldRole,
) -> Reaction {
    let reaction = |refusal: &Refusal| {
        let repeated = |known: &Refusal| known.field == refusal.field;
        if refusal.field.is_empty() {
            return match refusal.cause {
                Cause::Value => Reaction::GiveUp,
                Cause::Option | Cause::Setup => Reaction::Park,
            };
        }
        match (refusal.cause, role(&refusal.field)) {
            (_, FieldRole::Key) => Reaction::GiveUp,
            // The CRM wants the field, and refuses its value.
            _ if left_out.iter().any(repeated) => Reaction::GiveUp,
            (Cause::Setup, _)
            | (Cause::Option, FieldRole::Required | FieldRole::Mapped | FieldRole::Unwritten) => {
                Reaction::Park
            }
            (Cause::Value, FieldRole::Required | FieldRole::Unwritten) => Reaction::GiveUp,
            (Cause::Value, FieldRole::Mapped) | (_, FieldRole::Optional) => Reaction::LeaveOut,
        }
    };
    let reactions = refusals.iter().map(reaction);
    reactions.max().unwrap_or(Reaction::GiveUp)
}

/// Returns the reason of a record that was written without some of its fields.
pub(super) fn describe_left_out<'r>(
    fields: impl ExactSizeIterator<Item = (&'r str, &'r str)>,
) -> Option<String> {
    let noun = match fields.len() {
        0 => return None,
        1 => "field",
        _ => "fields",
    };
    let number = fields.len();
    let fields: Vec<String> = fields
        .map(|(field, code)| format!("{field} {code}").trim_end().to_owned())
        .collect();
    Some(format!("{number} {noun} left out: {}", fields.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::{Reaction, describe_left_out, react};
    use crate::mapping::FieldRole;
    use crate::outcome::{Cause, Refusal};

    fn refusal(field: &str, cause: Cause) -> Refusal {
        Refusal {
            field: field.into(),
            code: "CODE".into(),
            cause,
        }
    }

    fn role(field: &str) -> FieldRole {
        match field {
            "key" => FieldRole::Key,
            "company" => FieldRole::Required,
            "status" => FieldRole::Mapped,
            "email" | "budget" => FieldRole::Optional,
            _ => FieldRole::Unwritten,
        }
    }

    #[test]
    fn a_refused_value_costs_its_field_and_a_wrong_set_up_waits() {
        use Cause::{Option, Setup, Value};
        use Reaction::{GiveUp, LeaveOut, Park};
        let table: [(&[(&str, Cause)], Reaction); 17] = [
            (&[("email", Value)], LeaveOut),
            (&[("email", Option)], LeaveOut),
            (&[("email", Setup)], Park),
            (&[("email", Value), ("budget", Value)], LeaveOut),
            (&[("status", Value)], LeaveOut),
            (&[("status", Option)], Park),
            (&[("status", Setup)], Park),
            (&[("email", Value), ("status", Option)], Park),
            (&[("company", Value)], GiveUp),
            (&[("company", Option)], Park),
            (&[("email", Value), ("company", Value)], GiveUp),
            (&[("key", Value)], GiveUp),
            (&[("key", Option)], GiveUp),
            (&[("other", Value)], GiveUp),
            (&[("other", Setup)], Park),
            (&[("", Value)], GiveUp),
            (&[("", Option)], Park),
        ];
        for (refused, expected) in table {
            let refusals: Vec<Refusal> = refused
                .iter()
                .map(|(field, cause)| refusal(field, *cause))
                .collect();
            assert_eq!(react(&refusals, &[], role), expected, "{refused:?}");
        }
        assert_eq!(react(&[], &[], role), GiveUp);
    }

    #[test]
    fn a_field_that_was_left_out_and_is_wanted_ends_the_record() {
        let left_out = [refusal("email", Cause::Value)];
        for cause in [Cause::Value, Cause::Option, Cause::Setup] {
            let again = [refusal("email", cause)];
            assert_eq!(react(&again, &left_out, role), Reaction::GiveUp);
            let other = [refusal("budget", Cause::Value)];
            assert_eq!(react(&other, &left_out, role), Reaction::LeaveOut);
        }
    }

    #[test]
    fn the_reason_names_each_field_and_its_code() {
        let described =
            |fields: &[(&'static str, &'static str)]| describe_left_out(fields.iter().copied());
        assert_eq!(described(&[]), None);
        let one = "1 field left out: email INVALID_EMAIL";
        assert_eq!(
            described(&[("email", "INVALID_EMAIL")]).as_deref(),
            Some(one)
        );
        let two = "2 fields left out: a X, b";
        assert_eq!(described(&[("a", "X"), ("b", "")]).as_deref(), Some(two));
    }
}
