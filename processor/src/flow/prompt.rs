//! Renders texts with placeholders: `Thanks {name}.`; `{{` and `}}` are braces.

use icu_locale_core::Locale;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::shown::{Form, MAX_VALUE};

/// WhatsApp's limit for a text, in UTF-16 units. It counts characters, of which there are never more.
pub(super) const MAX_BODY: usize = 4_096;

/// WhatsApp's limit for the text above buttons, a list or a form.
pub(super) const MAX_INTERACTIVE_BODY: usize = 1_024;

/// The limit of an address.
pub(super) const MAX_URL: usize = 2_000;

/// The separator of texts in one reply.
pub(super) const BREAK: &str = "\n\n";

/// A text in each of the flow's languages, in their order.
#[derive(Clone, Debug)]
pub(super) struct Phrase(pub(super) Vec<Template>);

impl Phrase {
    /// Renders the text in a language. Dates of `year` are written without it.
    pub(super) fn render(
        &self,
        language: usize,
        data: &Map<String, Value>,
        year: Option<i32>,
    ) -> String {
        let template = self.0.get(language).or_else(|| self.0.first());
        template.map_or_else(String::new, |template| template.render(data, year))
    }

    /// Renders an address, with percent-encoded values.
    pub(super) fn render_url(&self, language: usize, data: &Map<String, Value>) -> String {
        let template = self.0.get(language).or_else(|| self.0.first());
        template.map_or_else(String::new, |template| template.render_url(data))
    }

    /// Returns the UTF-16 units of the longest rendered text, in any language.
    pub(super) fn longest(&self) -> usize {
        let longest = self.0.iter().map(Template::longest);
        longest.max().unwrap_or_default()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    /// The language of the text.
    locale: Locale,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Field {
        name: String,
        form: Form,
        /// The most UTF-16 units of a value. A longer one is cut.
        most: usize,
        /// The text for a field without a value.
        fallback: Option<String>,
    },
}

impl Template {
    /// Parses a text. Errors give the reason and the remedy.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the text is empty; write what the lead should read".into());
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, brace, after)) = split_at_brace(rest) {
            literal.push_str(before);
            rest = match (brace, after.strip_prefix(brace)) {
                (_, Some(after)) => {
                    literal.push(brace);
                    after
                }
                ('{', None) => {
                    let (inside, after) = after.split_once('}').ok_or(
                        "a `{` is not closed; close the placeholder with `}`, or write `{{` for a brace",
                    )?;
                    let (field, fallback) = match inside.split_once('|') {
                        Some((field, fallback)) => (field, Some(fallback.to_owned())),
                        None => (inside, None),
                    };
                    if !is_field_name(field) {
                        return Err(format!(
                            "`{{{field}}}` is no placeholder; write a field's name, such as {{name}}, or `{{{{` for a brace"
                        ));
                    }
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    pieces.push(Piece::Field {
                        name: field.to_owned(),
                        form: Form::Plain,
                        most: MAX_VALUE,
                        fallback,
                    });
                    after
                }
                _ => return Err("a `}` closes no placeholder; write `}}` for a brace".into()),
            };
        }
        literal.push_str(rest);
        pieces.push(Piece::Literal(literal));
        Ok(Self {
            pieces,
            locale: Locale::UNKNOWN,
        })
    }

    /// Returns the text with values written as `language` writes them, each in the form that `form`
    /// returns for its field, and up to the length that it returns.
    pub(super) fn localized(
        mut self,
        language: &str,
        form: impl Fn(&str) -> (Form, usize),
    ) -> Self {
        self.locale = language.parse().unwrap_or(Locale::UNKNOWN);
        for piece in &mut self.pieces {
            if let Piece::Field {
                name,
                form: shown,
                most,
                ..
            } = piece
            {
                (*shown, *most) = form(name);
            }
        }
        self
    }

    /// Returns the fields of its placeholders, and whether each has a text for want of a value.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, bool)> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field { name, fallback, .. } => Some((name.as_str(), fallback.is_some())),
            Piece::Literal(_) => None,
        })
    }

    /// Replaces the placeholders by the values of `data`. Values have no placeholders; a field without
    /// a value renders as its fallback, or as nothing. Dates of `year` are written without it.
    pub(super) fn render(&self, data: &Map<String, Value>, year: Option<i32>) -> String {
        let mut body = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => body.push_str(text),
                Piece::Field {
                    name,
                    form,
                    most,
                    fallback,
                } => match form.text(name, data, &self.locale, year) {
                    Some(text) => push_cut(&mut body, &text, *most),
                    None => body.push_str(fallback.as_deref().unwrap_or_default()),
                },
            }
        }
        body
    }

    /// Renders an address with the values as stored. No value leaves the place where it stands.
    pub(super) fn render_url(&self, data: &Map<String, Value>) -> String {
        let mut url = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => url.push_str(text),
                Piece::Field { name, fallback, .. } => match data.get(name) {
                    Some(Value::String(text)) => push_encoded(&mut url, text),
                    Some(Value::Number(number)) => push_encoded(&mut url, &number.to_string()),
                    Some(_) => {}
                    None => push_encoded(&mut url, fallback.as_deref().unwrap_or_default()),
                },
            }
        }
        url
    }

    /// Returns the text before the first placeholder.
    pub(super) fn beginning(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Literal(text)) => text,
            _ => "",
        }
    }

    /// Returns the UTF-16 units of the longest rendered text.
    pub(super) fn longest(&self) -> usize {
        self.longest_with(|most| most)
    }

    /// Returns the UTF-16 units of the longest rendered address.
    pub(super) fn longest_url(&self) -> usize {
        self.longest_with(|_| MAX_VALUE)
    }

    fn longest_with(&self, of_value: impl Fn(usize) -> usize) -> usize {
        let lengths = self.pieces.iter().map(|piece| match piece {
            Piece::Literal(text) => text.encode_utf16().count(),
            Piece::Field { fallback, most, .. } => {
                let fallback = fallback.as_deref().unwrap_or_default();
                fallback.encode_utf16().count().max(of_value(*most))
            }
        });
        lengths.sum()
    }
}

fn split_at_brace(text: &str) -> Option<(&str, char, &str)> {
    let (at, brace) = text.char_indices().find(|(_, c)| matches!(c, '{' | '}'))?;
    let (before, from) = text.split_at_checked(at)?;
    Some((before, brace, from.strip_prefix(brace)?))
}

/// Returns whether `name` can be a JSON key, a variable in expressions and a placeholder.
pub(super) fn is_field_name(name: &str) -> bool {
    name.len() <= 50
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Returns whether `text` can name a flow, a step or a template, with up to `most` characters.
pub(super) fn is_identifier(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Appends a percent-encoded value, without the characters that exceed [`MAX_VALUE`].
fn push_encoded(url: &mut String, text: &str) {
    let mut left = MAX_VALUE;
    for c in text.chars() {
        let mut buffer = [0; 4];
        let encoded = utf8_percent_encode(c.encode_utf8(&mut buffer), NON_ALPHANUMERIC);
        let length: usize = encoded.clone().map(str::len).sum();
        if length > left {
            break;
        }
        left -= length;
        url.extend(encoded);
    }
}

fn push_cut(body: &mut String, text: &str, most: usize) {
    if text.encode_utf16().count() <= most {
        body.push_str(text);
        return;
    }
    let mut left = most.saturating_sub(1);
    body.extend(text.chars().take_while(|c| {
        let fits = c.len_utf16() <= left;
        left = left.saturating_sub(c.len_utf16());
        fits
    }));
    body.push('…');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn render(template: &str, data: &Value) -> String {
        Template::parse(template)
            .unwrap()
            .render(data.as_object().unwrap(), None)
    }

    #[test]
    fn values_are_substituted_and_never_read_for_placeholders() {
        let data = json!({"name": "{budget} {{x}}", "budget": 7500.5});
        assert_eq!(
            render("{name}: {budget}, {{name}} {unknown}!", &data),
            "{budget} {{x}}: 7500.5, {name} !"
        );
    }

    #[test]
    fn a_fallback_stands_for_a_field_without_a_value() {
        let data = json!({"name": "Ann"});
        let text = "{name|friend}, {city|your city} {day|}.";
        assert_eq!(render(text, &data), "Ann, your city .");
        assert_eq!(render(text, &json!({})), "friend, your city .");
        let long = format!("{{city|{}}}", "a".repeat(300));
        assert_eq!(Template::parse(&long).unwrap().longest(), 300);
    }

    #[test]
    fn a_wrong_placeholder_is_named_with_its_remedy() {
        for (text, expected) in [
            ("Hi {name", "`{` is not closed"),
            ("Hi name}", "`}` closes no placeholder"),
            ("Hi {}", "`{}` is no placeholder"),
            ("Hi {full name}", "`{full name}` is no placeholder"),
            (" \n", "is empty"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_long_value_is_cut() {
        let body = render("{name}", &json!({"name": "a".repeat(201)}));
        assert_eq!(body, format!("{}…", "a".repeat(199)));
    }

    #[test]
    fn a_value_in_an_address_is_percent_encoded_and_cut() {
        let long = "%C3%A9".repeat(33);
        let url = |value: Value| {
            let template = Template::parse("https://a.example/?n={n}&m=1").unwrap();
            template.render_url(json!({ "n": value }).as_object().unwrap())
        };
        for (value, encoded) in [
            (json!("Ann"), "Ann"),
            (json!("a&b=c#d/../?"), "a%26b%3Dc%23d%2F%2E%2E%2F%3F"),
            (json!("São\n"), "S%C3%A3o%0A"),
            (json!("李"), "%E6%9D%8E"),
            (json!("{m}"), "%7Bm%7D"),
            (json!(7.5), "7%2E5"),
            (json!({"id": "x"}), ""),
            (json!("é".repeat(50)), long.as_str()),
        ] {
            assert_eq!(url(value), format!("https://a.example/?n={encoded}&m=1"));
        }
    }

    proptest! {
        #[test]
        fn an_address_keeps_its_host_and_limit_whatever_a_value_is(value in "(?s).{0,300}") {
            let template = Template::parse("https://a.example/b?n={n}").unwrap();
            let url = template.render_url(json!({ "n": value }).as_object().unwrap());
            let parsed = leadstream_schemas::Url::parse(&url).unwrap();
            prop_assert_eq!(parsed.host_str(), Some("a.example"));
            prop_assert_eq!(parsed.path(), "/b");
            let query: Vec<_> = parsed.query_pairs().collect();
            prop_assert_eq!(query.len(), 1);
            prop_assert!(value.starts_with(&*query[0].1));
            prop_assert!(url.len() <= template.longest_url());
        }

        #[test]
        fn no_prompt_is_longer_than_it_says(
            template in "([a-z😀]{0,300}|\\{name\\}|\\{city\\|[a-z😀]{0,300}\\}|\\{\\{){0,30}",
            name in "(?s).{0,300}",
        ) {
            if let Ok(template) = Template::parse(&template) {
                let body = template.render(json!({"name": name}).as_object().unwrap(), None);
                prop_assert!(body.encode_utf16().count() <= template.longest());
            }
        }
    }
}
