//! Compares a template of a flow with those at Meta. Pure.

use leadstream_processor::flow::ExpectedTemplate;
use leadstream_schemas::reply::{TemplateButtonKind, TemplateCategory};
use leadstream_service::counted;
use leadstream_sink_whatsapp::message_templates::{Component, MessageTemplate};

/// WhatsApp's limit for the body of a template, with its values.
const MAX_BODY: usize = 1_024;

/// Returns what is wrong with `expected` in the WABA `waba`, which has `templates`.
pub(super) fn findings(
    expected: &ExpectedTemplate<'_>,
    waba: &str,
    templates: &[MessageTemplate],
) -> Vec<String> {
    let ExpectedTemplate {
        key, name, code, ..
    } = expected;
    let named = || templates.iter().filter(|it| it.name == **name);
    let found = named().find(|it| it.language == **code);
    let reasons = match found {
        Some(found) => differences(expected, found),
        None if named().next().is_none() => vec![format!(
            "WABA {waba} has no template `{name}`; create it in WhatsApp Manager, or correct its `name`"
        )],
        None => {
            let languages: Vec<&str> = named().map(|it| it.language.as_str()).collect();
            vec![format!(
                "WABA {waba} has `{name}` in {}, and not in {code}; add the language in WhatsApp Manager, or correct `language`",
                languages.join(", ")
            )]
        }
    };
    let within = |reason| format!("template `{key}` ({code}): {reason}");
    reasons.into_iter().map(within).collect()
}

fn differences(expected: &ExpectedTemplate<'_>, found: &MessageTemplate) -> Vec<String> {
    let mut reasons: Vec<String> = unapproved(&found.status).into_iter().collect();
    let category = match expected.category {
        TemplateCategory::Utility => "UTILITY",
        TemplateCategory::Marketing => "MARKETING",
    };
    if found.category != category {
        reasons.push(format!(
            "its category is {} at Meta, and {} in the flow; write the one that it has at Meta",
            found.category.to_lowercase(),
            category.to_lowercase()
        ));
    }
    let part = |kind: &str| found.components.iter().find(|it| it.kind == kind);
    reasons.extend(header(expected, part("HEADER")));
    let body = part("BODY").map_or("", |it| it.text.as_str());
    reasons.extend(placeholders(expected, body));
    let own = without_placeholders(body).encode_utf16().count();
    if own + expected.longest > MAX_BODY {
        reasons.push(format!(
            "its body has {own} characters of its own and up to {} of values, and WhatsApp takes {MAX_BODY}; shorten it at Meta, or send shorter values",
            expected.longest
        ));
    }
    reasons.extend(buttons(expected, part("BUTTONS")));
    reasons
}

fn unapproved(status: &str) -> Option<String> {
    let reason = match status {
        "APPROVED" => return None,
        "PENDING" | "IN_APPEAL" => "is not approved yet; wait for Meta's review",
        "REJECTED" => "was rejected; change it in WhatsApp Manager and submit it again",
        "PAUSED" => "is paused for its quality; wait, or send another one",
        "DISABLED" | "LIMIT_EXCEEDED" => "is disabled for its quality; create another one",
        other => {
            return Some(format!(
                "has the status {other} at Meta, so it cannot be sent"
            ));
        }
    };
    Some(reason.to_owned())
}

fn header(expected: &ExpectedTemplate<'_>, found: Option<&Component>) -> Option<String> {
    let format = found.map_or("TEXT", |it| it.format.as_str());
    if format != "TEXT" {
        return Some(format!(
            "its header is {}, which flows cannot send; use a template with a text as its header",
            format.to_lowercase()
        ));
    }
    let has_one = found.is_some_and(|it| !names(&it.text).is_empty());
    match (expected.has_header, has_one) {
        (true, false) => Some("its header has no placeholder; remove `header`".to_owned()),
        (false, true) => {
            Some("its header has a placeholder; add `header` with its value".to_owned())
        }
        _ => None,
    }
}

fn placeholders(expected: &ExpectedTemplate<'_>, body: &str) -> Option<String> {
    let found = names(body);
    let is_numbered = found
        .iter()
        .all(|name| name.bytes().all(|it| it.is_ascii_digit()));
    let own: Vec<&str> = expected.body.iter().flatten().copied().collect();
    let has_names = !own.is_empty();
    if has_names == is_numbered && !found.is_empty() && !expected.body.is_empty() {
        return Some(if is_numbered {
            format!(
                "its body numbers its placeholders; write a list of {}",
                counted(found.len(), "value")
            )
        } else {
            format!(
                "its body names its placeholders; write a mapping of {}",
                found.join(", ")
            )
        });
    }
    if has_names {
        let missing = found.iter().filter(|name| !own.contains(*name));
        let missing: Vec<&str> = missing.copied().collect();
        let beyond = own.iter().filter(|name| !found.contains(*name));
        let beyond: Vec<&str> = beyond.copied().collect();
        return match (missing.is_empty(), beyond.is_empty()) {
            (true, true) => None,
            (false, _) => Some(format!(
                "its body also has {}; add the values",
                missing.join(", ")
            )),
            (true, false) => Some(format!(
                "its body has no {}; remove them",
                beyond.join(", ")
            )),
        };
    }
    (found.len() != expected.body.len()).then(|| {
        format!(
            "its body has {}, and the flow gives {}; write one for each",
            counted(found.len(), "placeholder"),
            counted(expected.body.len(), "value")
        )
    })
}

fn buttons(expected: &ExpectedTemplate<'_>, found: Option<&Component>) -> Vec<String> {
    let found = found.map_or(&[][..], |it| &it.buttons);
    let mut reasons = Vec::new();
    for (index, kind) in &expected.buttons {
        let button = usize::try_from(*index).ok().and_then(|it| found.get(it));
        let fits = button.is_some_and(|button| match kind {
            TemplateButtonKind::Url => button.kind == "URL" && button.url.contains("{{"),
            TemplateButtonKind::QuickReply => button.kind == "QUICK_REPLY",
        });
        if !fits {
            let what = match kind {
                TemplateButtonKind::Url => "no address with a placeholder",
                TemplateButtonKind::QuickReply => "no quick reply",
            };
            reasons.push(format!(
                "its button {} is {what}; list all its buttons in order, `{{}}` for one without a value",
                index + 1
            ));
        }
    }
    for (index, button) in (0..).zip(found) {
        let is_given = expected.buttons.iter().any(|(at, _)| *at == index);
        if button.kind == "URL" && button.url.contains("{{") && !is_given {
            reasons.push(format!(
                "the address of its button {} has a placeholder; add `url` to `buttons`",
                index + 1
            ));
        }
    }
    reasons
}

/// Returns the names of the placeholders in a text of Meta's, each once.
fn names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for part in text.split("{{").skip(1) {
        if let Some((name, _)) = part.split_once("}}") {
            let name = name.trim();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

fn without_placeholders(text: &str) -> String {
    let mut parts = text.split("{{");
    let mut own = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        own.push_str(part.split_once("}}").map_or(part, |(_, rest)| rest));
    }
    own
}
