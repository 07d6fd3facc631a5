//! Serves queries in SOQL over leads: conditions of equality and lists, in any nesting; pages.

use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::request_error;
use super::{check_version, lead_body};
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::table::CrmRecord;
use crate::vendor_response::VendorResponse;

const PAGE: usize = 2_000;
/// The maximal length of an address in characters.
const LONGEST: usize = 16_384;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    q: String,
}

pub(super) async fn first(
    exchange: Exchange,
    Path(version): Path<String>,
    Query(asked): Query<Asked>,
    uri: axum::http::Uri,
) -> Response {
    let handle = || {
        if uri
            .path_and_query()
            .is_some_and(|path| path.as_str().len() > LONGEST)
        {
            return request_error(414, "URI_TOO_LONG", "The requested URI is too long");
        }
        answer(&exchange.app, &version, &asked.q, 0)
    };
    exchange.run(Endpoint::SalesforceQuery, &[], handle).await
}

/// Serves the next page. A locator holds the query and the position of its next page.
pub(super) async fn next(
    exchange: Exchange,
    Path((version, locator)): Path<(String, String)>,
) -> Response {
    let handle = || {
        let read = || {
            let (text, start) = locator.split_once('-')?;
            let soql = String::from_utf8(hex::decode(text).ok()?).ok()?;
            Some((soql, start.parse().ok()?))
        };
        match read() {
            Some((soql, start)) => answer(&exchange.app, &version, &soql, start),
            None => request_error(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
        }
    };
    exchange.run(Endpoint::SalesforceQuery, &[], handle).await
}

fn answer(app: &App, version: &str, soql: &str, start: usize) -> VendorResponse {
    if let Err(response) = check_version(version) {
        return response;
    }
    let malformed = |message: &str| request_error(400, "MALFORMED_QUERY", message);
    let query = match Parser::new(soql).and_then(|mut parser| parser.query()) {
        Ok(query) => query,
        Err(message) => return malformed(&message),
    };
    let organisation = lock(&app.organisation);
    let known = |name: &String| organisation.fields.iter().any(|field| field.name == *name);
    if let Some(name) = query
        .columns
        .iter()
        .chain(query.condition.names())
        .find(|name| !known(name))
    {
        let message = format!("No such column '{name}' on entity 'Lead'");
        return request_error(400, "INVALID_FIELD", &message);
    }
    let store = lock(&app.store);
    let mut found: Vec<&CrmRecord> = store
        .state
        .leads
        .records()
        .filter(|lead| query.condition.holds(lead))
        .collect();
    found.sort_by_key(|lead| (lead.created_at, lead.id.clone()));
    let records: Vec<Value> = found
        .iter()
        .skip(start)
        .take(PAGE)
        .map(|lead| {
            let whole = lead_body(lead, version);
            let mut record = json!({ "attributes": whole["attributes"] });
            for name in &query.columns {
                record[name] = value(lead, &whole, name);
            }
            record
        })
        .collect();
    let end = start + records.len();
    let done = end >= found.len();
    let mut body = json!({ "totalSize": found.len(), "done": done, "records": records });
    if !done {
        let url = format!("/services/data/{version}/query/{}-{end}", hex::encode(soql));
        body["nextRecordsUrl"] = json!(url);
    }
    VendorResponse::json(200, body)
}

fn value(lead: &CrmRecord, whole: &Value, name: &str) -> Value {
    match whole.get(name) {
        Some(value) => value.clone(),
        None if name == "IsConverted" => json!(false),
        None => lead.values.get(name).cloned().unwrap_or(Value::Null),
    }
}

#[derive(Debug)]
struct Soql {
    columns: Vec<String>,
    condition: Condition,
}

#[derive(Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    OneOf(String, Vec<Value>),
}

impl Condition {
    fn holds(&self, lead: &CrmRecord) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(lead)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(lead)),
            Self::OneOf(name, values) if name == "Id" => values.contains(&json!(lead.id)),
            Self::OneOf(name, values) => {
                let held = lead.values.get(name).cloned();
                let held = held.or_else(|| (name == "IsConverted").then_some(json!(false)));
                held.is_some_and(|held| values.iter().any(|value| equal(value, &held)))
            }
        }
    }

    fn names(&self) -> Vec<&String> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::names).collect(),
            Self::OneOf(name, _) => vec![name],
        }
    }
}

/// Returns whether two values are equal; texts are compared without case.
fn equal(one: &Value, other: &Value) -> bool {
    match (one.as_str(), other.as_str()) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => one == other,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

struct Parser {
    /// The tokens in reverse order.
    tokens: Vec<Token>,
}

impl Parser {
    fn new(soql: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut letters = soql.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '\'' => {
                    let mut text = String::new();
                    loop {
                        match letters.next() {
                            Some('\'') => break,
                            Some('\\') => text.extend(letters.next()),
                            Some(other) => text.push(other),
                            None => return Err("unterminated string".to_owned()),
                        }
                    }
                    tokens.push(Token::Text(text));
                }
                '(' | ')' | ',' | '=' => tokens.push(Token::Sign(letter)),
                _ if letter.is_whitespace() => {}
                _ => {
                    let mut word = String::from(letter);
                    while let Some(more) =
                        letters.next_if(|l| l.is_ascii_alphanumeric() || "_.-".contains(*l))
                    {
                        word.push(more);
                    }
                    tokens.push(Token::Word(word));
                }
            }
        }
        tokens.reverse();
        Ok(Self { tokens })
    }

    fn query(&mut self) -> Result<Soql, String> {
        self.keyword("SELECT")?;
        let mut columns = vec![self.word()?];
        while self.sign(',') {
            columns.push(self.word()?);
        }
        self.keyword("FROM")?;
        self.keyword("Lead")?;
        self.keyword("WHERE")?;
        let condition = self.condition()?;
        if self.is_keyword("ORDER") {
            self.keyword("BY")?;
            self.word()?;
            while self.sign(',') {
                self.word()?;
            }
        }
        match self.tokens.pop() {
            None => Ok(Soql { columns, condition }),
            Some(token) => Err(format!("unexpected token: {token:?}")),
        }
    }

    /// Reads conditions. Without parentheses SOQL allows one kind of conjunction.
    fn condition(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.term()?];
        let mut kind = None;
        loop {
            let word = match self.tokens.last() {
                Some(Token::Word(word)) if ["AND", "OR"].contains(&word.as_str()) => word.clone(),
                _ => break,
            };
            if kind.get_or_insert_with(|| word.clone()) != &word {
                return Err("AND and OR need parentheses".to_owned());
            }
            self.tokens.pop();
            parts.push(self.term()?);
        }
        Ok(match kind.as_deref() {
            Some("OR") => Condition::Any(parts),
            _ => Condition::All(parts),
        })
    }

    fn term(&mut self) -> Result<Condition, String> {
        if self.sign('(') {
            let condition = self.condition()?;
            return if self.sign(')') {
                Ok(condition)
            } else {
                Err("expecting ')'".to_owned())
            };
        }
        let name = self.word()?;
        if self.sign('=') {
            return Ok(Condition::OneOf(name, vec![self.value()?]));
        }
        self.keyword("IN")?;
        if !self.sign('(') {
            return Err("expecting '('".to_owned());
        }
        let mut values = vec![self.value()?];
        while self.sign(',') {
            values.push(self.value()?);
        }
        if self.sign(')') {
            Ok(Condition::OneOf(name, values))
        } else {
            Err("expecting ')'".to_owned())
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.tokens.pop() {
            Some(Token::Text(text)) => Ok(json!(text)),
            Some(Token::Word(word)) => {
                serde_json::from_str(&word).map_err(|_| format!("unexpected token: {word}"))
            }
            other => Err(format!("unexpected token: {other:?}")),
        }
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.pop() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("unexpected token: {other:?}")),
        }
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), String> {
        if self.is_keyword(keyword) {
            return Ok(());
        }
        Err(format!("expecting {keyword}"))
    }

    fn is_keyword(&mut self, keyword: &str) -> bool {
        self.tokens
            .pop_if(
                |token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(keyword)),
            )
            .is_some()
    }

    fn sign(&mut self, sign: char) -> bool {
        self.tokens
            .pop_if(|token| *token == Token::Sign(sign))
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Parser;

    #[test]
    fn a_query_is_read_whole_or_refused() {
        let read = |soql: &str| Parser::new(soql).and_then(|mut parser| parser.query());
        let soql = r"SELECT Id, Phone FROM Lead WHERE IsConverted = false AND (Phone IN ('a','o\'b') OR X__c IN (1)) ORDER BY CreatedDate, Id";
        let query = read(soql).expect("a query");
        assert_eq!(query.columns, ["Id", "Phone"]);
        assert_eq!(query.condition.names(), ["IsConverted", "Phone", "X__c"]);
        for broken in [
            "SELECT Id FROM Contact WHERE Id = '1'",
            "SELECT Id FROM Lead WHERE Id = '1' OR A = '1' AND B = '1'",
            "SELECT Id FROM Lead WHERE Id IN ('1'",
            "SELECT Id FROM Lead WHERE Id = 'o'brien'",
        ] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }
}
