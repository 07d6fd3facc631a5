//! Checks that a CRM's schema accepts what a mapping writes. Pure.

use std::collections::BTreeMap;

use super::document::{Field, Kind, Target, WriteRule};
use super::source::Source;

/// A field as the CRM describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Described {
    pub(crate) name: String,
    /// The kinds of value that it accepts; none where the CRM's type is not known here.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) writable: bool,
    /// Whether it may be the key of an upsert.
    pub(crate) unique: bool,
    pub(crate) max_length: Option<usize>,
    /// The values that it accepts, where it accepts no others.
    pub(crate) options: Option<Vec<String>>,
}

/// What `leadstream crm provision` does for a CRM.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Provisioning {
    /// Whether it creates a field of that name.
    pub(crate) creates: fn(&str) -> bool,
    /// Whether it lets the user of the credentials edit a field of that name.
    pub(crate) grants: fn(&str) -> bool,
    /// What to do about a key without unique values.
    pub(crate) key: &'static str,
}

/// Something that the CRM lacks, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) text: String,
    /// Whether `leadstream crm provision` is the remedy.
    pub(crate) is_provisioned: bool,
}

/// Returns what the CRM lacks for the mapping; empty when all fits.
pub(crate) fn problems(
    target: &Target,
    key: &str,
    described: &[Described],
    provisioning: &Provisioning,
) -> Vec<Problem> {
    let known: BTreeMap<&str, &Described> = described
        .iter()
        .map(|field| (field.name.as_str(), field))
        .collect();
    let mut problems = Vec::new();
    let mut add = |is_provisioned: bool, text: String| {
        problems.push(Problem {
            text,
            is_provisioned,
        });
    };
    let creates = |name: &str| (provisioning.creates)(name);
    match known.get(key) {
        None => add(
            creates(key),
            format!("create the text field {key} with unique values"),
        ),
        Some(field) if !field.unique => add(
            false,
            format!("{key} is there without unique values: {}", provisioning.key),
        ),
        Some(_) => {}
    }
    for (name, kind) in target.written() {
        let word = word(kind);
        match known.get(name) {
            None if creates(name) => add(true, format!("create the field {name} ({word})")),
            None => add(
                false,
                format!("{name} is not there, or hidden from the user of the credentials"),
            ),
            Some(field) if !field.writable => add(
                (provisioning.grants)(name),
                format!("let the user of the credentials edit {name}"),
            ),
            Some(field) if !field.kinds.is_empty() && !field.kinds.contains(&kind) => add(
                false,
                format!(
                    "{name} is no {word} in the CRM: change its `type` in the mapping, or the field"
                ),
            ),
            Some(_) => {}
        }
    }
    for (name, values) in target.choices() {
        let Some(options) = known.get(name).and_then(|field| field.options.as_ref()) else {
            continue;
        };
        let absent: Vec<&str> = values
            .into_iter()
            .filter(|value| !options.iter().any(|option| option == value))
            .collect();
        if !absent.is_empty() {
            add(
                false,
                format!("add the values {} to {name}", absent.join(", ")),
            );
        }
    }
    problems
}

/// Returns the problems as one sentence, which tells what `leadstream crm provision` does.
pub(crate) fn describe(problems: &[Problem]) -> String {
    let list = |is_provisioned: bool| {
        let texts = problems
            .iter()
            .filter(|it| it.is_provisioned == is_provisioned)
            .map(|it| it.text.as_str());
        texts.collect::<Vec<_>>().join("; ")
    };
    match (list(true), list(false)) {
        (ours, theirs) if theirs.is_empty() => {
            format!("{ours} (`leadstream crm provision --apply` does that)")
        }
        (ours, theirs) if ours.is_empty() => format!("by hand: {theirs}"),
        (ours, theirs) => {
            format!("{ours} (`leadstream crm provision --apply` does that); by hand: {theirs}")
        }
    }
}

pub(crate) const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Number => "number",
        Kind::Boolean => "yes or no",
        Kind::Date => "date",
        Kind::Datetime => "date and time",
    }
}

/// Returns the kind of a field that is written.
pub(super) fn kind_of(target: &Target, name: &str) -> Kind {
    let numbers = name == target.revision;
    match target.fields.get(name) {
        Some(field) => field.kind,
        None if numbers => Kind::Number,
        None => Kind::Text,
    }
}

impl Target {
    /// Returns every field that is written, without the key, with its kind.
    pub(crate) fn written(&self) -> Vec<(&str, Kind)> {
        let mut written: Vec<(&str, Kind)> = self
            .fields
            .iter()
            .map(|(name, field)| (name.as_str(), field.kind))
            .collect();
        written.push((&self.revision, Kind::Number));
        written.extend(self.merged_into.as_deref().map(|name| (name, Kind::Text)));
        written.extend(self.status.as_ref().map(|s| (s.field.as_str(), Kind::Text)));
        written
    }

    /// Returns the values that are written to a field that may be a pick list.
    pub(crate) fn choices_of(&self, name: &str) -> Option<Vec<&str>> {
        let mut choices = self.choices().into_iter();
        choices.find_map(|(field, values)| (field == name).then_some(values))
    }

    /// Returns the values that the mapping can write to a field; none where they are the lead's own.
    pub(super) fn possible_values(&self, name: &str) -> Vec<&str> {
        let default = self
            .fields
            .get(name)
            .and_then(|field| field.default.as_ref()?.as_str());
        self.choices_of(name)
            .unwrap_or_else(|| default.into_iter().collect())
    }

    /// Returns when a field is written over what the CRM has.
    pub(super) fn rule(&self, name: &str) -> WriteRule {
        match &self.status {
            Some(status) if status.field == name => status.write,
            _ => self.fields.get(name).map_or(WriteRule::Always, Field::rule),
        }
    }

    /// Returns whether the CRM gives the field a value of its own when it creates a record.
    pub(super) fn is_owner(&self, name: &str) -> bool {
        self.holds(name, &Source::Assignee)
    }

    pub(crate) fn max_length(&self, name: &str) -> Option<usize> {
        self.fields.get(name)?.max_length
    }

    /// Returns whether a number field holds whole numbers only.
    pub(crate) fn counts(&self, name: &str) -> bool {
        name == self.revision || self.holds(name, &Source::Score)
    }

    pub(crate) fn is_phone(&self, name: &str) -> bool {
        self.holds(name, &Source::Phone) || self.holds(name, &Source::WaId)
    }

    fn holds(&self, name: &str, source: &Source) -> bool {
        self.fields
            .get(name)
            .is_some_and(|field| field.from == *source)
    }

    /// Returns the values that are written to fields that may be pick lists.
    fn choices(&self) -> Vec<(&str, Vec<&str>)> {
        let mut choices: Vec<(&str, Vec<&str>)> = self
            .fields
            .iter()
            .filter(|(_, field)| !field.values.is_empty())
            .map(|(name, field)| {
                let default = field.default.as_ref().and_then(|value| value.as_str());
                let values = field.values.values().map(String::as_str);
                (name.as_str(), distinct(values.chain(default)))
            })
            .collect();
        if let Some(status) = &self.status {
            let values = status
                .states
                .values()
                .chain(&status.completed)
                .chain([&status.otherwise])
                .map(String::as_str);
            choices.push((&status.field, distinct(values)));
        }
        choices
    }
}

fn distinct<'v>(values: impl Iterator<Item = &'v str>) -> Vec<&'v str> {
    let mut values: Vec<&str> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use super::{Described, Kind, Provisioning, describe, problems};
    use crate::mapping::{DEFAULT, Mapping};

    const ALL: Provisioning = Provisioning {
        creates: |_| true,
        grants: |_| false,
        key: "change it",
    };

    #[test]
    fn each_thing_that_does_not_fit_is_named_with_its_remedy() {
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let good = |name: &str, kind| Described {
            name: name.into(),
            kinds: vec![kind],
            writable: true,
            ..Described::default()
        };
        let mut fields: Vec<Described> = target
            .written()
            .into_iter()
            .map(|(name, kind)| good(name, kind))
            .collect();
        fields.push(Described {
            unique: true,
            ..good("wa_id", Kind::Text)
        });
        let found =
            |key: &str, fields: &[Described]| describe(&problems(&target, key, fields, &ALL));
        assert_eq!(problems(&target, "wa_id", &fields, &ALL), []);
        assert!(found("other", &fields).contains("other with unique values"));
        let mut broken = fields.clone();
        for field in &mut broken {
            match field.name.as_str() {
                "phone" => field.writable = false,
                "leadstream_score" => field.kinds = vec![Kind::Text],
                "hs_lead_status" => field.options = Some(vec!["NEW".into(), "OPEN".into()]),
                "firstname" => field.name = "first".into(),
                _ => {}
            }
        }
        let text = found("wa_id", &broken);
        for part in [
            "create the field firstname (text)",
            "edit phone",
            "leadstream_score is no number",
            "add the values ATTEMPTED_TO_CONTACT, IN_PROGRESS, UNQUALIFIED to hs_lead_status",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
