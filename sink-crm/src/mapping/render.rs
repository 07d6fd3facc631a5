//! Renders a lead as the fields of a record. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use chrono_tz::Tz;
use leadstream_schemas::notation::present_notation;
use leadstream_schemas::{EventData, LeadEvent};
use serde_json::{Number, Value, json};

use super::document::{Field, Filter, Kind, Status, Target};
use super::source::Source;
use crate::person;

/// The fields of a record. `None` clears a field.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rendered {
    pub(crate) values: BTreeMap<String, Option<Value>>,
    /// Fields whose value the lead has not given: the mapping's default, or the name of the profile.
    pub(crate) provisional: BTreeSet<String>,
    /// The number of texts that were too long.
    pub(crate) truncated: u32,
}

/// Returns the fields of the lead's record without its revision. `lengths` are the CRM's limits.
pub(crate) fn render(
    target: &Target,
    event: &LeadEvent,
    lengths: &BTreeMap<String, usize>,
) -> Rendered {
    let data = &event.data;
    let mut rendered = Rendered::default();
    for (name, field) in &target.fields {
        let longest = [field.max_length, lengths.get(name).copied()]
            .into_iter()
            .flatten()
            .min();
        let own = value(field, event, target.time_zone);
        let is_default = own.is_none() && field.default.is_some();
        if is_default || (field.from.is_name() && !gave_name(data)) {
            rendered.provisional.insert(name.clone());
        }
        match own.or_else(|| field.default.clone()) {
            Some(Value::String(text)) => {
                let short =
                    longest.map_or(text.as_str(), |longest| person::truncate(&text, longest));
                rendered.truncated += u32::from(short.len() < text.len());
                rendered.values.insert(name.clone(), Some(json!(short)));
            }
            Some(value) => {
                rendered.values.insert(name.clone(), Some(value));
            }
            None if field.clear => {
                rendered.values.insert(name.clone(), None);
            }
            None => {}
        }
    }
    if let Some(status) = &target.status {
        let value = json!(status_of(status, data));
        rendered.values.insert(status.field.clone(), Some(value));
    }
    if let (Some(name), Some(survivor)) = (&target.merged_into, &data.merged_into) {
        rendered.values.insert(name.clone(), Some(json!(survivor)));
    }
    rendered
}

/// Returns whether the filter includes a lead.
pub(crate) fn wants(filter: &Filter, data: &EventData) -> bool {
    let listed = |list: &[String], name: &str| list.iter().any(|listed| listed == name);
    let state = data.current_state.as_str();
    (filter.states.is_empty() || listed(&filter.states, state))
        && !listed(&filter.except_states, state)
        && (filter.flows.is_empty() || listed(&filter.flows, &data.flow.name))
        && filter
            .min_score
            .is_none_or(|least| data.qualification_score >= least)
        && filter
            .completed
            .is_none_or(|completed| data.is_completed == completed)
}

/// Returns the lead's number with a plus sign, in the notation that its country uses today. So the
/// field has one value, whichever notation the lead's messages have.
pub(crate) fn phone(data: &EventData) -> Option<String> {
    let wa_id = data.wa_id.as_deref()?;
    Some(format!("+{}", present_notation(wa_id)))
}

fn status_of<'s>(status: &'s Status, data: &EventData) -> &'s str {
    let completed = status.completed.as_ref().filter(|_| data.is_completed);
    let listed = status.states.get(&data.current_state);
    listed.or(completed).unwrap_or(&status.otherwise)
}

/// Returns whether the lead said its name: else the event has the name of the profile.
fn gave_name(data: &EventData) -> bool {
    let name = data.lead_data.get("name").and_then(Value::as_str);
    name.is_some_and(|name| data.lead_metadata.name.as_deref() == Some(name))
}

/// Returns the lead's own value.
fn value(field: &Field, event: &LeadEvent, zone: Tz) -> Option<Value> {
    let raw = raw(&field.from, event).filter(|raw| !is_blank(raw));
    let mapped = if field.values.is_empty() {
        raw
    } else {
        raw.and_then(|raw| field.values.get(&text(&raw)).map(|value| json!(value)))
    };
    mapped.and_then(|value| convert(&value, field.kind, zone))
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn raw(source: &Source, event: &LeadEvent) -> Option<Value> {
    let data = &event.data;
    let name = || data.lead_metadata.name.as_deref().map(person::split);
    let value = match source {
        Source::LeadId => json!(data.lead_id),
        Source::WaId => json!(data.wa_id),
        Source::Phone => json!(phone(data)),
        Source::Name => json!(data.lead_metadata.name),
        Source::FirstName => json!(name().map(|(first, _)| first)),
        Source::LastName => json!(name().and_then(|(_, last)| last)),
        Source::OnlyOrLastName => json!(name().map(|(first, last)| last.unwrap_or(first))),
        Source::NamesBeforeLast => json!(name().and_then(|(first, last)| last.map(|_| first))),
        Source::State => json!(data.current_state),
        Source::PreviousState => json!(data.previous_state),
        Source::Score => json!(data.qualification_score),
        Source::IsCompleted => json!(data.is_completed),
        Source::Platform => json!(data.lead_metadata.platform),
        Source::Cause => json!(data.cause),
        Source::Flow => json!(data.flow.name),
        Source::Timestamp => json!(event.timestamp),
        Source::Assignee => json!(data.assignee),
        Source::AssignedAt => json!(data.assigned_at),
        Source::FirstMessage => json!(data.first_message),
        Source::FirstMessageAt => json!(data.first_message_at),
        Source::Consent => json!(data.consent),
        Source::ConsentAt => json!(data.consent_at),
        Source::Referral(part) => {
            json!(data.referral.as_ref().and_then(|it| part.of(it)))
        }
        Source::ReferredAt => json!(data.referred_at),
        Source::Data(name) => data.lead_data.get(name)?.clone(),
    };
    Some(value)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // HubSpot and Salesforce separate several choices of one field in this way.
        Value::Array(several) => several.iter().map(text).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    }
}

pub(super) fn convert(value: &Value, kind: Kind, zone: Tz) -> Option<Value> {
    match kind {
        Kind::Text => Some(json!(text(value))),
        Kind::Number => match value {
            Value::Number(_) => Some(value.clone()),
            Value::String(text) => Some(Value::Number(text.trim().parse::<Number>().ok()?)),
            _ => None,
        },
        Kind::Boolean => match value {
            Value::Bool(_) => Some(value.clone()),
            Value::String(text) => Some(json!(text.trim().parse::<bool>().ok()?)),
            _ => None,
        },
        Kind::Date => {
            let text = value.as_str()?.trim();
            let date = day(text, zone).or_else(|| text.parse().ok())?;
            Some(json!(date.to_string()))
        }
        Kind::Datetime => {
            let text = value.as_str()?.trim();
            let moment = moment(text).or_else(|| start_of_day(text.parse().ok()?, zone))?;
            Some(json!(moment.to_rfc3339_opts(SecondsFormat::Millis, true)))
        }
    }
}

/// Returns the day of a moment: by its own offset, or in `zone` if it is in UTC.
fn day(text: &str, zone: Tz) -> Option<NaiveDate> {
    let moment = DateTime::parse_from_rfc3339(text).ok()?;
    let is_utc = text.ends_with(['Z', 'z']);
    Some(if is_utc {
        moment.with_timezone(&zone).date_naive()
    } else {
        moment.date_naive()
    })
}

/// Returns the first moment of a day in `zone`: where clocks skip midnight, one hour later.
fn start_of_day(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    (0..=1).find_map(|hour| {
        let start = day.and_hms_opt(hour, 0, 0)?.and_local_timezone(zone);
        Some(start.earliest()?.to_utc())
    })
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use leadstream_schemas::EventData;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{Filter, Rendered, render, wants};
    use crate::mapping::{DEFAULT, Field, Mapping};
    use crate::person::tests::{completed, of, started};

    fn field(field: Value, data: EventData) -> Rendered {
        let field: Field = serde_json::from_value(field).unwrap();
        let mut target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        target.status = None;
        target.fields = BTreeMap::from([("f".to_owned(), field)]);
        render(&target, &of(data), &BTreeMap::new())
    }

    #[test]
    fn values_are_converted_and_what_cannot_be_is_absent() {
        let mut data = completed();
        for (answer, kind, expected) in [
            (json!("7500.5"), "number", Some(json!(7500.5))),
            (json!("a lot"), "number", None),
            (json!(7500), "text", Some(json!("7500"))),
            (json!(["a", "b"]), "text", Some(json!("a;b"))),
            // A location or a file.
            (
                json!({"kind": "image"}),
                "text",
                Some(json!(r#"{"kind":"image"}"#)),
            ),
            (json!({"kind": "image"}), "number", None),
            (json!({"kind": "image"}), "date", None),
            (json!("true"), "boolean", Some(json!(true))),
            (
                json!("2026-11-23T23:30:00-03:00"),
                "date",
                Some(json!("2026-11-23")),
            ),
            (
                json!("2026-11-23"),
                "datetime",
                Some(json!("2026-11-23T00:00:00.000Z")),
            ),
            (json!("tomorrow"), "date", None),
            (json!(" "), "text", None),
            (Value::Null, "text", None),
        ] {
            data.lead_data.insert("answer".into(), answer.clone());
            let rendered = field(json!({"from": "data.answer", "type": kind}), data.clone());
            let value = rendered.values.get("f").cloned().flatten();
            assert_eq!(value, expected, "{answer} as {kind}");
        }
    }

    #[test]
    fn a_date_is_the_day_in_the_crm_s_time_zone_or_by_its_own_offset() {
        for (zone, text, kind, expected) in [
            ("UTC", "2026-11-24T02:30:00Z", "date", "2026-11-24"),
            (
                "America/Sao_Paulo",
                "2026-11-24T02:30:00Z",
                "date",
                "2026-11-23",
            ),
            (
                "Asia/Tokyo",
                "2026-11-23T20:30:00.000Z",
                "date",
                "2026-11-24",
            ),
            (
                "Asia/Tokyo",
                "2026-11-23T23:30:00-03:00",
                "date",
                "2026-11-23",
            ),
            ("Asia/Tokyo", "2026-11-23", "date", "2026-11-23"),
            (
                "America/Sao_Paulo",
                "2026-11-23",
                "datetime",
                "2026-11-23T03:00:00.000Z",
            ),
            // Clocks skip midnight there on that day.
            (
                "America/Santiago",
                "2026-09-06",
                "datetime",
                "2026-09-06T04:00:00.000Z",
            ),
            (
                "Asia/Tokyo",
                "2026-11-23T23:30:00-03:00",
                "datetime",
                "2026-11-24T02:30:00.000Z",
            ),
        ] {
            let mut target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
            target.time_zone = zone.parse().unwrap();
            let field = json!({"from": "data.day", "type": kind});
            target.fields =
                BTreeMap::from([("f".to_owned(), serde_json::from_value(field).unwrap())]);
            let mut data = completed();
            data.lead_data.insert("day".into(), json!(text));
            let rendered = render(&target, &of(data), &BTreeMap::new());
            assert_eq!(
                rendered.values["f"],
                Some(json!(expected)),
                "{text} in {zone}"
            );
        }
    }

    #[test]
    fn the_ad_that_led_to_a_lead_is_a_source() {
        let mut data = completed();
        let referral = json!({
            "source_type": "ad", "source_id": "120", "source_url": "https://fb.me/x",
            "headline": "Solar", "body": "Save", "ctwa_clid": "ARA",
        });
        data.referral = Some(serde_json::from_value(referral.clone()).unwrap());
        data.referred_at = Some(serde_json::from_value(json!("2026-11-23T10:15:00.000Z")).unwrap());
        for (part, value) in referral.as_object().unwrap() {
            let rendered = field(json!({"from": format!("referral.{part}")}), data.clone());
            assert_eq!(rendered.values["f"].as_ref(), Some(value), "{part}");
        }
        let rendered = field(
            json!({"from": "referred_at", "type": "datetime"}),
            data.clone(),
        );
        assert_eq!(
            rendered.values["f"],
            Some(json!("2026-11-23T10:15:00.000Z"))
        );
        data.referral = None;
        let rendered = field(json!({"from": "referral.headline"}), data);
        assert_eq!(rendered.values.get("f"), None);
    }

    #[test]
    fn the_first_message_the_assignment_and_the_consent_are_sources_with_their_times() {
        let mut data = completed();
        let sources = [
            ("first_message", "text", json!("Hi, I want solar")),
            (
                "first_message_at",
                "datetime",
                json!("2026-11-23T10:15:00.000Z"),
            ),
            ("assigned_at", "date", json!("2026-11-24")),
            ("consent", "text", json!("withdrawn")),
            ("consent_at", "datetime", json!("2026-11-25T10:15:00.000Z")),
        ];
        for (source, kind, _) in &sources {
            let rendered = field(json!({"from": source, "type": kind}), data.clone());
            assert_eq!(rendered.values.get("f"), None, "{source}");
        }
        let at = |day: u32| {
            let time = json!(format!("2026-11-{day}T10:15:00.000Z"));
            Some(serde_json::from_value(time).unwrap())
        };
        data.first_message = Some("Hi, I want solar".into());
        data.first_message_at = at(23);
        data.assigned_at = at(24);
        data.consent = Some(leadstream_schemas::Consent::Withdrawn);
        data.consent_at = at(25);
        for (source, kind, value) in &sources {
            let rendered = field(json!({"from": source, "type": kind}), data.clone());
            assert_eq!(rendered.values["f"].as_ref(), Some(value), "{source}");
        }
        let box_of = json!({
            "from": "consent", "type": "boolean",
            "values": { "granted": "true", "withdrawn": "false" },
        });
        assert_eq!(field(box_of, data).values["f"], Some(json!(false)));
    }

    #[test]
    fn a_phone_field_has_one_value_for_both_notations_of_a_number() {
        for (wa_id, phone) in [
            ("551187650001", "+5511987650001"),
            ("5511987650001", "+5511987650001"),
            ("551134567890", "+551134567890"),
            ("5215512345678", "+525512345678"),
            ("525512345678", "+525512345678"),
            ("541123456789", "+5491123456789"),
            ("5491123456789", "+5491123456789"),
            ("4915780000003", "+4915780000003"),
        ] {
            let mut data = completed();
            data.wa_id = Some(wa_id.to_owned());
            let of = |source: &str| {
                let rendered = field(json!({"from": source}), data.clone());
                rendered.values["f"].clone().unwrap()
            };
            assert_eq!(of("phone"), phone);
            assert_eq!(of("wa_id"), wa_id, "the id stays as received");
        }
    }

    #[test]
    fn an_absent_value_is_the_default_or_cleared_or_left_alone() {
        let of = |spec| field(spec, started()).values.get("f").cloned();
        assert_eq!(
            of(json!({"from": "data.x", "default": "-"})),
            Some(Some(json!("-")))
        );
        assert_eq!(of(json!({"from": "data.x", "clear": true})), Some(None));
        assert_eq!(of(json!({"from": "data.x"})), None);
    }

    #[test]
    fn a_representative_becomes_the_owner_by_the_mapping() {
        let mut data = started();
        let spec = json!({"from": "assignee", "values": {"ana@example.com": "41"}});
        for (assignee, owner) in [
            (Some("ana@example.com"), Some(json!("41"))),
            (Some("bo"), None),
            (None, None),
        ] {
            data.assignee = assignee.map(str::to_owned);
            let rendered = field(spec.clone(), data.clone());
            assert_eq!(rendered.values.get("f").cloned().flatten(), owner);
        }
    }

    #[test]
    fn a_merged_lead_s_record_names_the_survivor_and_is_closed() {
        let mut data = started();
        data.current_state = "MERGED".into();
        data.merged_into = Some("5511".into());
        let mapping: Mapping = DEFAULT.parse().unwrap();
        let rendered = |target| render(target, &of(data.clone()), &BTreeMap::new()).values;
        let hubspot = rendered(&mapping.hubspot);
        assert_eq!(hubspot["leadstream_merged_into"], Some(json!("5511")));
        assert_eq!(hubspot["hs_lead_status"], Some(json!("UNQUALIFIED")));
        let salesforce = rendered(&mapping.salesforce);
        assert_eq!(salesforce["Status"], Some(json!("Closed - Not Converted")));
    }

    #[test]
    fn filters_hold_back_what_does_not_pass() {
        let passes = |filter: Value, data: &EventData| {
            wants(&serde_json::from_value::<Filter>(filter).unwrap(), data)
        };
        assert!(passes(json!({}), &started()));
        assert!(!passes(json!({"completed": true}), &started()));
        assert!(passes(
            json!({"completed": true, "min_score": 50}),
            &completed()
        ));
        assert!(!passes(json!({"min_score": 101}), &completed()));
        assert!(!passes(
            json!({"except_states": ["COMPLETED"]}),
            &completed()
        ));
        assert!(!passes(json!({"states": ["COMPLETED"]}), &started()));
        assert!(!passes(json!({"flows": ["other"]}), &started()));
    }

    proptest! {
        #[test]
        fn text_always_fits_and_each_cut_is_counted(name in "\\PC{0,60}", longest in 1usize..20) {
            let mut data = started();
            data.lead_metadata.name = Some(name.clone());
            let rendered = field(json!({"from": "name", "max_length": longest}), data);
            if let Some(Some(Value::String(text))) = rendered.values.get("f") {
                prop_assert!(text.encode_utf16().count() <= longest);
                prop_assert_eq!(rendered.truncated == 0, *text == name);
            }
        }
    }

    #[test]
    fn the_name_of_the_profile_is_provisional_until_the_lead_says_its_name() {
        let mapping: Mapping = DEFAULT.parse().unwrap();
        for target in [&mapping.hubspot, &mapping.salesforce] {
            let names = |data| {
                let rendered = render(target, &of(data), &BTreeMap::new());
                let names = rendered.provisional.into_iter();
                names
                    .filter(|name| name.to_lowercase().ends_with("name"))
                    .collect::<Vec<_>>()
            };
            assert_eq!(names(started()).len(), 2, "{:?}", names(started()));
            assert!(names(completed()).is_empty());
        }
    }
}
