//! Checks what must hold for every body and header sent to ingest. The fuzzers in `bin` search for
//! an input that breaks a check (`make fuzz`). The tests here run the checks on the seeds.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use hmac::{Hmac, Mac};
use leadstream_ingest::cloud_api::{self, Numbers};
use leadstream_ingest::item::{EnvelopeError, Item, MAX_ITEMS};
use leadstream_ingest::records::{Encoder, TOPICS};
use leadstream_ingest::signature::{AppSecrets, Signature, Tokens};
use leadstream_ingest::wasender::{self, Sessions};
use leadstream_kafka::TraceContext;
use leadstream_schemas::Timestamp;
use leadstream_schemas::registry::SchemaIds;
use sha2::Sha256;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const OURS: &str = "200000000000001";
/// A session key in the form in which a provider sends it in `sessionId`; the corpus contains it.
const SESSION: &str = "made-up-key-of-a-session-0001";
/// Two secrets, as during a rotation.
const SECRETS: [&str; 2] = ["s3cret", "older-s3cret"];

/// Parses a body of the Cloud API's webhook twice: every number is ours, or only one is.
///
/// # Panics
/// Panics if the body is parsed wrongly.
pub fn cloud_api(body: &[u8]) {
    static ONE: LazyLock<Numbers> = LazyLock::new(|| OURS.parse().unwrap_or_default());
    for numbers in [&Numbers::default(), &ONE] {
        is_conserved(|| cloud_api::parse(body, numbers, NOW));
    }
}

/// Parses a body of WASenderApi's webhook, with and without a known session.
///
/// # Panics
/// Panics if the body is parsed wrongly.
pub fn wasender(body: &[u8]) {
    static ONE: LazyLock<Sessions> = LazyLock::new(|| SESSION.parse().unwrap_or_default());
    for sessions in [&Sessions::default(), &ONE] {
        is_conserved(|| wasender::parse(body, sessions, NOW));
    }
}

/// Checks a signature: a header's value, then a line feed, then a body.
///
/// # Panics
/// Panics if a request is accepted although its secret did not sign it, or the reverse.
pub fn signature(input: &[u8]) {
    static KEYS: LazyLock<Option<AppSecrets>> =
        LazyLock::new(|| AppSecrets::parse(&SECRETS.join(", ")));
    static TOKENS: LazyLock<Option<Tokens>> = LazyLock::new(|| Tokens::parse(&SECRETS.join(", ")));
    let (Some(keys), Some(tokens)) = (&*KEYS, &*TOKENS) else {
        unreachable!("there are secrets");
    };
    let end = input.iter().position(|byte| *byte == b'\n');
    let (header, rest) = input.split_at(end.unwrap_or(input.len()));
    let body = rest.get(1..).unwrap_or_default();
    let signed = SECRETS.map(|secret| sign(secret, body));

    assert_eq!(
        tokens.contains(header),
        SECRETS.iter().any(|secret| secret.as_bytes() == header)
    );
    if let Some(given) = Signature::parse(header) {
        // The scheme's name has one form; hex digits have two.
        let lower = header.to_ascii_lowercase();
        assert!(header.starts_with(b"sha256=") && header.len() == 71);
        let right = signed.iter().any(|signed| signed.as_bytes() == lower);
        assert_eq!(keys.verify(body, &given), right);
    }
    for signed in signed {
        let signature = Signature::parse(signed.as_bytes());
        let signature = signature.unwrap_or_else(|| unreachable!("its own form is known"));
        assert!(keys.verify(body, &signature));
        assert!(!keys.verify(&[body, b"\n"].concat(), &signature));
        if let Some((_, shorter)) = body.split_first() {
            assert!(!keys.verify(shorter, &signature));
        }
    }
}

/// Checks that items = records + dead letters + counted ignores, and that two runs agree.
fn is_conserved(parse: impl Fn() -> Result<Vec<Item>, EnvelopeError>) {
    // So short that the fuzzers find dead letters in several parts.
    const SHORT_RECORD: usize = 2048 + 256;
    let again = parse().map(|items| items.len());
    let parsed = parse();
    assert_eq!(parsed.as_ref().map(Vec::len), again.as_ref().copied());
    let Ok(items) = parsed else { return };
    assert!(items.len() <= MAX_ITEMS);
    let encoder = encoder();
    let mut records = 0;
    for item in &items {
        let own = encode(&encoder, vec![item.clone()]);
        assert_eq!(own == 0, matches!(item, Item::Ignored(_)));
        records += own;
    }
    assert_eq!(encode(&encoder, items.clone()), records);
    encoder.limit(SHORT_RECORD);
    assert!(encode(&encoder, items) >= records);
}

fn encode(encoder: &Encoder, items: Vec<Item>) -> usize {
    let records = encoder.encode(items, TraceContext::generate());
    records.map_or_else(|error| panic!("{error}"), |records| records.len())
}

fn encoder() -> Encoder {
    let ids: serde_json::Map<_, _> = TOPICS
        .iter()
        .zip(1..)
        .map(|(topic, id)| (topic.to_string(), id.into()))
        .collect();
    let ids: SchemaIds = serde_json::from_value(ids.into()).unwrap_or_default();
    Encoder::new("", &ids).unwrap_or_else(|| unreachable!("every topic has an id"))
}

fn sign(secret: &str, body: &[u8]) -> String {
    let key = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mut key = key.unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    key.update(body);
    format!("sha256={}", hex::encode(key.finalize().into_bytes()))
}
