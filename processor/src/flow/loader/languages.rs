//! Checks the languages of a flow.

use serde_saphyr::Spanned;

use super::{Fault, ensure};
use crate::flow::document::{Language, Languages, OneOrMany};
use crate::yaml::meant;

const MAX_LANGUAGES: usize = 20;

/// The names of languages in English and in themselves, with their tags.
const LANGUAGE_NAMES: &[(&str, &str)] = &[
    ("arabic", "ar"),
    ("العربية", "ar"),
    ("bengali", "bn"),
    ("catalan", "ca"),
    ("català", "ca"),
    ("chinese", "zh"),
    ("中文", "zh"),
    ("czech", "cs"),
    ("čeština", "cs"),
    ("danish", "da"),
    ("dansk", "da"),
    ("dutch", "nl"),
    ("nederlands", "nl"),
    ("english", "en"),
    ("finnish", "fi"),
    ("suomi", "fi"),
    ("french", "fr"),
    ("français", "fr"),
    ("german", "de"),
    ("deutsch", "de"),
    ("greek", "el"),
    ("ελληνικά", "el"),
    ("hebrew", "he"),
    ("עברית", "he"),
    ("hindi", "hi"),
    ("हिन्दी", "hi"),
    ("hungarian", "hu"),
    ("magyar", "hu"),
    ("indonesian", "id"),
    ("italian", "it"),
    ("italiano", "it"),
    ("japanese", "ja"),
    ("日本語", "ja"),
    ("korean", "ko"),
    ("한국어", "ko"),
    ("malay", "ms"),
    ("norwegian", "nb"),
    ("norsk", "nb"),
    ("polish", "pl"),
    ("polski", "pl"),
    ("portuguese", "pt"),
    ("português", "pt"),
    ("romanian", "ro"),
    ("română", "ro"),
    ("russian", "ru"),
    ("русский", "ru"),
    ("spanish", "es"),
    ("español", "es"),
    ("swedish", "sv"),
    ("svenska", "sv"),
    ("thai", "th"),
    ("ไทย", "th"),
    ("turkish", "tr"),
    ("türkçe", "tr"),
    ("ukrainian", "uk"),
    ("українська", "uk"),
    ("urdu", "ur"),
    ("vietnamese", "vi"),
    ("tiếng việt", "vi"),
];

pub(super) fn languages(written: &Spanned<Languages>) -> Result<Vec<String>, Fault> {
    let refused = |tag: &str| format!("`{tag}` is no language; {}", language_remedy(tag));
    match &written.value {
        OneOrMany::One(tag) => {
            ensure(is_language(tag), written, || refused(tag))?;
            Ok(vec![tag.clone()])
        }
        OneOrMany::Many(tags) => {
            ensure((1..=MAX_LANGUAGES).contains(&tags.len()), written, || {
                format!("a flow has from 1 to {MAX_LANGUAGES} languages")
            })?;
            let mut languages: Vec<String> = Vec::new();
            for Language(tag) in tags {
                ensure(is_language(&tag.value), tag, || refused(&tag.value))?;
                ensure(!languages.contains(&tag.value), tag, || {
                    format!("`{}` is there twice; remove one", tag.value)
                })?;
                languages.push(tag.value.clone());
            }
            Ok(languages)
        }
    }
}

/// Returns what to write instead of `written`, which is no tag.
fn language_remedy(written: &str) -> String {
    if written.contains([',', ' ', ';', '/']) {
        let parts = written
            .split([',', ' ', ';', '/'])
            .filter(|it| !it.is_empty());
        let parts: Vec<&str> = parts.collect();
        if parts.iter().all(|tag| is_language(tag)) {
            return format!("write a list, as in `[{}]`", parts.join(", "));
        }
    }
    let names: Vec<&str> = LANGUAGE_NAMES.iter().map(|(name, _)| *name).collect();
    let named = meant(written, &names)
        .and_then(|meant| LANGUAGE_NAMES.iter().find(|(name, _)| *name == meant))
        .map(|(_, tag)| (*tag).to_owned());
    // `pt_BR` and `EN`.
    let mut parts = written.trim().split(['_', '-']);
    let primary = parts.next().unwrap_or_default().to_lowercase();
    let tag = [primary.as_str()].into_iter().chain(parts);
    let tag = tag.collect::<Vec<_>>().join("-");
    let meant = named.or_else(|| is_language(&tag).then_some(tag));
    meant.map_or_else(
        || "write a tag such as en or pt-BR".to_owned(),
        |tag| format!("did you mean {tag}?"),
    )
}

/// Returns whether `tag` has the form of a BCP 47 tag: `en`, `pt-BR`, `zh-Hant-TW`.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let is_primary =
        |part: &str| (2..=3).contains(&part.len()) && part.chars().all(|c| c.is_ascii_lowercase());
    let is_subtag = |part: &str| {
        (2..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    parts.next().is_some_and(is_primary) && parts.clone().count() <= 3 && parts.all(is_subtag)
}
