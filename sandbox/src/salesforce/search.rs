//! Serves searches in SOSL of digits in the phone fields. Numbers are found in any notation: by all
//! digits, or by those from a group on.

use axum::extract::{Path, Query};
use axum::response::Response;
use serde_json::{Value, json};

use super::check_version;
use super::error::request_error;
use super::query::Asked;
use super::soql::{Soql, returning};
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::vendor_response::VendorResponse;

/// The most records of a search.
const MOST: usize = 2_000;
/// Characters with a meaning in a term, unless they are escaped.
const RESERVED: &str = "?&|!{}[]()^~*:\\\"'+-";

pub(super) async fn find(
    exchange: Exchange,
    Path(version): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let handle = || answer(&exchange.app, &version, &asked.q);
    exchange.run(Endpoint::SalesforceQuery, &[], handle).await
}

fn answer(app: &App, version: &str, sosl: &str) -> VendorResponse {
    if let Err(response) = check_version(version) {
        return response;
    }
    let (terms, parts) = match parse(sosl) {
        Ok(parsed) => parsed,
        Err(message) => return request_error(400, "MALFORMED_SEARCH", &message),
    };
    let organisation = lock(&app.organisation);
    let store = lock(&app.store);
    let mut found = Vec::new();
    for part in &parts {
        let fields = part.object.fields(&organisation);
        let names = part.columns.iter().chain(part.condition.names());
        let known = |name: &&String| fields.iter().any(|field| field.name == **name);
        if let Some(name) = names.into_iter().find(|name| !known(name)) {
            let message = format!("No such column '{name}' on entity '{}'", part.object.name());
            return request_error(400, "INVALID_FIELD", &message);
        }
        let phones: Vec<&str> = fields
            .iter()
            .filter(|field| field.kind == "phone")
            .map(|field| field.name.as_str())
            .collect();
        let has_number = |record: &Value| {
            let mut texts = phones.iter().filter_map(|name| record[*name].as_str());
            texts.any(|text| terms.iter().any(|term| is_found(term, text)))
        };
        let records = part.object.table(&store.state).records();
        let records = records.map(|record| part.object.body(record, version));
        found.extend(
            part.in_order(records.filter(|record| has_number(record)))
                .into_iter()
                .map(|record| part.shown(&record)),
        );
    }
    found.truncate(MOST);
    VendorResponse::json(200, json!({ "searchRecords": found }))
}

/// Reads `FIND {…} IN PHONE FIELDS RETURNING …`: its terms, and what it returns of each object.
fn parse(sosl: &str) -> Result<(Vec<String>, Vec<Soql>), String> {
    let rest = sosl.trim_start().strip_prefix("FIND {");
    let rest = rest.ok_or("expecting 'FIND' and a term in braces")?;
    let (terms, rest) = rest.split_once('}').ok_or("expecting '}'")?;
    let rest = rest.trim_start();
    let rest = rest.strip_prefix("IN PHONE FIELDS RETURNING ");
    let rest = rest.ok_or("the sandbox searches IN PHONE FIELDS RETURNING objects only")?;
    let terms: Vec<String> = terms
        .split(" OR ")
        .map(|term| term.trim().to_owned())
        .collect();
    for term in &terms {
        if term.chars().count() < 2 {
            return Err("search term must be longer than one character".to_owned());
        }
        if let Some(reserved) = term.chars().find(|it| RESERVED.contains(*it)) {
            return Err(format!(
                "unexpected character '{reserved}' in a search term"
            ));
        }
    }
    Ok((terms, returning(rest)?))
}

/// Returns whether a search for `term` finds the number `text`: the digits of its last groups.
fn is_found(term: &str, text: &str) -> bool {
    let groups: Vec<&str> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .collect();
    (0..groups.len()).any(|first| groups.iter().skip(first).copied().collect::<String>() == term)
}

#[cfg(test)]
mod tests {
    use super::{is_found, parse};

    #[test]
    fn a_number_is_found_by_all_its_digits_or_by_its_last_groups() {
        for (term, text, found) in [
            ("4155551234", "(415) 555-1234", true),
            ("5551234", "(415) 555-1234", true),
            ("15112345678", "+49 151 12345678", true),
            ("4915112345678", "+49 151 12345678", true),
            ("15112345678", "+4915112345678", false),
            ("4915112345678", "+4915112345678", true),
            ("15112345678", "0151 12345678", false),
            ("015112345678", "0151/123 456 78", true),
            ("415555", "(415) 555-1234", false),
            ("1", "", false),
        ] {
            assert_eq!(is_found(term, text), found, "{term} in {text}");
        }
    }

    #[test]
    fn a_search_is_read_whole_or_refused() {
        let sosl = "FIND {4155551234 OR 5551234} IN PHONE FIELDS RETURNING Contact(Id, Phone ORDER BY CreatedDate, Id), Lead(Id WHERE IsConverted = false ORDER BY CreatedDate)";
        let (terms, parts) = parse(sosl).unwrap();
        assert_eq!(terms, ["4155551234", "5551234"]);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].columns, ["Id", "Phone"]);
        assert_eq!(parts[1].condition.names(), ["IsConverted"]);
        for broken in [
            "FIND 4155551234 IN PHONE FIELDS RETURNING Lead(Id)",
            "FIND {+4155551234} IN PHONE FIELDS RETURNING Lead(Id)",
            "FIND {4} IN PHONE FIELDS RETURNING Lead(Id)",
            "FIND {4155551234} IN PHONE FIELDS RETURNING Case(Id)",
            "FIND {4155551234} IN PHONE FIELDS RETURNING Lead(Id",
            "FIND {4155551234} RETURNING Lead(Id)",
        ] {
            assert!(parse(broken).is_err(), "{broken}");
        }
    }
}
