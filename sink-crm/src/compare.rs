//! Compares a CRM's record with the desired values. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use leadstream_schemas::Revision;
use leadstream_schemas::notation::present_notation;
use serde_json::{Map, Value};

use crate::mapping::{Kind, Remote, Rendered, Target, WrittenFields, decide};

/// A record as the CRM has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RemoteRecord {
    pub(crate) id: String,
    pub(crate) values: Map<String, Value>,
    /// Whether the CRM accepts no more writes to the record.
    pub(crate) converted: bool,
}

/// A difference of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    /// There is no record.
    Missing,
    /// The record was converted: differences cannot be fixed.
    Converted,
    /// The record's revision is newer than PostgreSQL's: nothing is written over it.
    Newer,
    /// A field has no value.
    Empty(String),
    /// A field has another value.
    Other(String),
    /// A field has a value, and should have none.
    NotCleared(String),
}

impl Difference {
    /// Returns the field and the reason, as reports name them.
    pub(crate) fn describe(&self) -> (Option<&str>, &'static str) {
        match self {
            Self::Missing => (None, "no record"),
            Self::Converted => (None, "converted"),
            Self::Newer => (None, "newer revision"),
            Self::Empty(field) => (Some(field), "empty"),
            Self::Other(field) => (Some(field), "another value"),
            Self::NotCleared(field) => (Some(field), "not cleared"),
        }
    }

    /// Returns whether sending the lead's latest state resolves the difference.
    pub(crate) const fn is_fixable(&self) -> bool {
        !matches!(self, Self::Converted | Self::Newer)
    }
}

/// What a comparison knows of a lead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'w> {
    pub(crate) rendered: &'w Rendered,
    pub(crate) revision: Revision,
    pub(crate) known: &'w WrittenFields,
    pub(crate) adopted: bool,
}

/// Returns the differences between `record` and the values that `target` has for the lead. Fields that
/// are not written are not compared, nor are those that belong to sales by their rule.
pub(crate) fn differences(
    target: &Target,
    wanted: Wanted<'_>,
    record: Option<&RemoteRecord>,
) -> Vec<Difference> {
    let Some(record) = record else {
        return vec![Difference::Missing];
    };
    let guarded = target.guarded(wanted.rendered);
    let remote = Remote::Record(record);
    let kept = decide(target, &guarded, remote, wanted.known, wanted.adopted).omitted;
    let kinds: BTreeMap<&str, Kind> = target.written().into_iter().collect();
    let value = |name: &str| record.values.get(name).filter(|value| !is_empty(value));
    let mut differences: Vec<Difference> = wanted
        .rendered
        .values
        .iter()
        .filter(|(name, _)| !kept.contains(name))
        .filter_map(|(name, desired)| {
            let kind = kinds.get(name.as_str()).copied().unwrap_or_default();
            let canonical = |value| canonical(kind, target.is_phone(name), value);
            match (desired, value(name)) {
                (Some(desired), Some(record)) => (canonical(desired) != canonical(record))
                    .then(|| Difference::Other(name.clone())),
                (Some(desired), None) => {
                    (!is_empty(desired)).then(|| Difference::Empty(name.clone()))
                }
                (None, Some(_)) => Some(Difference::NotCleared(name.clone())),
                (None, None) => None,
            }
        })
        .collect();
    let Revision(revision) = wanted.revision;
    match value(&target.revision).map(number) {
        // An older revision is correct where the newer one changed nothing else.
        Some(Some(record)) if record > revision as f64 => differences.insert(0, Difference::Newer),
        Some(Some(_)) => {}
        Some(None) => differences.push(Difference::Other(target.revision.clone())),
        None => differences.push(Difference::Empty(target.revision.clone())),
    }
    if record.converted && !differences.is_empty() {
        differences.insert(0, Difference::Converted);
    }
    differences
}

impl RemoteRecord {
    /// Returns the number in a field.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        number(self.values.get(name)?)
    }
}

pub(crate) fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Returns the text that equal values share, although each CRM writes them in its own way.
pub(crate) fn canonical(kind: Kind, is_phone: bool, value: &Value) -> String {
    let text = text(value);
    let text = text.trim();
    let canonical = match kind {
        Kind::Text if is_phone => Some(digits(text)).filter(|digits| !digits.is_empty()),
        Kind::Text => None,
        Kind::Number => number(value).map(|number| number.to_string()),
        Kind::Boolean => Some(text.to_ascii_lowercase()),
        Kind::Date => date(value).map(|date| date.to_string()),
        Kind::Datetime => moment(value).map(|moment| moment.to_rfc3339()),
    };
    canonical.unwrap_or_else(|| text.to_owned())
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the digits of a phone number, in the notation that its country uses today.
fn digits(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    present_notation(&digits).into_owned()
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

/// Parses RFC 3339, Salesforce's form of it, or milliseconds since 1970.
fn moment(value: &Value) -> Option<DateTime<Utc>> {
    let text = text(value);
    let text = text.trim();
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|moment| moment.to_utc())
        .ok()
        .or_else(|| DateTime::from_timestamp_millis(text.parse().ok()?))
}

fn date(value: &Value) -> Option<NaiveDate> {
    let day = text(value).trim().parse().ok();
    day.or_else(|| Some(moment(value)?.date_naive()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{Difference, Kind, RemoteRecord, Revision, Wanted, canonical};
    use crate::mapping::Target;
    use crate::mapping::{DEFAULT, Mapping, Rendered, WriteRule, WrittenFields, render};
    use crate::person::tests::{completed, of};

    fn record(values: &Value) -> RemoteRecord {
        RemoteRecord {
            id: "1".into(),
            values: values.as_object().unwrap().clone(),
            converted: false,
        }
    }

    /// Returns the differences of a record whose fields are written whatever the CRM has.
    fn differences(
        target: &Target,
        rendered: &Rendered,
        revision: Revision,
        record: Option<&RemoteRecord>,
    ) -> Vec<Difference> {
        let mut target = target.clone();
        for field in target.fields.values_mut() {
            field.write = Some(WriteRule::Always);
        }
        compare(&target, rendered, revision, record)
    }

    fn compare(
        target: &Target,
        rendered: &Rendered,
        revision: Revision,
        record: Option<&RemoteRecord>,
    ) -> Vec<Difference> {
        let known = WrittenFields::default();
        let wanted = Wanted {
            rendered,
            revision,
            known: &known,
            adopted: false,
        };
        super::differences(target, wanted, record)
    }

    #[test]
    fn values_are_the_same_in_each_crm_s_own_notation() {
        for (kind, desired, record, expected) in [
            (Kind::Number, json!(7500), json!("7500"), true),
            (Kind::Number, json!(7500), json!(7500.0), true),
            (Kind::Number, json!(7500), json!("7501"), false),
            (Kind::Boolean, json!(true), json!("true"), true),
            (
                Kind::Date,
                json!("2026-11-23"),
                json!("1795392000000"),
                true,
            ),
            (Kind::Date, json!("2026-11-23"), json!("2026-11-24"), false),
            (
                Kind::Datetime,
                json!("2026-11-23T10:15:00.123Z"),
                json!("2026-11-23T10:15:00.123+0000"),
                true,
            ),
            (
                Kind::Datetime,
                json!("2026-11-23T10:15:00.123Z"),
                json!("2026-11-23T10:15:00Z"),
                false,
            ),
            (Kind::Text, json!("Ann"), json!("Ann "), true),
            (Kind::Text, json!("Ann"), json!("ann"), false),
        ] {
            assert_eq!(
                canonical(kind, false, &desired) == canonical(kind, false, &record),
                expected,
                "{kind:?}: {desired} and {record}"
            );
        }
    }

    #[test]
    fn each_field_that_differs_is_reported_and_no_other() {
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let mut lead = completed();
        lead.lead_data.remove("budget");
        let desired: Rendered = render(&target, &of(lead), &BTreeMap::new());
        let right = json!({
            "phone": "+1 (234) 567-890", "firstname": "John", "lastname": "Doe",
            "hs_lead_status": "OPEN", "leadstream_state": "COMPLETED", "leadstream_score": "100",
            "leadstream_revision": "2", "leadstream_budget": "", "company": "of sales",
        });
        let compare =
            |values: &Value| differences(&target, &desired, Revision(3), Some(&record(values)));
        assert_eq!(compare(&right), [], "revision 3 changed nothing else");
        assert_eq!(
            differences(&target, &desired, Revision(3), None),
            [Difference::Missing]
        );
        let change = |name: &str, value: Value| {
            let mut values = right.clone();
            values[name] = value;
            compare(&values)
        };
        let field =
            |difference: fn(String) -> Difference, name: &str| vec![difference(name.into())];
        assert_eq!(
            change("lastname", json!("Dow")),
            field(Difference::Other, "lastname")
        );
        assert_eq!(
            change("firstname", Value::Null),
            field(Difference::Empty, "firstname")
        );
        assert_eq!(
            change("leadstream_budget", json!("1")),
            field(Difference::NotCleared, "leadstream_budget")
        );
        assert_eq!(
            change("leadstream_revision", json!("")),
            field(Difference::Empty, "leadstream_revision")
        );
        for phone in ["1234567890", "+1234567890"] {
            assert_eq!(change("phone", json!(phone)), []);
        }
        assert_eq!(
            change("phone", json!("+1234567891")),
            field(Difference::Other, "phone")
        );
        let newer = change("leadstream_revision", json!("4"));
        assert_eq!(newer, [Difference::Newer]);
        assert!(!newer[0].is_fixable());
    }

    #[test]
    fn what_sales_wrote_is_no_difference_and_what_is_empty_is() {
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let desired = render(&target, &of(completed()), &BTreeMap::new());
        let of_sales = json!({
            "phone": "+1 555 000 0000", "firstname": "Jonathan", "lastname": "Smith",
            "hs_lead_status": "CONNECTED", "leadstream_state": "COMPLETED",
            "leadstream_score": "100", "leadstream_revision": "3", "leadstream_budget": "7500",
        });
        let found = |record: &Value| {
            let record = self::record(record);
            compare(&target, &desired, Revision(3), Some(&record))
        };
        assert_eq!(found(&of_sales), []);
        let mut empty = of_sales;
        empty["hs_lead_status"] = json!("");
        empty["leadstream_score"] = json!("99");
        let expected = [
            Difference::Empty("hs_lead_status".into()),
            Difference::Other("leadstream_score".into()),
        ];
        assert_eq!(found(&empty), expected);
    }

    #[test]
    fn the_other_notation_of_a_number_is_no_difference() {
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        for (wa_id, same, other) in [
            ("5511987650001", "+55 11 8765-0001", "+55 21 8765-0001"),
            ("551187650001", "+55 11 98765-0001", "+55 11 98765-0002"),
            ("5215512345678", "+52 55 1234 5678", "+52 55 1234 5679"),
            ("541123456789", "+54 9 11 2345-6789", "+54 9 11 2345-6780"),
        ] {
            let mut lead = completed();
            lead.wa_id = Some(wa_id.to_owned());
            let desired = render(&target, &of(lead), &BTreeMap::new());
            let is_other = |phone: &str| {
                let record = record(&json!({ "phone": phone }));
                let found = differences(&target, &desired, Revision(3), Some(&record));
                found.contains(&Difference::Other("phone".into()))
            };
            assert!(!is_other(same), "{same}");
            assert!(is_other(other), "{other}");
        }
    }

    #[test]
    fn a_converted_record_is_reported_when_it_differs() {
        let target = DEFAULT.parse::<Mapping>().unwrap().salesforce;
        let desired = render(&target, &of(completed()), &BTreeMap::new());
        let converted = RemoteRecord {
            converted: true,
            ..record(&json!({"Leadstream_Revision__c": 3}))
        };
        let found = differences(&target, &desired, Revision(3), Some(&converted));
        assert_eq!(found[0], Difference::Converted);
    }
}
