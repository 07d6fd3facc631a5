//! Reads the parts of a webhook.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use leadstream_schemas::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{self, Text, array, is_object, object};

pub(super) use crate::json::Object;

/// Returns the items of an event: those of the first of `lists` that `data` has, else `data`
/// itself. An array holds one item per element.
pub(super) fn elements<'a>(data: &'a RawValue, lists: &[&str]) -> Vec<&'a RawValue> {
    if data.get() == "null" {
        return Vec::new();
    }
    let members = Object::read(data).unwrap_or_default();
    let listed = lists.iter().find_map(|list| members.get(list));
    let items = listed.unwrap_or(data);
    array(items).unwrap_or_else(|| vec![items])
}

/// Reads an element of a list. Some deliveries put it one level deeper, under `message`.
pub(super) fn element(raw: &RawValue) -> Option<Object<'_>> {
    let element = Object::read(raw)?;
    Some(match element.object("message") {
        Some(inner) if element.get("key").is_none() && inner.get("key").is_some() => inner,
        _ => element,
    })
}

impl Object<'_> {
    pub(super) fn timestamp(&self, name: &str) -> Option<Timestamp> {
        json::timestamp(integer(self.get(name)?)?)
    }

    /// Returns a size in bytes.
    pub(super) fn size(&self, name: &str) -> Option<u64> {
        integer(self.get(name)?)?.try_into().ok()
    }

    /// Returns a SHA-256 in base64. Some senders write its bytes as a list.
    pub(super) fn sha256(&self, name: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Buffer {
            data: [u8; 32],
        }
        self.text(name).to_owned().or_else(|| {
            let buffer: Buffer = object(self.get(name)?)?;
            Some(BASE64.encode(buffer.data))
        })
    }
}

/// Reads an integer as a number, as text, or as the parts of a 64-bit integer, which JavaScript
/// lacks.
fn integer(raw: &RawValue) -> Option<i64> {
    if is_object(raw) {
        let long = Object::read(raw)?;
        let high = i32::try_from(long.text("high").integer()?).ok()?;
        let low = long.text("low").integer()?;
        // The lower half is written as a signed integer, too.
        let low = u32::try_from(low).or_else(|_| i32::try_from(low).map(i32::cast_unsigned));
        return Some(i64::from(high) << 32 | i64::from(low.ok()?));
    }
    let text: Text<'_> = serde_json::from_str(raw.get()).ok()?;
    text.integer()
}
