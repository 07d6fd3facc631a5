//! Removes secrets from JSON that is stored. Works on the text and leaves the rest unchanged:
//! order, blanks, escapes, digits of numbers.

use std::borrow::Cow;

const REDACTED: &str = "\"[redacted]\"";

/// Members whose value is always a secret: keys, and codes that pair a device.
const SECRET_MEMBERS: [&str; 8] = [
    "sessionId",
    "session_id",
    "apiKey",
    "api_key",
    "token",
    "qr",
    "qrCode",
    "qr_code",
];

/// Returns the valid JSON `json` without the values of secret members, and without texts that hold
/// one of `secrets`, in any escaped form.
pub(super) fn redact<'a>(json: &'a str, secrets: &[&str]) -> Cow<'a, str> {
    let mut redacted = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(start) = find_quote(json, at) {
        let end = end_of_text(json, start);
        at = end;
        let literal = json.get(start..end).unwrap_or_default();
        let text = unescaped(literal);
        let secret = secrets.iter().any(|secret| text.contains(secret));
        let mut replace = |from: usize, to: usize| {
            redacted.push_str(json.get(copied..from).unwrap_or_default());
            redacted.push_str(REDACTED);
            copied = to;
        };
        if secret {
            replace(start, end);
        }
        // A text before a colon is a member's name.
        let colon = skip_blanks(json, end);
        if json.as_bytes().get(colon) == Some(&b':') && SECRET_MEMBERS.contains(&&*text) {
            let value = skip_blanks(json, colon + 1);
            at = end_of_value(json, value);
            replace(value, at);
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    redacted.push_str(json.get(copied..).unwrap_or_default());
    Cow::Owned(redacted)
}

fn find_quote(json: &str, from: usize) -> Option<usize> {
    Some(from + json.get(from..)?.find('"')?)
}

fn unescaped(literal: &str) -> Cow<'_, str> {
    let plain = literal.trim_matches('"');
    if !plain.contains('\\') {
        return Cow::Borrowed(plain);
    }
    serde_json::from_str(literal).map_or(Cow::Borrowed(plain), Cow::Owned)
}

fn skip_blanks(json: &str, from: usize) -> usize {
    let blanks = json.as_bytes().iter().skip(from);
    from + blanks.take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Returns the position after the closing quote of the text that begins at `start`.
fn end_of_text(json: &str, start: usize) -> usize {
    let mut bytes = json.bytes().enumerate().skip(start + 1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return at + 1,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    json.len()
}

/// Returns the position after the value that begins at `start`.
fn end_of_value(json: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = json.as_bytes().get(at) {
        match byte {
            b'"' => at = end_of_text(json, at),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                continue;
            }
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            // Part of a number or word, which ends before the next character of another kind.
            _ => {
                at += 1;
                let more = json.as_bytes().get(at);
                if more.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)) {
                    continue;
                }
            }
        }
        if depth == 0 {
            break;
        }
    }
    at
}
