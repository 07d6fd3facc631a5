//! Turns replies into requests of WASenderApi, which knows texts and files only. Pure.

use leadstream_schemas::{Recipient, ReplyContent};
use serde_json::{Value, json};

use super::{RequestError, TEXT_BODY, length};

/// Returns the body that sends `content`. The processor has numbered the options of questions.
pub(super) fn body(recipient: &Recipient, content: &ReplyContent) -> Result<Value, RequestError> {
    let to = to(recipient).ok_or(RequestError::Jid)?;
    let (text, image) = match content {
        ReplyContent::Text { body, image, link } => {
            let text = match link {
                Some(link) => format!("{body}\n\n{}: {}", link.title, link.url),
                None => body.clone(),
            };
            (text, image)
        }
        ReplyContent::Buttons { .. } => return Err(RequestError::OnlyText("buttons")),
        ReplyContent::List { .. } => return Err(RequestError::OnlyText("lists")),
        ReplyContent::Form { .. } => return Err(RequestError::OnlyText("forms")),
        ReplyContent::Template { .. } => return Err(RequestError::OnlyText("templates")),
        ReplyContent::Withdraw { .. } => return Err(RequestError::Withdrawal),
    };
    length("the text", &text, TEXT_BODY)?;
    Ok(match image {
        Some(image) => json!({ "to": to, "text": text, "imageUrl": image }),
        None => json!({ "to": to, "text": text }),
    })
}

/// Returns the address. People whom WhatsApp moved to LIDs get nothing that is sent to their number,
/// so the JID from which they wrote goes first.
fn to(recipient: &Recipient) -> Option<String> {
    let number = || {
        let digits = recipient.wa_id.as_deref()?;
        Some(format!("+{}", digits.trim_start_matches('+')))
    };
    let lid = || Some(format!("{}@lid", recipient.lid.as_deref()?));
    recipient.jid.clone().or_else(number).or_else(lid)
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::reply::ReplyLink;
    use leadstream_schemas::{Recipient, ReplyContent};
    use serde_json::json;

    use super::{RequestError, body};

    fn person(wa_id: Option<&str>, lid: Option<&str>, jid: Option<&str>) -> Recipient {
        Recipient {
            wa_id: wa_id.map(str::to_owned),
            user_id: None,
            lid: lid.map(str::to_owned),
            jid: jid.map(str::to_owned),
        }
    }

    #[test]
    fn a_text_goes_to_the_jid_that_wrote_or_else_to_a_number_or_a_lid() {
        let hi = ReplyContent::text("Hi".into());
        let (wa_id, lid, jid) = (Some("15550100001"), Some("2000"), Some("2000@lid"));
        for (person, to) in [
            (person(wa_id, lid, jid), "2000@lid"),
            (person(wa_id, lid, None), "+15550100001"),
            (person(None, lid, None), "2000@lid"),
        ] {
            assert_eq!(body(&person, &hi), Ok(json!({ "to": to, "text": "Hi" })));
        }
        assert_eq!(body(&person(None, None, None), &hi), Err(RequestError::Jid));
    }

    #[test]
    fn images_and_links_go_with_the_text_and_other_contents_are_refused() {
        let to = person(Some("1555"), None, None);
        let text = ReplyContent::Text {
            body: "Look".into(),
            image: Some("https://a.example/b.png".into()),
            link: Some(ReplyLink {
                title: "Shop".into(),
                url: "https://a.example".into(),
            }),
        };
        let expected = json!({ "to": "+1555", "text": "Look\n\nShop: https://a.example",
            "imageUrl": "https://a.example/b.png" });
        assert_eq!(body(&to, &text), Ok(expected));
        let form = ReplyContent::Form {
            body: "Fill in".into(),
            button: "Open".into(),
            flow_id: "1".into(),
            flow_token: "t".into(),
            image: None,
        };
        assert_eq!(body(&to, &form), Err(RequestError::OnlyText("forms")));
        let long = ReplyContent::text("x".repeat(4097));
        assert!(matches!(body(&to, &long), Err(RequestError::Length { .. })));
    }
}
