//! Reads a field that refers to a file, and names the file for the client. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use leadstream_schemas::MediaType;
use serde::Deserialize;
use serde_json::Value;

/// The characters of a file's name that a client gets.
const MAX_NAME: usize = 150;

/// A reference to a file, as a flow keeps it.
#[derive(Debug, Deserialize)]
pub(crate) struct Reference {
    /// Distinguishes a file from other objects, such as a location.
    #[serde(rename = "kind")]
    _kind: MediaType,
    /// The Cloud API's media id.
    pub(crate) id: Option<String>,
    mime_type: Option<String>,
    sha256: Option<String>,
    file_name: Option<String>,
}

impl Reference {
    /// Returns the reference in a field's value; none if the value is no file.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    pub(crate) fn hash(&self) -> Option<[u8; 32]> {
        hash(self.sha256.as_deref()?)
    }

    /// Returns the value of `Content-Disposition`: the client saves the file and does not show it.
    pub(crate) fn disposition(&self, field: &str) -> String {
        let name = match &self.file_name {
            // The end has the type.
            Some(name) => {
                let surplus = name.chars().count().saturating_sub(MAX_NAME);
                name.chars().skip(surplus).collect()
            }
            None => format!("{field}{}", self.extension()),
        };
        // RFC 6266 and 8187: a plain name for old clients, and the real one.
        let plain: String = name
            .chars()
            .map(|c| match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' | ' ' => c,
                _ => '_',
            })
            .collect();
        let real = percent_encoding::utf8_percent_encode(&name, ATTRIBUTE);
        format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{real}")
    }

    /// Returns `.jpeg` for `image/jpeg`; nothing for a type without such a name.
    fn extension(&self) -> String {
        let subtype = self.mime_type.as_deref().and_then(|it| it.split_once('/'));
        let subtype = subtype.map_or("", |(_, subtype)| subtype);
        let subtype = subtype.split(';').next().unwrap_or_default().trim();
        let is_short = (1..=5).contains(&subtype.len())
            && subtype.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_short {
            format!(".{}", subtype.to_ascii_lowercase())
        } else {
            String::new()
        }
    }
}

/// The characters that RFC 8187 does not allow in `filename*`.
const ATTRIBUTE: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');

/// Reads a SHA-256 in hex, as the Graph API writes it, or in base64, as webhooks do.
pub(super) fn hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if hex::decode_to_slice(text, &mut hash).is_ok() {
        return Some(hash);
    }
    BASE64.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_file_is_one() {
        let file = Reference::of(&json!({ "kind": "image", "id": "1013", "size": 7 })).unwrap();
        assert_eq!(file.id.as_deref(), Some("1013"));
        for other in [
            json!("1013"),
            json!({ "latitude": 1.5, "longitude": 2.5 }),
            json!({ "kind": "place", "id": "1013" }),
            json!(null),
            json!(["image"]),
        ] {
            assert!(Reference::of(&other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_name_cannot_leave_its_header() {
        let named = |file_name: Value, mime_type: &str| {
            let value =
                json!({ "kind": "document", "file_name": file_name, "mime_type": mime_type });
            Reference::of(&value).unwrap().disposition("bill")
        };
        for (name, mime_type, expected) in [
            (
                json!("May bill.pdf"),
                "",
                "\"May bill.pdf\"; filename*=UTF-8''May%20bill.pdf",
            ),
            (
                json!("conta de água.pdf"),
                "",
                "\"conta de _gua.pdf\"; filename*=UTF-8''conta%20de%20%C3%A1gua.pdf",
            ),
            (
                json!("a\"\r\nx: y/../b"),
                "",
                "\"a___x_ y_.._b\"; filename*=UTF-8''a%22%0D%0Ax%3A%20y%2F..%2Fb",
            ),
            (
                json!(null),
                "image/jpeg",
                "\"bill.jpeg\"; filename*=UTF-8''bill.jpeg",
            ),
            (
                json!(null),
                "audio/OGG; codecs=opus",
                "\"bill.ogg\"; filename*=UTF-8''bill.ogg",
            ),
            (
                json!(null),
                "application/vnd.ms-excel",
                "\"bill\"; filename*=UTF-8''bill",
            ),
        ] {
            assert_eq!(
                named(name, mime_type),
                format!("attachment; filename={expected}")
            );
        }
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let name = format!("{}.pdf", "a".repeat(500));
        let value = json!({ "kind": "document", "file_name": name });
        let disposition = Reference::of(&value).unwrap().disposition("bill");
        assert!(disposition.contains(&format!("\"{}.pdf\"", "a".repeat(146))));
    }

    #[test]
    fn a_hash_is_read_in_both_forms() {
        let base64 = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
        for (text, expected) in [
            (base64, Some([7; 32])),
            (&*"07".repeat(32), Some([7; 32])),
            ("q80=", None),
            ("", None),
            ("no hash", None),
        ] {
            assert_eq!(hash(text), expected, "{text}");
        }
    }
}
