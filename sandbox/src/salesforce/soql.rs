//! Reads queries in SOQL: conditions of equality and lists, in any nesting.

use serde_json::{Value, json};

use super::object::SObject;

#[derive(Debug)]
pub(super) struct Soql {
    pub(super) object: SObject,
    pub(super) columns: Vec<String>,
    pub(super) condition: Condition,
}

impl Soql {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Parser::new(text)?.query()
    }

    /// Returns those of `records` that meet the condition, the oldest first.
    pub(super) fn in_order(&self, records: impl Iterator<Item = Value>) -> Vec<Value> {
        let mut found: Vec<Value> = records
            .filter(|record| self.condition.holds(record))
            .collect();
        let order = |record: &Value| {
            let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
            (text("CreatedDate"), text("Id"))
        };
        found.sort_by_cached_key(order);
        found
    }

    /// Returns the columns of a record.
    pub(super) fn shown(&self, whole: &Value) -> Value {
        let mut record = json!({ "attributes": whole["attributes"] });
        for name in &self.columns {
            record[name] = whole.get(name).cloned().unwrap_or(Value::Null);
        }
        record
    }
}

/// Reads what a search returns: `Contact(Id, Phone), Lead(Id WHERE …)`.
pub(super) fn returning(text: &str) -> Result<Vec<Soql>, String> {
    let mut parser = Parser::new(text)?;
    let mut parts = vec![parser.part()?];
    while parser.sign(',') {
        parts.push(parser.part()?);
    }
    match parser.tokens.pop() {
        None => Ok(parts),
        Some(token) => Err(format!("unexpected token: {token:?}")),
    }
}

#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    OneOf(String, Vec<Value>),
}

impl Condition {
    /// Returns whether a record, as the API shows it, meets the condition.
    pub(super) fn holds(&self, record: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(record)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(record)),
            Self::OneOf(name, values) => {
                let held = record.get(name).unwrap_or(&Value::Null);
                values.iter().any(|value| equal(value, held))
            }
        }
    }

    pub(super) fn names(&self) -> Vec<&String> {
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
        let object = self.object()?;
        self.keyword("WHERE")?;
        let condition = self.condition()?;
        self.order()?;
        match self.tokens.pop() {
            None => Ok(Soql {
                object,
                columns,
                condition,
            }),
            Some(token) => Err(format!("unexpected token: {token:?}")),
        }
    }

    /// Reads what a search returns of one object.
    fn part(&mut self) -> Result<Soql, String> {
        let object = self.object()?;
        if !self.sign('(') {
            return Err("expecting '('".to_owned());
        }
        let mut columns = vec![self.word()?];
        while self.sign(',') {
            columns.push(self.word()?);
        }
        let condition = if self.is_keyword("WHERE") {
            self.condition()?
        } else {
            Condition::All(Vec::new())
        };
        self.order()?;
        if self.sign(')') {
            Ok(Soql {
                object,
                columns,
                condition,
            })
        } else {
            Err("expecting ')'".to_owned())
        }
    }

    fn object(&mut self) -> Result<SObject, String> {
        let object = self.word()?;
        SObject::named(&object).ok_or(format!("sObject type '{object}' is not supported."))
    }

    fn order(&mut self) -> Result<(), String> {
        if !self.is_keyword("ORDER") {
            return Ok(());
        }
        self.keyword("BY")?;
        self.word()?;
        while self.sign(',') {
            self.word()?;
        }
        Ok(())
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
            "SELECT Id FROM Case WHERE Id = '1'",
            "SELECT Id FROM Lead WHERE Id = '1' OR A = '1' AND B = '1'",
            "SELECT Id FROM Lead WHERE Id IN ('1'",
            "SELECT Id FROM Lead WHERE Id = 'o'brien'",
        ] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }
}
