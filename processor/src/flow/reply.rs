//! Builds replies from phrases.

use leadstream_schemas::ReplyContent;
use leadstream_schemas::reply::{ReplyLink, ReplyOption};

use super::prompt::{BREAK, MAX_BODY, MAX_INTERACTIVE_BODY, Phrase};
use super::{Asks, Conversation, Flow, FlowStep, Labelled, Role};

/// Texts that make one reply, in the conversation's language.
pub(super) struct ReplyBuilder<'a> {
    flow: &'a Flow,
    parts: Vec<String>,
    /// The address of an image.
    image: Option<String>,
    link: Option<ReplyLink>,
}

impl<'a> ReplyBuilder<'a> {
    pub(super) const fn new(flow: &'a Flow) -> Self {
        Self {
            flow,
            parts: Vec::new(),
            image: None,
            link: None,
        }
    }

    pub(super) fn add(&mut self, phrase: Option<&Phrase>, conversation: &Conversation) {
        if let Some(phrase) = phrase {
            let language = self.flow.language(conversation);
            let year = conversation.year();
            self.parts
                .push(phrase.render(language, &conversation.data, year));
        }
    }

    /// Adds what `step` says and shows on arrival.
    pub(super) fn add_prompt(&mut self, step: &FlowStep, conversation: &Conversation) {
        self.add(step.prompt.as_ref(), conversation);
        if !step.shows_more() {
            return;
        }
        let language = self.flow.language(conversation);
        let url = |phrase: &Phrase| phrase.render_url(language, &conversation.data);
        if let Some(image) = &step.beside.image {
            self.image = Some(url(image));
        }
        if let Some(link) = &step.beside.link {
            self.link = Some(ReplyLink {
                title: link
                    .title
                    .render(language, &conversation.data, conversation.year()),
                url: url(&link.url),
            });
        }
    }

    /// Returns the reply as a text; none if there is no text.
    pub(super) fn text(self) -> Option<ReplyContent> {
        let is_alone = self.image.is_none() && self.link.is_none();
        let most = if is_alone {
            MAX_BODY
        } else {
            MAX_INTERACTIVE_BODY
        };
        (!self.parts.is_empty()).then(|| ReplyContent::Text {
            body: cut(self.parts.join(BREAK), most),
            image: self.image,
            link: self.link,
        })
    }

    /// Returns the reply with the buttons, list or form of `step`.
    pub(super) fn with_options(
        self,
        step: &FlowStep,
        conversation: &Conversation,
    ) -> Option<ReplyContent> {
        let Role::Ask(question) = &step.role else {
            return self.text();
        };
        let language = self.flow.language(conversation);
        let render =
            |phrase: &Phrase| phrase.render(language, &conversation.data, conversation.year());
        let options = |labelled: &[Labelled]| {
            let option = |label: &Labelled| ReplyOption {
                id: label.id.clone(),
                title: render(&label.title),
                description: label.description.as_ref().map(render),
            };
            labelled.iter().map(option).collect::<Vec<_>>()
        };
        if matches!(question.asks, Asks::Plainly) || self.parts.is_empty() {
            return self.text();
        }
        let body = cut(self.parts.join(BREAK), MAX_INTERACTIVE_BODY);
        Some(match &question.asks {
            Asks::Plainly => ReplyContent::text(body),
            Asks::Buttons(buttons) => ReplyContent::Buttons {
                body,
                buttons: options(buttons),
                image: self.image,
            },
            Asks::List { button, rows } => ReplyContent::List {
                body,
                button: render(button),
                rows: options(rows),
            },
            Asks::Form { id, button } => ReplyContent::Form {
                body,
                button: render(button),
                flow_id: id.clone(),
                flow_token: format!(
                    "{}:{}:{}",
                    conversation.flow.name, conversation.flow.version, step.state
                ),
                image: self.image,
            },
        })
    }
}

/// Cuts a text to WhatsApp's limit. The loader checks that texts fit, but merged leads may bring
/// other values than a flow knows.
fn cut(body: String, most: usize) -> String {
    if body.encode_utf16().count() <= most {
        return body;
    }
    let mut left = most.saturating_sub(1);
    let mut kept: String = body
        .chars()
        .take_while(|c| {
            let fits = c.len_utf16() <= left;
            left = left.saturating_sub(c.len_utf16());
            fits
        })
        .collect();
    kept.push('…');
    kept
}

/// Returns `content` for a provider without buttons and lists: the options become numbered lines,
/// to be answered by number or title. Other content stays as it is.
#[must_use]
pub fn numbered(content: ReplyContent) -> ReplyContent {
    let (body, options, image) = match content {
        ReplyContent::Buttons {
            body,
            buttons,
            image,
        } => (body, buttons, image),
        ReplyContent::List { body, rows, .. } => (body, rows, None),
        other => return other,
    };
    let lines = options.iter().enumerate().map(|(index, option)| {
        let description = option.description.as_ref();
        let description = description.map_or_else(String::new, |text| format!(" – {text}"));
        format!("{}. {}{description}", index + 1, option.title)
    });
    ReplyContent::Text {
        body: format!("{body}{BREAK}{}", lines.collect::<Vec<_>>().join("\n")),
        image,
        link: None,
    }
}

/// Asks the open question again, after the texts of `reply`.
pub(super) fn ask(
    flow: &Flow,
    mut reply: ReplyBuilder<'_>,
    conversation: &Conversation,
) -> Option<ReplyContent> {
    match flow.step(&conversation.state) {
        Some(here) if matches!(here.role, Role::Ask(_)) => {
            reply.add_prompt(here, conversation);
            reply.with_options(here, conversation)
        }
        _ => reply.text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_numbered_lines_where_a_provider_has_none() {
        let option = |id: &str, title: &str, description: Option<&str>| ReplyOption {
            id: id.into(),
            title: title.into(),
            description: description.map(Into::into),
        };
        let list = ReplyContent::List {
            body: "How many people?".into(),
            button: "Choose".into(),
            rows: vec![
                option("small", "Up to 10", None),
                option("large", "More", Some("11 and up")),
            ],
        };
        assert_eq!(
            numbered(list),
            ReplyContent::text("How many people?\n\n1. Up to 10\n2. More – 11 and up".into())
        );
        let text = ReplyContent::text("Hi".into());
        assert_eq!(numbered(text.clone()), text);
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_within_the_limit() {
        assert_eq!(cut("abc".into(), 3), "abc");
        assert_eq!(cut("abcd".into(), 3), "ab…");
        assert_eq!(cut("😀😀".into(), 3), "😀…");
    }
}
