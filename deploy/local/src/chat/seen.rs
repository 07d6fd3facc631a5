//! Keeps what is on the phone's screen, as far as the lead can act on it. Pure.

use leadstream_sandbox::SentMessage;
use serde_json::Value;

use crate::phone::Content;

/// The messages that taps, reactions, forms and edits refer to.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The last message with buttons or rows.
    pub(super) choice: Option<Choice>,
    /// `flow_token` and id of the last form.
    pub(super) form: Option<(String, String)>,
    /// The id of the bot's last message.
    pub(super) bot: Option<String>,
    /// The id of the lead's last text.
    pub(super) own: Option<String>,
}

/// A message with options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) wamid: String,
    /// `button_reply` or `list_reply`.
    pub(super) reply: &'static str,
    pub(super) options: Vec<Value>,
}

impl Choice {
    fn of(message: &SentMessage) -> Option<Self> {
        let action = &message.payload["interactive"]["action"];
        let buttons = action["buttons"].as_array();
        let buttons = buttons.map(|it| it.iter().map(|button| button["reply"].clone()).collect());
        let sections = action["sections"].as_array();
        let rows = sections.map(|it| {
            let rows = it.iter().filter_map(|section| section["rows"].as_array());
            rows.flatten().cloned().collect()
        });
        let (reply, options): (_, Vec<Value>) = match (buttons, rows) {
            (Some(buttons), _) => ("button_reply", buttons),
            (None, Some(rows)) => ("list_reply", rows),
            (None, None) => return None,
        };
        Some(Self {
            wamid: message.wamid.clone(),
            reply,
            options,
        })
    }

    /// Returns the option of this number, else of this title or id.
    pub(super) fn find(&self, wanted: &str) -> Option<&Value> {
        let number = wanted.parse::<usize>().ok();
        let by_number = number.and_then(|number| self.options.get(number.checked_sub(1)?));
        let is = |member: &Value| {
            let text = member.as_str().unwrap_or_default();
            text.to_lowercase() == wanted.to_lowercase()
        };
        let mut options = self.options.iter();
        by_number.or_else(|| options.find(|it| is(&it["title"]) || is(&it["id"])))
    }

    fn lines(&self) -> String {
        let lines = self.options.iter().enumerate().map(|(index, option)| {
            let title = option["title"].as_str().unwrap_or_default();
            let description = option["description"].as_str();
            let description = description.map(|text| format!(" – {text}"));
            format!("[{}] {title}{}", index + 1, description.unwrap_or_default())
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Seen {
    /// Keeps the id of what the lead sent.
    pub(super) fn sent(&mut self, content: &Content, wamid: String) {
        if content.is_text() {
            self.own = Some(wamid);
        }
    }

    /// Keeps a message of the bot, and returns it as text.
    pub(super) fn receive(&mut self, message: &SentMessage) -> String {
        self.bot = Some(message.wamid.clone());
        let choice = Choice::of(message);
        let options = choice.as_ref().map(Choice::lines);
        if choice.is_some() {
            self.choice = choice;
        }
        let parameters = &message.payload["interactive"]["action"]["parameters"];
        if let Some(token) = parameters["flow_token"].as_str() {
            self.form = Some((token.to_owned(), message.wamid.clone()));
        }
        text_of(message, options)
    }
}

fn text_of(message: &SentMessage, options: Option<String>) -> String {
    let without = || format!("(a message of type {})", message.kind);
    let text = message.text.clone().unwrap_or_else(without);
    let payload = &message.payload;
    let header = &payload["interactive"]["header"]["image"]["link"];
    let image = payload["image"]["link"].as_str().or(header.as_str());
    let image = image.map(|image| format!("[image] {image}"));
    let action = &payload["interactive"]["action"];
    let parameters = &action["parameters"];
    let link = parameters["url"].as_str().map(|url| {
        let title = parameters["display_text"].as_str().unwrap_or_default();
        format!("[{title}] {url}")
    });
    let form = parameters["flow_cta"].as_str();
    let form = form.map(|title| format!("[{title}] (a form: /form JSON)"));
    let list = action["button"].as_str().map(|title| format!("[{title}]"));
    let options = match (list, options) {
        (Some(list), Some(options)) => Some(format!("{list}\n{options}")),
        (_, options) => options,
    };
    let parts = image.into_iter().chain([text]).chain(options);
    let parts: Vec<String> = parts.chain(link).chain(form).collect();
    parts.join("\n\n")
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in crate::chat) fn message(payload: Value) -> SentMessage {
        SentMessage {
            seq: 1,
            phone_number_id: "1".into(),
            to: "2".into(),
            kind: "interactive".into(),
            text: Some("Choose".into()),
            biz_opaque_callback_data: None,
            wamid: "wamid.1".into(),
            received_at: chrono::DateTime::UNIX_EPOCH,
            payload,
        }
    }

    pub(in crate::chat) fn buttons() -> SentMessage {
        let button = |id: &str, title: &str| json!({ "type": "reply", "reply": { "id": id, "title": title } });
        message(json!({ "interactive": { "action": {
            "buttons": [button("a", "Basic"), button("b", "Größer")],
        } } }))
    }

    pub(in crate::chat) fn list() -> SentMessage {
        let rows = json!([
            { "id": "x", "title": "2", "description": "for two" },
            { "id": "y", "title": "1" },
        ]);
        message(json!({ "interactive": { "action": {
            "button": "Show", "sections": [{ "rows": rows }],
        } } }))
    }

    fn shown(message: &SentMessage) -> String {
        Seen::default().receive(message)
    }

    #[test]
    fn a_message_shows_its_image_and_link() {
        let image = json!({ "link": "https://a.example/a.png" });
        let parameters = json!({ "display_text": "Open", "url": "https://a.example/b" });
        let headed = json!({
            "interactive": { "header": { "image": image }, "action": { "parameters": parameters } },
        });
        assert_eq!(
            shown(&message(headed)),
            "[image] https://a.example/a.png\n\nChoose\n\n[Open] https://a.example/b"
        );
        let alone = shown(&message(json!({ "image": image })));
        assert_eq!(alone, "[image] https://a.example/a.png\n\nChoose");
        assert_eq!(shown(&message(Value::Null)), "Choose");
    }

    #[test]
    fn buttons_and_rows_are_numbered() {
        assert_eq!(shown(&buttons()), "Choose\n\n[1] Basic\n[2] Größer");
        assert_eq!(shown(&list()), "Choose\n\n[Show]\n[1] 2 – for two\n[2] 1");
    }

    #[test]
    fn an_option_is_found_by_number_before_title_and_id() {
        let id = |message: &SentMessage, wanted: &str| {
            let choice = Choice::of(message).unwrap();
            choice.find(wanted).map(|option| option["id"].clone())
        };
        assert_eq!(id(&buttons(), "1"), Some(json!("a")));
        assert_eq!(id(&buttons(), "größer"), Some(json!("b")));
        assert_eq!(id(&buttons(), "B"), Some(json!("b")));
        assert_eq!(id(&buttons(), "0"), None);
        assert_eq!(id(&buttons(), "3"), None);
        assert_eq!(id(&list(), "1"), Some(json!("x")));
    }

    #[test]
    fn options_stay_until_others_come() {
        let mut seen = Seen::default();
        seen.receive(&buttons());
        seen.receive(&message(Value::Null));
        assert_eq!(seen.choice, Choice::of(&buttons()));
        seen.receive(&list());
        assert_eq!(seen.choice, Choice::of(&list()));
    }

    #[test]
    fn a_form_is_kept_with_its_token() {
        let mut seen = Seen::default();
        let parameters = json!({ "flow_cta": "Fill in", "flow_token": "t-1" });
        let text = seen.receive(&message(
            json!({ "interactive": { "action": { "parameters": parameters } } }),
        ));
        assert_eq!(text, "Choose\n\n[Fill in] (a form: /form JSON)");
        assert_eq!(seen.form, Some(("t-1".to_owned(), "wamid.1".to_owned())));
    }
}
