//! Compares the answers that a mapping writes with those that published flows fill. Pure.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use leadstream_schemas::FieldType;
use serde_json::json;

use super::document::{Field, Kind, Mapping};
use super::fit::word;
use super::load::line_of;
use super::render::convert;
use super::source::Source;
use crate::crm_name::CrmName;

/// The edits by which a name may be misspelt.
const SLIPS: usize = 2;

/// The types of the answers that published flows fill, by field: one of each.
pub type Answers = BTreeMap<String, Vec<FieldType>>;

impl Mapping {
    /// Returns which fields of the file `text` no published flow fills, and which cannot hold what one
    /// does, each with its line and the remedy. What the file leaves to the built-in mapping is right
    /// for every flow.
    ///
    /// # Errors
    /// Returns the reason why the text is no mapping.
    pub(crate) fn unfit(text: &str, answers: &Answers) -> Result<Vec<(CrmName, String)>, String> {
        let mut mapping: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let mut found = Vec::new();
        for (crm, target) in mapping.targets() {
            for (name, field) in &target.fields {
                let Some(problem) = problem(name, field, answers) else {
                    continue;
                };
                let place = line_of(text, crm.as_str(), name);
                let place = place.map_or_else(String::new, |line| format!("line {line}: "));
                found.push((crm, format!("{place}{problem}")));
            }
        }
        Ok(found)
    }
}

/// Returns why `field` never has what it should, and the remedy.
fn problem(name: &str, field: &Field, answers: &Answers) -> Option<String> {
    let Source::Data(answer) = &field.from else {
        return None;
    };
    let Some(kinds) = answers.get(answer) else {
        let distance = |known: &&String| strsim::damerau_levenshtein(answer, known);
        let near = answers.keys().filter(|known| distance(known) <= SLIPS);
        let meant = near.min_by_key(distance);
        // A field with a default has a value without the answer.
        if meant.is_none() && field.default.is_some() {
            return None;
        }
        let remedy = meant.map_or_else(
            || "publish a flow that fills it, or remove the field".to_owned(),
            |meant| format!("did you mean `data.{meant}`?"),
        );
        return Some(format!(
            "`{name}` is from `data.{answer}`, which no published flow fills; {remedy}"
        ));
    };
    let kind = word(field.kind);
    if let Some(value) = field
        .values
        .values()
        .find(|value| !holds_text(field, value))
    {
        return Some(format!(
            "`{name}` takes a {kind}, and its `values` have `{value}`; change its `type`, or the value"
        ));
    }
    if !field.values.is_empty() {
        return None;
    }
    let unfit = kinds.iter().find(|answer| !holds(field, answer))?;
    Some(format!(
        "`{name}` takes a {kind}, and `data.{answer}` is {}; change its `type`, or add `values`",
        described(unfit)
    ))
}

/// Returns whether the field can hold an answer of a flow.
fn holds(field: &Field, answer: &FieldType) -> bool {
    match (field.kind, answer) {
        (Kind::Text, _)
        | (Kind::Number, FieldType::Number)
        | (Kind::Boolean, FieldType::Flag)
        | (Kind::Date | Kind::Datetime, FieldType::Date) => true,
        (_, FieldType::Choice(values)) => values.iter().all(|value| holds_text(field, value)),
        _ => false,
    }
}

fn holds_text(field: &Field, value: &str) -> bool {
    convert(&json!(value), field.kind, Tz::UTC).is_some()
}

fn described(answer: &FieldType) -> String {
    match answer {
        FieldType::Text => "a text in a published flow".to_owned(),
        FieldType::Number => "a number in a published flow".to_owned(),
        FieldType::Date => "a date in a published flow".to_owned(),
        FieldType::Time => "a time of day in a published flow".to_owned(),
        FieldType::Flag => "true or false in a published flow".to_owned(),
        FieldType::Object => "a location or a file in a published flow".to_owned(),
        FieldType::Choice(values) => {
            let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            format!("one of {} in a published flow", values.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::FieldType;

    use super::Answers;
    use crate::mapping::{DEFAULT, Mapping};

    fn answers() -> Answers {
        let answer = |name: &str, kinds: &[FieldType]| (name.to_owned(), kinds.to_vec());
        let choice =
            |values: &[&str]| FieldType::Choice(values.iter().map(|it| (*it).into()).collect());
        [
            answer("budget", &[FieldType::Number]),
            answer("city", &[FieldType::Text]),
            answer("roof", &[choice(&["flat", "tiles"])]),
            answer("rooms", &[choice(&["1", "2"])]),
            answer("day", &[FieldType::Date]),
            answer("time", &[FieldType::Time]),
            answer("is_late", &[FieldType::Flag]),
            answer("photo", &[FieldType::Object]),
            // Two flows, or two versions of one.
            answer("size", &[FieldType::Number, FieldType::Text]),
        ]
        .into()
    }

    fn unfit(field: &str) -> Vec<String> {
        let text =
            format!("hubspot:\n  fields:\n    phone: {{ from: phone }}\n    own: {{ {field} }}\n");
        let found = Mapping::unfit(&text, &answers()).unwrap();
        let problem = |(crm, problem): (crate::crm_name::CrmName, String)| {
            format!("{}: {problem}", crm.as_str())
        };
        found.into_iter().map(problem).collect()
    }

    #[test]
    fn an_answer_that_no_flow_fills_or_the_type_cannot_hold_is_named_with_its_line() {
        for (field, reason) in [
            (
                "from: data.budgt",
                "which no published flow fills; did you mean `data.budget`?",
            ),
            (
                "from: data.budgt, default: none",
                "did you mean `data.budget`?",
            ),
            (
                "from: data.colour_of_roof",
                "which no published flow fills; publish a flow that fills it",
            ),
            (
                "from: data.city, type: number",
                "takes a number, and `data.city` is a text in a published flow",
            ),
            (
                "from: data.roof, type: number",
                "and `data.roof` is one of `flat`, `tiles` in a published flow",
            ),
            ("from: data.roof, type: boolean", "takes a yes or no, and"),
            (
                "from: data.budget, type: date",
                "takes a date, and `data.budget` is a number",
            ),
            (
                "from: data.budget, type: boolean",
                "`data.budget` is a number",
            ),
            (
                "from: data.time, type: datetime",
                "takes a date and time, and `data.time` is a time of day",
            ),
            (
                "from: data.time, type: date",
                "`data.time` is a time of day",
            ),
            ("from: data.day, type: number", "`data.day` is a date"),
            (
                "from: data.photo, type: number",
                "`data.photo` is a location or a file",
            ),
            (
                "from: data.is_late, type: number",
                "`data.is_late` is true or false",
            ),
            ("from: data.size, type: number", "`data.size` is a text"),
            (
                "from: data.roof, type: number, values: { flat: '1', tiles: many }",
                "takes a number, and its `values` have `many`",
            ),
        ] {
            let found = unfit(field);
            let [only] = found.as_slice() else {
                panic!("{field}: {found:?}");
            };
            let begin = "hubspot: line 4: `own` ";
            assert!(
                only.starts_with(begin) && only.contains(reason),
                "{field}: {only}"
            );
        }
    }

    #[test]
    fn what_a_type_holds_is_no_problem() {
        for field in [
            "from: data.city",
            "from: data.photo",
            "from: data.size",
            "from: data.budget, type: number",
            "from: data.rooms, type: number",
            "from: data.day, type: date",
            "from: data.day, type: datetime",
            "from: data.is_late, type: boolean",
            "from: data.roof, type: number, values: { flat: '1', tiles: '2' }",
            "from: data.city, type: boolean, values: { Rome: 'true' }",
            "from: score, type: number",
            "from: data.company, default: Unknown",
        ] {
            assert_eq!(unfit(field), [""; 0], "{field}");
        }
    }

    #[test]
    fn what_a_file_leaves_to_the_built_in_mapping_fits_every_flow() {
        let none = Answers::new();
        assert_eq!(
            Mapping::unfit("hubspot:\nsalesforce:\n", &none).unwrap(),
            []
        );
        // As a file of one's own it is checked like any other.
        let found = Mapping::unfit(DEFAULT, &none).unwrap();
        assert!(!found.is_empty());
        let of_salesforce = "salesforce:\n  fields:\n    LastName: { from: data.nobody }\n";
        let found = Mapping::unfit(of_salesforce, &none).unwrap();
        assert_eq!(found[0].0, crate::crm_name::CrmName::Salesforce);
        assert!(found[0].1.starts_with("line 3: "), "{found:?}");
        assert!(Mapping::unfit("hubspot: [", &none).is_err());
    }
}
