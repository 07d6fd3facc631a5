//! The body of a command.

use leadstream_schemas::Content;
use serde::{Deserialize, Deserializer};
use serde_json::{Error, Value};
use utoipa::ToSchema;

use crate::problem::{Place, Problem};
use crate::tokens::Scope;

/// A command to a lead.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum CommandRequest {
    /// Starts the flow again, unless the lead opted out.
    Restart {},
    /// Gives the conversation back to the bot.
    Release {},
    /// Assigns the lead to a person of the business. Null removes the assignee.
    Assign {
        #[serde(deserialize_with = "Option::deserialize")]
        #[schema(
            required = true,
            min_length = 1,
            max_length = 100,
            pattern = "^[^\\s\\x00-\\x1f\\x7f-\\x9f]([^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f])?$"
        )]
        assignee: Option<String>,
    },
    /// Writes to the lead as a person. The bot is silent afterwards.
    Say {
        /// The text. Without it the template is sent at any time.
        #[serde(default, deserialize_with = "given")]
        #[schema(
            value_type = String,
            min_length = 1,
            max_length = 4096,
            pattern = "^[^\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f]*$"
        )]
        body: Option<String>,
        /// The template of the lead's flow that is sent outside WhatsApp's window of 24 hours.
        #[serde(default, deserialize_with = "given")]
        #[schema(value_type = String, min_length = 1, max_length = 50, pattern = "^[A-Za-z0-9_-]+$")]
        template: Option<String>,
    },
    /// Erases the person. Needs the scope `leads:erase`.
    Erase {},
}

impl CommandRequest {
    /// Reads the body of a request.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let refused =
            |pointer: &str, detail| Problem::invalid_request(Place::pointer(pointer), detail);
        let request = serde_json::from_slice(body).map_err(|error| {
            let (pointer, detail) = fault(body, &error);
            refused(&pointer, detail)
        })?;
        match &request {
            Self::Say { body, template } if !says(body.as_deref(), template.as_deref()) => {
                Err(refused("/body", NO_WORDS.to_owned()))
            }
            _ => Ok(request),
        }
    }

    pub(super) const fn scope(&self) -> Scope {
        match self {
            Self::Erase {} => Scope::Erase,
            _ => Scope::Write,
        }
    }
}

impl From<CommandRequest> for Content {
    fn from(request: CommandRequest) -> Self {
        match request {
            CommandRequest::Restart {} => Self::Restart,
            CommandRequest::Release {} => Self::Release,
            CommandRequest::Assign { assignee } => Self::Assign { assignee },
            CommandRequest::Say { body, template } => Self::Say {
                body: body.unwrap_or_default(),
                template,
            },
            CommandRequest::Erase {} => Self::Erase { of: None },
        }
    }
}

const NO_WORDS: &str = "give the text of the message, or a template of the lead's flow";

/// Returns whether there is a text, or a template alone.
fn says(body: Option<&str>, template: Option<&str>) -> bool {
    match body {
        Some(body) => !body.is_empty(),
        None => template.is_some(),
    }
}

/// Reads a member that is there, which is never null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// Returns the member of `body` that makes it no command, as a JSON Pointer, and what to do.
fn fault(body: &[u8], error: &Error) -> (String, String) {
    let example = "send JSON such as {\"type\": \"release\"}, as /openapi.json describes";
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        let place = format!("line {}, column {}", error.line(), error.column());
        return (
            String::new(),
            format!("the body is no JSON ({place}); {example}"),
        );
    };
    let Some(members) = value.as_object() else {
        return (String::new(), format!("the body is no object; {example}"));
    };
    let known: &[&str] = match members.get("type").and_then(Value::as_str) {
        Some("restart" | "release" | "erase") => &[],
        Some("assign") => &["assignee"],
        Some("say") => &["body", "template"],
        _ => {
            let detail = "name a command: restart, release, assign, say or erase";
            return ("/type".to_owned(), detail.to_owned());
        }
    };
    let unknown = members
        .keys()
        .find(|it| *it != "type" && !known.contains(&it.as_str()));
    if let Some(unknown) = unknown {
        let pointer = format!("/{}", unknown.replace('~', "~0").replace('/', "~1"));
        return (pointer, "the command has no such member".to_owned());
    }
    // The one that is no text, or the one that is missing.
    let is_wrong = |name: &&&str| members.get(**name).is_some_and(|value| !value.is_string());
    let wrong = known.iter().find(is_wrong).or(known.first());
    let wrong = wrong.copied().unwrap_or_default();
    let detail = match wrong {
        "assignee" => "name the sales representative, or null for nobody",
        "template" => "name a template of the lead's flow",
        _ => NO_WORDS,
    };
    (format!("/{wrong}"), detail.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_points_at_the_member() {
        for (body, expected) in [
            ("", ""),
            ("{", ""),
            ("\u{1}", ""),
            ("[]", ""),
            ("\"release\"", ""),
            ("{}", "/type"),
            (r#"{"type": 1}"#, "/type"),
            (r#"{"type": "dance"}"#, "/type"),
            (r#"{"type": "assign"}"#, "/assignee"),
            (r#"{"type": "assign", "assignee": 5}"#, "/assignee"),
            (r#"{"type": "say", "body": null}"#, "/body"),
            (r#"{"type": "say", "template": 5}"#, "/template"),
            (
                r#"{"type": "say", "body": "a", "template": null}"#,
                "/template",
            ),
            (r#"{"type": "say", "body": "a", "to/~": 1}"#, "/to~1~0"),
            (r#"{"type": "release", "body": "a"}"#, "/body"),
        ] {
            let error = serde_json::from_str::<CommandRequest>(body).unwrap_err();
            let (pointer, detail) = fault(body.as_bytes(), &error);
            assert_eq!(pointer, expected, "{body}: {detail}");
        }
    }

    #[test]
    fn a_person_says_a_text_or_sends_a_template_or_both() {
        for (body, expected) in [
            (r#"{"type": "say", "body": "a"}"#, Some(("a", None))),
            (r#"{"type": "say", "template": "t"}"#, Some(("", Some("t")))),
            (
                r#"{"type": "say", "body": "a", "template": "t"}"#,
                Some(("a", Some("t"))),
            ),
            (r#"{"type": "say"}"#, None),
            (r#"{"type": "say", "body": ""}"#, None),
            (r#"{"type": "say", "body": "", "template": "t"}"#, None),
        ] {
            let read = CommandRequest::parse(body.as_bytes())
                .ok()
                .map(Content::from);
            let expected = expected.map(|(body, template)| Content::Say {
                body: body.to_owned(),
                template: template.map(str::to_owned),
            });
            assert_eq!(read, expected, "{body}");
        }
    }

    #[test]
    fn nobody_is_assigned_by_null_only() {
        for (body, expected) in [
            (r#"{"type": "assign", "assignee": null}"#, Some(None)),
            (
                r#"{"type": "assign", "assignee": "ana"}"#,
                Some(Some("ana")),
            ),
            (r#"{"type": "assign"}"#, None),
        ] {
            let read = CommandRequest::parse(body.as_bytes())
                .ok()
                .map(Content::from);
            let expected = expected.map(|assignee| Content::Assign {
                assignee: assignee.map(str::to_owned),
            });
            assert_eq!(read, expected, "{body}");
        }
    }
}
