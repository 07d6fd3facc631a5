//! The templates that a flow sends outside WhatsApp's window.

use leadstream_schemas::ReplyTemplate;
use leadstream_schemas::reply::{TemplateButton, TemplateButtonKind, TemplateCategory};
use serde_json::{Map, Value};

use super::prompt::{Phrase, Template};
use super::{Asks, Conversation, Flow, Role};

/// A template with the values of its placeholders.
#[derive(Debug)]
pub(super) struct FlowTemplate {
    /// The name in the flow.
    pub(super) key: String,
    /// The names at Meta, by language of the flow.
    pub(super) names: Vec<String>,
    /// Meta's codes of the flow's languages.
    pub(super) codes: Vec<String>,
    pub(super) category: TemplateCategory,
    pub(super) header: Option<Parameter>,
    pub(super) body: Vec<Parameter>,
    pub(super) buttons: Vec<Button>,
}

/// The value of a placeholder.
#[derive(Debug)]
pub(super) struct Parameter {
    /// The placeholder's name; none if it has a number.
    pub(super) name: Option<String>,
    pub(super) value: Phrase,
}

/// The value of a button.
#[derive(Debug)]
pub(super) struct Button {
    pub(super) index: u32,
    pub(super) kind: TemplateButtonKind,
    pub(super) value: Phrase,
}

impl FlowTemplate {
    fn render(
        &self,
        language: usize,
        data: &Map<String, Value>,
        year: Option<i32>,
    ) -> Option<ReplyTemplate> {
        let of = |parameter: &Parameter| in_one_line(&parameter.value.render(language, data, year));
        let button = |button: &Button| TemplateButton {
            index: button.index,
            kind: button.kind,
            value: match button.kind {
                TemplateButtonKind::Url => button.value.render_url(language, data),
                TemplateButtonKind::QuickReply => button.value.render(language, data, year),
            },
        };
        let names = self.body.iter().filter_map(|it| it.name.clone());
        Some(ReplyTemplate {
            name: self.names.get(language)?.clone(),
            language: self.codes.get(language)?.clone(),
            category: Some(self.category),
            parameters: self.body.iter().map(of).collect(),
            parameter_names: names.collect(),
            header: self.header.as_ref().map(of),
            header_name: self.header.as_ref().and_then(|it| it.name.clone()),
            buttons: self.buttons.iter().map(button).collect(),
        })
    }
}

/// What a flow expects of a template at Meta, in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedTemplate<'a> {
    /// The name in the flow.
    pub key: &'a str,
    /// The name at Meta.
    pub name: &'a str,
    /// Meta's code of the language.
    pub code: &'a str,
    pub category: TemplateCategory,
    pub has_header: bool,
    /// The placeholders of the body, each with its name unless it has a number.
    pub body: Vec<Option<&'a str>>,
    /// The longest values of the body together.
    pub longest: usize,
    /// The buttons with a value, by their place.
    pub buttons: Vec<(u32, TemplateButtonKind)>,
}

impl Flow {
    /// Returns what the flow expects at Meta: each template in each language.
    pub fn expected_templates(&self) -> impl Iterator<Item = ExpectedTemplate<'_>> {
        self.templates.iter().flat_map(|template| {
            let languages = template.names.iter().zip(&template.codes);
            languages.enumerate().map(|(language, (name, code))| {
                let longest =
                    |it: &Parameter| it.value.0.get(language).map_or(0, Template::longest);
                let buttons = template.buttons.iter();
                ExpectedTemplate {
                    key: &template.key,
                    name,
                    code,
                    category: template.category,
                    has_header: template.header.is_some(),
                    body: template.body.iter().map(|it| it.name.as_deref()).collect(),
                    longest: template.body.iter().map(longest).sum(),
                    buttons: buttons.map(|it| (it.index, it.kind)).collect(),
                }
            })
        })
    }

    /// Returns the steps that ask by a form.
    pub fn form_steps(&self) -> impl Iterator<Item = &str> {
        let is_form = |role: &Role| matches!(role, Role::Ask(question) if matches!(question.asks, Asks::Form { .. }));
        let steps = self.steps.iter().filter(move |step| is_form(&step.role));
        steps.map(|step| step.state.as_str())
    }

    /// Returns whether a conversation at one of the business numbers `numbers` can follow the flow.
    #[must_use]
    pub fn may_serve(&self, numbers: &[String]) -> bool {
        let by = &self.chosen_by;
        by.numbers.is_empty()
            || !by.keywords.is_empty()
            || !by.referrals.is_empty()
            || by.numbers.iter().any(|number| numbers.contains(number))
    }

    /// Returns whether the flow has a template of that name.
    pub(super) fn has_template(&self, name: &str) -> bool {
        self.templates.iter().any(|it| it.key == name)
    }

    /// Returns a template with the values of `conversation`; none if the flow has no template of that name.
    pub(crate) fn template(
        &self,
        name: &str,
        conversation: &Conversation,
    ) -> Option<ReplyTemplate> {
        let template = self.templates.iter().find(|it| it.key == name)?;
        let language = self.language(conversation);
        template.render(language, &conversation.data, conversation.year())
    }

    /// Returns the template that replaces the words of the conversation's step outside WhatsApp's window.
    pub(crate) fn outside_window(&self, conversation: &Conversation) -> Option<ReplyTemplate> {
        let step = self.step(&conversation.state)?;
        self.template(step.outside_window.as_ref()?, conversation)
    }
}

/// Returns a value without line breaks and runs of blanks, which WhatsApp refuses in a template.
fn in_one_line(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
