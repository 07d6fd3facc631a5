//! Checks the names in a document.

use serde_saphyr::Spanned;

use super::{Fault, ensure};
use crate::flow::expression::{SCORE, VALUE};
use crate::flow::prompt::is_field_name;

/// The reserved words of CEL, which cannot name a field.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

pub(super) fn check_field(fill: &Spanned<String>) -> Result<(), Fault> {
    let name = fill.value.as_str();
    let is_free = !RESERVED.contains(&name) && name != SCORE && name != VALUE;
    ensure(is_free && is_field_name(name), fill, || {
        format!(
            "`{name}` is no name for a field; use up to 50 of a-z, 0-9 and `_`, a letter first, and no word that expressions use (`{SCORE}`, `{VALUE}`, `in`, `true` …)"
        )
    })
}
