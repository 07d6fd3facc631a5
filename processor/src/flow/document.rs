//! The flow document as it is written, each part with its place for errors. Its JSON Schema is
//! made from these types.

mod assign;
mod expect;
mod words;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

pub(super) use assign::Assign;
pub(super) use expect::{
    ChoiceDocument, DateDocument, Expect, FormDocument, FormKind, NumberDocument, OptionDocument,
    TextDocument,
};
pub(super) use words::{Languages, Lists, Words};

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
    // Read as text so that the loader can say what is wrong with it.
    #[schemars(with = "u32", range(min = 1))]
    pub(super) version: Spanned<String>,
    /// The languages that it is written in, such as `en` or `[en, es]`; the first is used until
    /// the field `language` holds another of them.
    #[schemars(with = "Languages")]
    pub(super) language: Spanned<Languages>,
    /// The step that a first message leads to, whatever it says.
    #[schemars(with = "String")]
    pub(super) start: Spanned<String>,
    /// When a conversation follows this flow rather than another; without it, when no other does.
    #[serde(default)]
    pub(super) chosen_by: ChosenBy,
    /// Words that come before the flow, as the whole message only, in any case.
    #[serde(default)]
    pub(super) keywords: Keywords,
    /// What is said outside of steps.
    #[serde(default)]
    pub(super) messages: Messages,
    /// How often a question is asked of a lead that does not answer it.
    pub(super) tries: Option<TriesDocument>,
    /// What time does to a conversation.
    #[serde(default)]
    pub(super) timers: TimersDocument,
    /// How long a reply waits for a further message, so that three quick ones get one answer: `1s`
    /// by default, at most `30s`.
    #[schemars(with = "Option<String>")]
    pub(super) burst_wait: Option<Spanned<String>>,
    /// The steps by name. A lead's state is the name of the step whose answer is due.
    #[schemars(with = "Steps")]
    pub(super) steps: Spanned<Steps>,
}

/// A conversation follows the first flow, by name, that its first message chooses.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ChosenBy {
    /// Ids of the ads or posts that led to the message (`referral.source_id`).
    #[schemars(with = "Vec<String>")]
    pub(super) referrals: Vec<Spanned<String>>,
    /// The whole message.
    #[schemars(with = "Vec<String>")]
    pub(super) keywords: Vec<Spanned<String>>,
    /// Business numbers: the Cloud API's `phone_number_id`, or the name of a WASenderApi session.
    #[schemars(with = "Vec<String>")]
    pub(super) numbers: Vec<Spanned<String>>,
}

/// Each a list of words, or one list for each language. A word counts when it is the whole message,
/// whatever its case, accents, punctuation or emoji.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Keywords {
    /// Begins the flow anew, also while a person has the lead.
    #[schemars(with = "Lists")]
    pub(super) restart: Option<Spanned<Lists>>,
    /// No more messages are sent. Usual opt-outs of the flow's languages and of English, such as
    /// `STOP` and `Unsubscribe`, count in any case, unless they are an option of the open question.
    #[schemars(with = "Lists")]
    pub(super) stop: Option<Spanned<Lists>>,
    /// Takes STOP back, as `START` does in every flow. Else it is an ordinary answer.
    #[schemars(with = "Lists")]
    pub(super) start: Option<Spanned<Lists>>,
    /// Asks for a person.
    #[schemars(with = "Lists")]
    pub(super) human: Option<Spanned<Lists>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Messages {
    /// Confirms STOP.
    #[schemars(with = "Words")]
    pub(super) stopped: Option<Spanned<Words>>,
    /// Confirms START; the open question follows.
    #[schemars(with = "Words")]
    pub(super) started: Option<Spanned<Words>>,
    /// Said when a person takes over: after too many tries, or on HUMAN. Without it the bot is
    /// silent at once.
    #[schemars(with = "Words")]
    pub(super) handoff: Option<Spanned<Words>>,
    /// Said before the open question when a lead has been silent for a while.
    #[schemars(with = "Words")]
    pub(super) nudge: Option<Spanned<Words>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TriesDocument {
    /// Messages in a row that are no answer: 3 by default.
    #[schemars(with = "Option<u32>", range(min = 1, max = 20))]
    pub(super) limit: Option<Spanned<String>>,
    /// Where the last of them leads: a step, or `HUMAN_HANDOFF` (the default).
    #[schemars(with = "Option<String>")]
    pub(super) then: Option<Spanned<String>>,
}

/// Times such as `90m`, `23h` or `2d`; `off` for never.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TimersDocument {
    /// Silence after which the open question is asked once more, before WhatsApp's window of 24
    /// hours closes: `23h` by default.
    #[schemars(with = "Option<String>")]
    pub(super) nudge: Option<Spanned<String>>,
    /// Silence after which the lead is `COLD`: `24h` by default.
    #[schemars(with = "Option<String>")]
    pub(super) cold: Option<Spanned<String>>,
    /// After a person's last message the bot has the lead again: `12h` by default.
    #[schemars(with = "Option<String>")]
    pub(super) handoff: Option<Spanned<String>>,
}

/// The steps by state, in the document's order.
#[derive(Debug)]
pub(super) struct Steps(pub(super) Vec<(Spanned<String>, StepDocument)>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StepDocument {
    /// Said on arrival. `{name}` stands for the field `name`; `{{` and `}}` for braces.
    #[schemars(with = "Option<Words>")]
    pub(super) prompt: Option<Spanned<Words>>,
    /// What an answer is: `text`, `number`, `email`, `phone`, `date`, `location`, or one of them
    /// (or `choice`, `form`) with its settings. `nothing`, the default, goes on at once.
    #[schemars(with = "Option<Expect>")]
    pub(super) expect: Option<Spanned<Expect>>,
    /// Said instead of the prompt to what is no answer.
    #[schemars(with = "Option<Words>")]
    pub(super) retry: Option<Spanned<Words>>,
    /// The field that an answer fills: `a-z`, `0-9` and `_`.
    #[schemars(with = "Option<String>")]
    pub(super) fill: Option<Spanned<String>>,
    /// A CEL expression, true for a valid answer, which is `value` in it.
    #[schemars(with = "Option<String>")]
    pub(super) valid: Option<Spanned<String>>,
    /// A CEL expression for the score, evaluated when an answer is accepted; `score` is the one so
    /// far.
    #[schemars(with = "Option<String>")]
    pub(super) score: Option<Spanned<String>>,
    /// The step that follows, or a list of conditions that are tried in order.
    #[schemars(with = "Option<Next>")]
    pub(super) next: Option<Spanned<Next>>,
    /// Whom arriving assigns the lead to, unless somebody has it already: a name, or a list of
    /// rules that are tried in order.
    #[schemars(with = "Option<Assign>")]
    pub(super) assign: Option<Spanned<Assign>>,
    /// Overrides the flow's.
    pub(super) tries: Option<TriesDocument>,
    /// Whether arriving completes the qualification.
    #[serde(default)]
    pub(super) completes: bool,
}

/// Where a step leads.
#[derive(Debug)]
pub(super) enum Next {
    Always(String),
    Cases(Vec<Case>),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// A CEL expression, true where this case holds; the last case has none.
    #[schemars(with = "Option<String>")]
    pub(super) when: Option<Spanned<String>>,
    /// A step.
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

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Steps, A::Error> {
                let mut steps = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    steps.push(entry);
                }
                Ok(Steps(steps))
            }
        }

        deserializer.deserialize_map(StepsVisitor)
    }
}

impl JsonSchema for Steps {
    fn schema_name() -> Cow<'static, str> {
        "Steps".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let step = generator.subschema_for::<StepDocument>();
        json_schema!({ "type": "object", "minProperties": 1, "additionalProperties": step })
    }
}

impl<'de> Deserialize<'de> for Next {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NextVisitor;

        impl<'de> Visitor<'de> for NextVisitor {
            type Value = Next;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a step, or a list of `when` and `to`")
            }

            fn visit_str<E>(self, name: &str) -> Result<Next, E> {
                Ok(Next::Always(name.to_owned()))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> Result<Next, A::Error> {
                let mut cases = Vec::new();
                while let Some(case) = items.next_element()? {
                    cases.push(case);
                }
                Ok(Next::Cases(cases))
            }
        }

        deserializer.deserialize_any(NextVisitor)
    }
}

impl JsonSchema for Next {
    fn schema_name() -> Cow<'static, str> {
        "Next".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let case = generator.subschema_for::<Case>();
        json_schema!({ "oneOf": [
            { "type": "string" },
            { "type": "array", "minItems": 1, "items": case },
        ] })
    }
}
