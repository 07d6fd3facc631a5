//! The types of the mapping file. They generate its JSON Schema, `crm.schema.json`.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::source::Source;

/// What each CRM gets of a lead.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Leadstream's CRM mapping")]
pub(crate) struct Mapping {
    /// Version of this format: 1.
    #[serde(default = "version")]
    #[schemars(range(min = 1, max = 1))]
    pub(crate) version: u32,
    /// States that go first, beside completed leads, when a CRM accepts fewer requests than are due.
    #[serde(default)]
    pub(crate) urgent_states: Vec<String>,
    /// The time zone of dates in the CRM, such as `America/Sao_Paulo`: a moment's day is its day there.
    /// UTC by default.
    #[serde(default, alias = "timezone")]
    #[schemars(with = "Option<String>")]
    pub(crate) time_zone: TimeZone,
    /// HubSpot's contacts; those of the built-in mapping without it.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<Target>")]
    pub(crate) hubspot: Target,
    /// Salesforce's leads; those of the built-in mapping without it.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<Target>")]
    pub(crate) salesforce: Target,
    /// The signed webhook, which gets whole events.
    #[serde(default)]
    pub(crate) webhook: Receiver,
}

const fn version() -> u32 {
    1
}

/// Reads a member that may be there without a value.
fn or_default<'de, D: Deserializer<'de>>(from: D) -> Result<Target, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// A time zone of the IANA database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct TimeZone(pub(crate) Tz);

impl TryFrom<String> for TimeZone {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            format!(
                "`time_zone: {text}` is no time zone; use a name of the IANA database, such as America/Sao_Paulo"
            )
        })
    }
}

/// The records of one CRM.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// Leads that the CRM gets. A lead that the CRM has is kept up to date whatever its state.
    #[serde(default)]
    pub(crate) filter: Filter,
    /// How an existing record is found before a lead's record is created; a match is adopted. Without
    /// it no search is made.
    #[serde(default)]
    pub(crate) match_existing: Option<MatchBy>,
    /// What to do when several records match.
    #[serde(default)]
    pub(crate) several_matches: OnMultipleMatches,
    /// What to do when the CRM made another record of a lead that it had: sales merged or deleted the
    /// first.
    #[serde(default)]
    pub(crate) recreated: OnRecreated,
    /// Number field that holds the lead's revision; that of the built-in mapping without it.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub(crate) revision: String,
    /// Text field that holds, of a merged lead, the id of the lead that it joined.
    #[serde(default)]
    pub(crate) merged_into: Option<String>,
    /// The pick list that shows the status of a lead.
    #[serde(default)]
    pub(crate) status: Option<Status>,
    /// Further fields, by their names in the CRM. Without any, the fields, the status and `merged_into`
    /// of the built-in mapping are written.
    #[serde(default)]
    pub(crate) fields: BTreeMap<String, Field>,
    /// The mapping's time zone.
    #[serde(skip)]
    pub(crate) time_zone: Tz,
}

/// How an existing record is matched with a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MatchBy {
    /// By the number, in the CRM's fields for phone numbers, in any notation.
    Phone,
    /// By the number, and if no record has it, by the e-mail address that the mapping writes to the
    /// CRM's field for it.
    PhoneThenEmail,
}

/// What to do when the CRM made another record of a lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnRecreated {
    /// The log, a metric and `leadstream crm status` show it.
    #[default]
    Report,
    /// They show it, and the lead is parked until a person has looked at both records.
    Park,
}

/// What to do when several records match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnMultipleMatches {
    /// The lead is parked until a person has merged the records, or given one the lead's id.
    #[default]
    Park,
    /// The oldest record is adopted.
    Oldest,
}

/// The signed webhook.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receiver {
    /// Events that are sent; each is filtered by itself.
    #[serde(default)]
    pub(crate) filter: Filter,
}

/// Conditions that all have to hold; without any, every lead passes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Filter {
    /// Only these states.
    pub(crate) states: Vec<String>,
    /// Not these states.
    pub(crate) except_states: Vec<String>,
    /// Only leads of these flows.
    pub(crate) flows: Vec<String>,
    /// Only leads with this score at least.
    pub(crate) min_score: Option<i32>,
    /// Only completed leads, or only those that are not.
    pub(crate) completed: Option<bool>,
}

/// A pick list, by the lead's state.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Status {
    /// The field's name.
    pub(crate) field: String,
    /// Its value for a completed lead whose state is not listed.
    #[serde(default)]
    pub(crate) completed: Option<String>,
    /// Its value by state.
    #[serde(default)]
    pub(crate) states: BTreeMap<String, String>,
    /// Its value for every other state.
    pub(crate) otherwise: String,
    /// When it is written over what the CRM has; `while_ours` by default.
    #[serde(default = "while_ours")]
    pub(crate) write: WriteRule,
}

const fn while_ours() -> WriteRule {
    WriteRule::WhileOurs
}

/// One field.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    /// The value of the lead that it holds: `lead_id`, `wa_id`, `phone` (with a plus sign), `name`,
    /// `first_name` and `last_name` (one word is a first name), `only_or_last_name` and
    /// `names_before_last` (one word is a last name), `state`, `previous_state`, `score`,
    /// `is_completed`, `platform`, `cause`, `flow`, `timestamp`, `assignee` (to whom the lead is
    /// assigned), `assigned_at`, `first_message` and `first_message_at`, `consent` (`granted` or
    /// `withdrawn`) and `consent_at`, `referral.source_type`, `.source_id`, `.source_url`, `.headline`, `.body` and
    /// `.ctwa_clid` (the first ad or post that led to a message), `referred_at`, or `data.` and the name of an answer.
    #[schemars(with = "String")]
    pub(crate) from: Source,
    /// Its type in the CRM. A value that cannot be converted counts as absent.
    #[serde(default, rename = "type")]
    pub(crate) kind: Kind,
    /// The field's value by the lead's value. A value that is not listed counts as absent.
    #[serde(default)]
    pub(crate) values: BTreeMap<String, String>,
    /// Its value when the lead has none.
    #[serde(default)]
    pub(crate) default: Option<Value>,
    /// The most characters, counted as UTF-16 code units. A longer text is truncated and counted. The CRM's own limit applies, too.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub(crate) max_length: Option<usize>,
    /// Whether it is cleared when the lead has no value. Without it the field keeps its value.
    #[serde(default)]
    pub(crate) clear: bool,
    /// When it is written over what the CRM has. By default names, the phone number and the assignee
    /// are written `once`, fields with a `default` `while_ours`, and others `always`.
    #[serde(default)]
    pub(crate) write: Option<WriteRule>,
}

/// When a field is written over what the CRM has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WriteRule {
    /// Whatever the CRM has.
    Always,
    /// Until it got a value of the lead once, and only if it is empty then.
    Once,
    /// Only while it is empty.
    IfEmpty,
    /// Only while it is empty, or holds the value that was written last.
    WhileOurs,
}

impl Field {
    /// Returns the rule of the field.
    pub(crate) fn rule(&self) -> WriteRule {
        if let Some(rule) = self.write {
            return rule;
        }
        if self.from.is_personal() {
            // A field that is cleared is written more than once.
            return if self.clear {
                WriteRule::WhileOurs
            } else {
                WriteRule::Once
            };
        }
        if self.default.is_some() {
            return WriteRule::WhileOurs;
        }
        WriteRule::Always
    }
}

/// A type of field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    #[default]
    Text,
    Number,
    Boolean,
    /// `2026-11-23`.
    Date,
    /// A moment, in UTC.
    Datetime,
}

impl Target {
    /// Returns what to do when several records match; `None` where no search is made.
    pub(crate) fn on_multiple_matches(&self) -> Option<OnMultipleMatches> {
        self.match_existing.map(|_| self.several_matches)
    }

    /// Returns whether existing records are matched by the e-mail address, too.
    pub(crate) fn matches_email(&self) -> bool {
        self.match_existing == Some(MatchBy::PhoneThenEmail)
    }
}

/// Returns the JSON Schema of mapping files, with a final newline.
#[must_use]
pub fn json_schema() -> String {
    let schema = schemars::generate::SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<Mapping>();
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Mapping, json_schema};
    use crate::mapping::DEFAULT;

    #[test]
    fn the_published_schema_is_the_types_and_the_default_fits_it() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("crm.schema.json");
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, json_schema()).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            published,
            json_schema(),
            "UPDATE_SCHEMAS=1 rewrites the file"
        );
        let schema: serde_json::Value = serde_json::from_str(&published).unwrap();
        let document: serde_json::Value = serde_saphyr::from_str(DEFAULT).unwrap();
        jsonschema::validate(&schema, &document).unwrap();
        Mapping::load(None).unwrap();
    }
}
