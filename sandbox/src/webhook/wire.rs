//! Escapes, signs and posts the body of a webhook.

use std::io;

use hmac::{Hmac, Mac as _};
use serde::Serialize;
use sha2::Sha256;

/// Returns JSON in the escaped form that Meta signs: `\u00e4` for non-ASCII characters, `\/` for
/// `/`.
///
/// # Errors
/// Returns an error if the value has no form in JSON, such as a map whose keys are no strings.
pub fn to_meta_json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(512);
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut bytes,
        MetaFormatter,
    ))?;
    Ok(bytes)
}

struct MetaFormatter;

impl serde_json::ser::Formatter for MetaFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let plain = |byte: u8| byte.is_ascii() && byte != b'/';
        if fragment.bytes().all(plain) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut units = [0; 2];
        for character in fragment.chars() {
            match character {
                '/' => writer.write_all(b"\\/")?,
                ascii if ascii.is_ascii() => writer.write_all(&[ascii as u8])?,
                other => {
                    for unit in other.encode_utf16(&mut units) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns the value of `X-Hub-Signature-256` for a body: `sha256=<hex HMAC-SHA256>`.
pub fn sign(app_secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes());
    let mut mac = mac.expect("HMAC takes keys of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// Posts a signed body and returns the status of the response.
///
/// # Errors
/// Returns an error if there is no response; see [`reqwest::Error`].
pub async fn post(
    client: &reqwest::Client,
    url: &str,
    app_secret: &str,
    body: Vec<u8>,
) -> reqwest::Result<reqwest::StatusCode> {
    let response = client
        .post(url)
        .header("content-type", "application/json")
        .header("x-hub-signature-256", sign(app_secret, &body))
        .body(body)
        .send()
        .await?;
    let status = response.status();
    // Read to the end, so that the connection can be used again.
    response.bytes().await?;
    Ok(status)
}
