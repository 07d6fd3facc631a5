//! The flow document in YAML, each part with its place for errors. Its JSON Schema is generated
//! from these types.

mod assign;
mod compute;
mod expect;
mod hours;
mod languages;
mod one_or_many;
mod template;
mod undelivered;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

pub(super) use assign::{Assign, Assignee};
pub(super) use compute::Compute;
pub(super) use expect::{
    ChoiceDocument, CurrencyCode, DateDocument, Expect, FormDocument, FormKind, MediaDocument,
    NumberDocument, OptionDocument, PERIODS, TextDocument, TimeDocument,
};
pub(super) use hours::{HoursDocument, Time, Times};
pub(super) use languages::{Language, Languages, LocalizedText, LocalizedWords};
pub(crate) use one_or_many::{Item, OneOrMany};
pub(super) use template::{ButtonDocument, ParametersDocument, TemplateDocument};
pub(super) use undelivered::{ReactionDocument, UndeliveredDocument};

/// A qualification flow of Leadstream.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Leadstream flow")]
pub(super) struct Document {
    /// Names the flow in events, rows and commands: letters, digits, `-` and `_`.
    #[schemars(with = "String")]
    pub(super) name: Spanned<String>,
    /// A whole number from 1. A published version never changes: a changed document needs a higher
    /// one.
    // Read as text, so that the loader reports errors with their place.
    #[schemars(with = "u32", range(min = 1))]
    pub(super) version: Spanned<String>,
    /// The languages of the texts, such as `en` or `[en, es]`. The first is the default; the field
    /// `language` chooses another.
    #[schemars(with = "Languages")]
    pub(super) language: Spanned<Languages>,
    /// The step after a lead's first message.
    #[schemars(with = "String")]
    pub(super) start: Spanned<String>,
    /// The conditions by which a first message chooses this flow; if empty, the flow is the
    /// fallback.
    #[serde(default)]
    pub(super) chosen_by: ChosenBy,
    /// Words that take precedence over the step, if they are the whole message, in any case.
    #[serde(default)]
    pub(super) keywords: Keywords,
    /// The texts outside of steps.
    #[serde(default)]
    pub(super) messages: Messages,
    /// The limit of messages that do not answer a question.
    pub(super) tries: Option<TriesDocument>,
    /// The timers of a silent conversation.
    #[serde(default)]
    pub(super) timers: TimersDocument,
    /// What happens where the open question does not reach the lead, by the reason.
    #[serde(default)]
    pub(super) undelivered: UndeliveredDocument,
    /// The time that a reply waits for a further message, so that three quick messages get one
    /// reply: `1s` by default, at most `30s`.
    #[schemars(with = "Option<String>")]
    pub(super) burst_wait: Option<Spanned<String>>,
    /// The working hours. Expressions read them as `is_open`, and nudges wait for them.
    #[schemars(with = "Option<HoursDocument>")]
    pub(super) hours: Option<Spanned<HoursDocument>>,
    /// The time zone of `today` and `tomorrow`, such as `America/Sao_Paulo`: `UTC` by default.
    #[schemars(with = "Option<String>")]
    pub(super) time_zone: Option<Spanned<String>>,
    /// The templates of WhatsApp that the flow sends outside the window of 24 hours, by the names that
    /// the flow gives them.
    #[serde(default, deserialize_with = "mapping")]
    #[schemars(with = "BTreeMap<String, TemplateDocument>")]
    pub(super) templates: Vec<(Spanned<String>, TemplateDocument)>,
    /// The steps by name. A lead's state is the name of its step.
    #[schemars(with = "Steps")]
    pub(super) steps: Spanned<Steps>,
}

impl Document {
    pub(super) fn steps(&self) -> &[(Spanned<String>, StepDocument)] {
        &self.steps.value.0
    }
}

/// The conditions of a first message. A referral takes precedence over a keyword, a keyword over a
/// number; of equals, the flow that was published last counts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ChosenBy {
    /// Ids of the ads or posts that led to the message (`referral.source_id`).
    #[schemars(with = "Vec<String>")]
    pub(super) referrals: Vec<Spanned<String>>,
    /// Whole messages.
    #[schemars(with = "Vec<String>")]
    pub(super) keywords: Vec<Spanned<String>>,
    /// Business numbers: the Cloud API's `phone_number_id`, or the name of a WASenderApi session.
    #[schemars(with = "Vec<String>")]
    pub(super) numbers: Vec<Spanned<String>>,
}

/// Each is a list of words, or one list for each language. A word counts if it is the whole message;
/// case, accents, punctuation and emoji are ignored.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Keywords {
    /// Restarts the flow, also while a person has the lead.
    #[schemars(with = "LocalizedWords")]
    pub(super) restart: Option<Spanned<LocalizedWords>>,
    /// Stops all messages. Usual opt-outs of the flow's languages and of English, such as `STOP` and
    /// `Unsubscribe`, also count, unless they are an option of the open question.
    #[schemars(with = "LocalizedWords")]
    pub(super) stop: Option<Spanned<LocalizedWords>>,
    /// Revokes STOP, as `START` does in every flow. Without STOP it is an ordinary answer.
    #[schemars(with = "LocalizedWords")]
    pub(super) start: Option<Spanned<LocalizedWords>>,
    /// Asks for a person.
    #[schemars(with = "LocalizedWords")]
    pub(super) human: Option<Spanned<LocalizedWords>>,
    /// Goes back to the question before, which is then answered again.
    #[schemars(with = "LocalizedWords")]
    pub(super) back: Option<Spanned<LocalizedWords>>,
    /// Skips an optional question, as the usual words of the flow's languages and of English do, such as
    /// `skip`, `pular` and `-`.
    #[schemars(with = "LocalizedWords")]
    pub(super) skip: Option<Spanned<LocalizedWords>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Messages {
    /// Confirms STOP.
    #[schemars(with = "LocalizedText")]
    pub(super) stopped: Option<Spanned<LocalizedText>>,
    /// Confirms START; the open question follows.
    #[schemars(with = "LocalizedText")]
    pub(super) started: Option<Spanned<LocalizedText>>,
    /// Sent at a hand-off to a person: after too many tries, on HUMAN, or by a step without words of
    /// its own. Without it the bot is silent at once.
    #[schemars(with = "LocalizedText")]
    pub(super) handoff: Option<Spanned<LocalizedText>>,
    /// Sent before the open question to a silent lead.
    #[schemars(with = "LocalizedText")]
    pub(super) nudge: Option<Spanned<LocalizedText>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TriesDocument {
    /// The limit of messages in a row that are no answer: 3 by default.
    #[schemars(with = "Option<u32>", range(min = 1, max = 20))]
    pub(super) limit: Option<Spanned<String>>,
    /// The next step at the limit, or `HUMAN_HANDOFF` (the default).
    #[schemars(with = "Option<String>")]
    pub(super) then: Option<Spanned<String>>,
}

/// Durations such as `90m`, `23h` or `2d`; `off` for never.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TimersDocument {
    /// The silence after which the open question is sent again, before WhatsApp's window of 24 hours
    /// closes: `23h` by default. It waits for the working hours of a flow that has some.
    #[schemars(with = "Option<String>")]
    pub(super) nudge: Option<Spanned<String>>,
    /// The silence after which the lead is `COLD`: `24h` by default.
    #[schemars(with = "Option<String>")]
    pub(super) cold: Option<Spanned<String>>,
    /// The time after a person's last message until the bot resumes: `12h` by default.
    #[schemars(with = "Option<String>")]
    pub(super) handoff: Option<Spanned<String>>,
    /// A template for a lead that has been silent for longer than WhatsApp's window; none by default.
    pub(super) reengage: Option<ReengageDocument>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Reengage")]
pub(super) struct ReengageDocument {
    /// The silence after which the template is sent, from `24h` on. It waits for the working hours of a
    /// flow that has some.
    #[schemars(with = "String")]
    pub(super) after: Spanned<String>,
    /// The template, by its name in `templates`.
    #[schemars(with = "String")]
    pub(super) template: Spanned<String>,
}

/// The steps by state, in the document's order.
#[derive(Debug, JsonSchema)]
pub(super) struct Steps(
    #[schemars(with = "BTreeMap<String, StepDocument>", extend("minProperties" = 1))]
    pub(super)  Vec<(Spanned<String>, StepDocument)>,
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StepDocument {
    /// Sent on arrival. `{name}` is replaced by the field `name`, `{name|friend}` by `friend` where the
    /// field has no value; `{{` and `}}` are braces.
    #[schemars(with = "Option<LocalizedText>")]
    pub(super) prompt: Option<Spanned<LocalizedText>>,
    /// The address of an image that is shown above the prompt: `https`, JPEG or PNG, up to 5 MB.
    #[schemars(with = "Option<LocalizedText>")]
    pub(super) image: Option<Spanned<LocalizedText>>,
    /// A button below the prompt that opens an address.
    pub(super) link: Option<LinkDocument>,
    /// The type of answer: `text`, `name`, `number`, `email`, `phone`, `date`, `time`, `location`, `media`, a
    /// kind of media such as `image`, or a type with its settings, such as `choice` and `form`.
    /// `nothing`, the default, goes on at once.
    #[schemars(with = "Option<Expect>")]
    pub(super) expect: Option<Spanned<Expect>>,
    /// The template that is sent instead of the step's words outside WhatsApp's window, by its name in
    /// `templates`.
    #[schemars(with = "Option<String>")]
    pub(super) outside_window: Option<Spanned<String>>,
    /// Sent instead of the prompt after a message that is no answer. Where the flow has ended, sent
    /// after every message.
    #[schemars(with = "Option<LocalizedText>")]
    pub(super) retry: Option<Spanned<LocalizedText>>,
    /// Whether to ask where the field has a valid value already, as from a form: `always`, the default,
    /// or `if_unknown`.
    #[schemars(with = "Option<AskDocument>")]
    pub(super) ask: Option<Spanned<AskDocument>>,
    /// The name of the field that an answer fills: `a-z`, `0-9` and `_`.
    #[schemars(with = "Option<String>")]
    pub(super) fill: Option<Spanned<String>>,
    /// True if a lead may skip the question, with a word such as `skip`. Its field then has no value.
    #[serde(default)]
    pub(super) optional: bool,
    /// Words with which the lead corrects its answer later: whole messages, as `keywords` are. The
    /// question is asked again, and then what the new answer makes necessary.
    #[schemars(with = "Option<LocalizedWords>")]
    pub(super) change: Option<Spanned<LocalizedWords>>,
    /// A CEL expression, true for a valid answer. `value` is the answer.
    #[schemars(with = "Option<String>")]
    pub(super) valid: Option<Spanned<String>>,
    /// CEL expressions for further fields: after an accepted answer, or on arrival at a step that
    /// expects nothing.
    #[schemars(with = "Option<Compute>")]
    pub(super) compute: Option<Spanned<Compute>>,
    /// A CEL expression for the new score after an accepted answer. `score` is the score so far.
    #[schemars(with = "Option<String>")]
    pub(super) score: Option<Spanned<String>>,
    /// The next step or `HUMAN_HANDOFF`, or a list of conditions that are tried in order.
    #[schemars(with = "Option<Next>")]
    pub(super) next: Option<Spanned<Next>>,
    /// The sales representative of an arriving lead that has none: a name, or a list of rules that
    /// are tried in order.
    #[schemars(with = "Option<Assign>")]
    pub(super) assign: Option<Spanned<Assign>>,
    /// Overrides the flow's `tries`.
    pub(super) tries: Option<TriesDocument>,
    /// True if arriving completes the qualification.
    #[serde(default)]
    pub(super) completes: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkDocument {
    /// The title of the button, up to 20 characters.
    #[schemars(with = "LocalizedText")]
    pub(super) title: Spanned<LocalizedText>,
    /// The address: `https`. It may hold placeholders after a `?`, which are percent-encoded.
    #[schemars(with = "LocalizedText")]
    pub(super) url: Spanned<LocalizedText>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Ask")]
pub(super) enum AskDocument {
    Always,
    IfUnknown,
}

impl StepDocument {
    /// Returns the computed fields with their expressions, in order.
    pub(super) fn computed(&self) -> &[(Spanned<String>, Spanned<String>)] {
        self.compute
            .as_ref()
            .map_or(&[], |compute| &compute.value.0)
    }

    /// Returns whether the step asks only where its field is unknown.
    pub(super) fn asks_if_unknown(&self) -> bool {
        self.ask
            .as_ref()
            .is_some_and(|ask| ask.value == AskDocument::IfUnknown)
    }
}

/// The next step, or cases that are tried in order.
pub(super) type Next = OneOrMany<Case>;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// A CEL expression, true if this case holds; the last case has none.
    #[schemars(with = "Option<String>")]
    pub(super) when: Option<Spanned<String>>,
    /// The next step, or `HUMAN_HANDOFF`.
    #[schemars(with = "String")]
    pub(super) to: Spanned<String>,
}

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StepsVisitor;

        impl<'de> Visitor<'de> for StepsVisitor {
            type Value = Steps;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from states to steps")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Steps, A::Error> {
                entries(map).map(Steps)
            }
        }

        deserializer.deserialize_map(StepsVisitor)
    }
}

impl Item for Case {
    const NAME: &'static str = "Next";
    const EXPECTED: &'static str = "the name of a step, or a list of `when` and `to`";

    fn item(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Self>()
    }
}

/// Reads a mapping whose entries have names of their own, in its order.
fn mapping<'de, D, T>(deserializer: D) -> Result<Vec<(Spanned<String>, T)>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct MappingVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for MappingVisitor<T> {
        type Value = Vec<(Spanned<String>, T)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a mapping from names")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            entries(map)
        }
    }

    deserializer.deserialize_map(MappingVisitor(PhantomData))
}

/// Returns the entries of a mapping in their order.
fn entries<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    mut map: A,
) -> Result<Vec<(Spanned<String>, T)>, A::Error> {
    let mut entries = Vec::new();
    while let Some(entry) = map.next_entry()? {
        entries.push(entry);
    }
    Ok(entries)
}
