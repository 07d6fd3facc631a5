//! Authenticates webhooks: by the signature of the raw body, by a secret in a header, and by the
//! token of the verification request.

use std::ops::BitOr;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::comma_list::entries;

/// The header that carries `sha256=<hex HMAC-SHA256 of the raw body>`.
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";

/// The header that repeats WASenderApi's webhook secret.
pub const WASENDER_HEADER: &str = "x-webhook-signature";

/// A signature from a header: 32 bytes, not yet checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 32]);

impl Signature {
    /// Reads the header's value; `None` when it is not of the form `sha256=<64 hex digits>`.
    #[must_use]
    pub fn parse(header: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(header.strip_prefix(b"sha256=")?, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

/// App secrets, each of which may sign: several while a secret is being rotated.
#[derive(Clone)]
pub struct AppSecrets(Vec<Hmac<Sha256>>);

impl AppSecrets {
    /// Parses secrets separated by commas, ignoring blanks around them; `None` if there is none.
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        let keys: Vec<_> = entries(list)
            .filter_map(|secret| Hmac::new_from_slice(secret.as_bytes()).ok())
            .collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// Returns the header's value with which the first secret signs these bytes.
    #[must_use]
    pub fn sign(&self, body: &[u8]) -> Option<String> {
        let key = self.0.first()?.clone().chain_update(body);
        Some(format!(
            "sha256={}",
            hex::encode(key.finalize().into_bytes())
        ))
    }

    /// Returns whether one of the secrets signed exactly these bytes. Compares in constant time.
    #[must_use]
    pub fn verify(&self, body: &[u8], signature: &Signature) -> bool {
        self.0.iter().any(|key| {
            key.clone()
                .chain_update(body)
                .verify_slice(&signature.0)
                .is_ok()
        })
    }
}

impl std::fmt::Debug for AppSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AppSecrets({} secrets)", self.0.len())
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signature(***)")
    }
}

/// Secrets that a request repeats, any of them: several while one is being rotated.
#[derive(Clone)]
pub struct Tokens(Vec<Vec<u8>>);

impl Tokens {
    /// Parses a list like [`AppSecrets::parse`].
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        let tokens: Vec<_> = entries(list)
            .map(|token| token.as_bytes().to_vec())
            .collect();
        (!tokens.is_empty()).then_some(Self(tokens))
    }

    /// Returns whether `token` is one of them, in constant time for tokens of its length.
    #[must_use]
    pub fn contains(&self, token: &[u8]) -> bool {
        let same = self.0.iter().map(|known| known.ct_eq(token));
        same.fold(Choice::from(0), BitOr::bitor).into()
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({} secrets)", self.0.len())
    }
}

/// Returns whether a token is the expected one, in constant time for tokens of its length.
#[must_use]
pub fn same_token(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::{AppSecrets, Signature, Tokens, same_token};

    // Computed with `printf '{"a":1}' | openssl dgst -sha256 -hmac s3cret`.
    const BODY: &[u8] = br#"{"a":1}"#;
    const SIGNED: &str = "sha256=5910e62016ef5034272c926c27071992a465c2335cecf41851bda071577f4f6d";

    #[test]
    fn any_of_the_secrets_may_sign_and_only_these_bytes() {
        let signature = Signature::parse(SIGNED.as_bytes()).unwrap();
        for list in ["s3cret", "old, s3cret ,,"] {
            let secrets = AppSecrets::parse(list).unwrap();
            assert!(secrets.verify(BODY, &signature), "{list}");
            assert!(!secrets.verify(br#"{"a": 1}"#, &signature), "{list}");
        }
        let other = AppSecrets::parse("another").unwrap();
        assert!(!other.verify(BODY, &signature));
        assert!(AppSecrets::parse(" , ").is_none());
    }

    #[test]
    fn what_is_not_a_signature_is_refused() {
        let upper = SIGNED.to_uppercase();
        for header in [
            "",
            "sha256=",
            "sha1=0123456789abcdef0123456789abcdef01234567",
            &SIGNED["sha256=".len()..],
            &SIGNED[..SIGNED.len() - 1],
            &format!("{SIGNED}0"),
            &upper,
            "sha256=zz",
        ] {
            assert_eq!(Signature::parse(header.as_bytes()), None, "{header}");
        }
    }

    #[test]
    fn any_of_the_tokens_may_be_repeated_as_a_whole() {
        let tokens = Tokens::parse("new, old").unwrap();
        assert!(tokens.contains(b"new") && tokens.contains(b"old"));
        for wrong in ["", "ne", "newer", "new, old", "NEW"] {
            assert!(!tokens.contains(wrong.as_bytes()), "{wrong}");
        }
        assert!(Tokens::parse(" , ").is_none());
        assert_eq!(format!("{tokens:?}"), "Tokens(2 secrets)");
    }

    #[test]
    fn tokens_are_the_same_only_as_a_whole() {
        assert!(same_token("verify-me", "verify-me"));
        assert!(!same_token("verify-m", "verify-me"));
        assert!(!same_token("verify-mE", "verify-me"));
        assert!(!same_token("", "verify-me"));
    }
}
