//! CEL expressions over the fields: scores, conditions and validations, compiled once.
//!
//! The compiler checks types and the bounds of every number ([`types`]). So an accepted expression has
//! a value for all answers.

mod presence;
mod product;
mod types;

use std::sync::{Arc, LazyLock};

use cel::common::ast::{Expr, IdedExpr};
use cel::{Context, Env, Program};
use serde_json::{Map, Value};

use super::field::{Fields, Kind};
use super::schedule::IS_OPEN;
use super::turn_input::MAX_CHARS;
pub(super) use presence::Presence;
pub(super) use product::amount;
use types::{Reads, Type, infer};

/// The limit of characters in an expression.
const MAX_SOURCE: usize = 500;

/// The limit of nested operators and brackets. Evaluation recurses as deep on its caller's stack.
const MAX_DEPTH: usize = 24;

/// The parser's stack. An unoptimized build takes up to 170 KB for each of some hundred brackets.
const PARSER_STACK: usize = 128 * 1024 * 1024;

/// The score so far, as a variable.
pub(super) const SCORE: &str = "score";

/// The answer that is validated, as a variable.
pub(super) const VALUE: &str = "value";

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(presence::environment()));

/// A compiled expression. Number fields are doubles, whole or not, so that each has one type; other
/// fields are strings; `score` is the score so far, an int.
pub(super) struct Expression {
    program: Program,
    /// The fields that it reads on every way to it.
    fields: Vec<String>,
    /// True if it reads whether people are there.
    reads_hours: bool,
    /// The fields that may have no value, each with the variable that says whether it has one.
    unsure: Vec<(String, String)>,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expression")
            .field(&self.program.source_info().source)
            .finish()
    }
}

impl Expression {
    /// Compiles a score: an integer. Errors give the reason and the remedy.
    pub(super) fn score(source: &str, fields: &Fields) -> Result<Self, String> {
        match Self::compile("score", source, fields)? {
            (score, Type::Int { .. }) => Ok(score),
            (_, Type::Double { .. }) => {
                Err("the score gives a number with decimals; put int(…) around it".into())
            }
            (_, other) => Err(format!(
                "the score gives {} and no integer; write one such as `budget > 5000 ? 100 : 50`",
                other.name()
            )),
        }
    }

    /// Compiles a condition: true or false. Errors give the reason and the remedy.
    pub(super) fn condition(source: &str, fields: &Fields) -> Result<Self, String> {
        match Self::compile("condition", source, fields)? {
            (condition, Type::Bool) => Ok(condition),
            (_, other) => Err(format!(
                "the condition gives {} and not true or false; compare it, as in `budget > 5000`",
                other.name()
            )),
        }
    }

    /// Compiles a computed field and returns its kind. Errors give the reason and the remedy.
    pub(super) fn computed(source: &str, fields: &Fields) -> Result<(Self, Kind), String> {
        let (computed, kind) = Self::compile("computation", source, fields)?;
        let name = kind.name();
        let kind = kind.into_kind().ok_or_else(|| {
            format!(
                "the computation gives {name} and no number or text; write one such as `bill * 12.0` or `bill > 500 ? 'large' : 'small'`"
            )
        })?;
        Ok((computed, kind))
    }

    /// Returns the variables that `source` reads; none if it cannot be parsed.
    pub(super) fn names(source: &str) -> Vec<String> {
        if source.chars().count() > MAX_SOURCE {
            return Vec::new();
        }
        let names = parsed(source, |node| {
            depth(node, MAX_DEPTH)?;
            let mut names = Vec::new();
            collect_names(node, &mut names);
            Ok(names)
        });
        names.map_or_else(|_| Vec::new(), |(_, names)| names)
    }

    fn compile(what: &str, source: &str, fields: &Fields) -> Result<(Self, Type), String> {
        let length = source.chars().count();
        if length > MAX_SOURCE {
            return Err(format!(
                "the {what} has {length} characters, at most {MAX_SOURCE} are allowed; shorten it"
            ));
        }
        let (program, (mut reads, kind)) = parsed(source, |node| {
            let mut reads = Reads::default();
            let kind =
                depth(node, MAX_DEPTH).and_then(|()| infer(node, fields, &[], &mut reads))?;
            Ok((reads, kind))
        })
        .map_err(|reason| format!("the {what} {reason}"))?;
        let reads_hours = reads.certain.iter().any(|name| name == IS_OPEN);
        reads.certain.retain(|name| name != IS_OPEN);
        let unsure = |field: String| {
            let variable = presence::variable(&field);
            (field, variable)
        };
        let expression = Self {
            program,
            fields: reads.certain,
            reads_hours,
            unsure: reads.unsure.into_iter().map(unsure).collect(),
        };
        Ok((expression, kind))
    }

    /// Returns the score for `data`, within INT's limits; none if a field is missing or of another
    /// type.
    pub(super) fn points(
        &self,
        data: &Map<String, Value>,
        score: i32,
        is_open: bool,
    ) -> Option<i32> {
        match self.evaluate(data, score, is_open)? {
            cel::Value::Int(points) => {
                let points = points.clamp(i32::MIN.into(), i32::MAX.into());
                i32::try_from(points).ok()
            }
            _ => None,
        }
    }

    /// Returns whether `data` meets the condition. A condition that cannot be evaluated is not met.
    pub(super) fn holds(&self, data: &Map<String, Value>, score: i32, is_open: bool) -> bool {
        matches!(
            self.evaluate(data, score, is_open),
            Some(cel::Value::Bool(true))
        )
    }

    /// Returns the value of a computed field; none if a field that it reads is missing or of another
    /// type.
    pub(super) fn value(
        &self,
        data: &Map<String, Value>,
        score: i32,
        is_open: bool,
    ) -> Option<Value> {
        match self.evaluate(data, score, is_open)? {
            cel::Value::Int(number) => Some(number.into()),
            cel::Value::Float(number) => number_value(rounded(number)),
            cel::Value::String(text) => {
                let cut: String = text.chars().take(MAX_CHARS).collect();
                Some(cut.into())
            }
            _ => None,
        }
    }

    fn evaluate(&self, data: &Map<String, Value>, score: i32, is_open: bool) -> Option<cel::Value> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.add_variable_from_value(SCORE, i64::from(score));
        if self.reads_hours {
            context.add_variable_from_value(IS_OPEN, is_open);
        }
        for field in &self.fields {
            context.add_variable_from_value(field.as_str(), readable(data.get(field)?)?);
        }
        for (field, variable) in &self.unsure {
            let value = data.get(field);
            context.add_variable_from_value(variable.as_str(), value.is_some());
            if let Some(value) = value.and_then(readable) {
                context.add_variable_from_value(field.as_str(), value);
            }
        }
        let value = self.program.execute(&context);
        #[cfg(test)]
        if let Err(error) = &value {
            FAILURES.with_borrow_mut(|failures| failures.push(format!("{self:?}: {error}")));
        }
        value.ok()
    }
}

/// Returns `number` with at most six decimals, without the noise of binary fractions.
fn rounded(number: f64) -> f64 {
    const DECIMALS: f64 = 1e6;
    // Greater numbers have no exact sixth decimal.
    if number.abs() < 1e9 {
        (number * DECIMALS).round() / DECIMALS
    } else {
        number
    }
}

/// Returns `number` as JSON, without a decimal point if it is whole.
fn number_value(number: f64) -> Option<Value> {
    #[expect(clippy::cast_possible_truncation, reason = "whole and below the limit")]
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return Some((number as i64).into());
    }
    serde_json::Number::from_f64(number).map(Value::Number)
}

fn collect_names(node: &IdedExpr, names: &mut Vec<String>) {
    match &node.expr {
        Expr::Ident(name) => names.push(presence::asked(name).unwrap_or(name).to_owned()),
        Expr::List(list) => list.elements.iter().for_each(|it| collect_names(it, names)),
        Expr::Call(call) => {
            let operands = call.target.as_deref().into_iter().chain(&call.args);
            operands.for_each(|operand| collect_names(operand, names));
        }
        _ => {}
    }
}

/// Returns a field's value as expressions read it; none if they cannot.
fn readable(value: &Value) -> Option<cel::Value> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => number.as_f64().map(Into::into),
        _ => None,
    }
}

#[cfg(test)]
thread_local! {
    /// The expressions that failed on this thread.
    pub(super) static FAILURES: std::cell::RefCell<Vec<String>> =
        const { std::cell::RefCell::new(Vec::new()) };
}

/// Parses `source`, and applies `read` to it, in a thread with a large stack. The parser's recursion
/// would overflow a usual stack on input far below [`MAX_SOURCE`]. Errors continue "the score …".
fn parsed<T: Send>(
    source: &str,
    read: impl FnOnce(&IdedExpr) -> Result<T, String> + Send,
) -> Result<(Program, T), String> {
    let parse = || {
        let program = ENV.compile(source).map_err(|errors| {
            let reason = errors.errors.first().map_or("", |error| error.msg.as_str());
            let reason = plain(reason);
            if reason.ends_with('?') {
                return format!("is no CEL expression: {reason}");
            }
            format!("is no CEL expression: {reason}; write one such as `budget > 5000 ? 100 : 50`")
        })?;
        let read = read(program.expression())?;
        Ok((program, read))
    };
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("expression-parser".into())
            .stack_size(PARSER_STACK)
            .spawn_scoped(scope, parse)
            .map_err(|source| {
                format!("was not parsed, for want of a thread ({source}); try again")
            })?
            .join()
            .unwrap_or_else(|_| Err("is no CEL expression that can be parsed; simplify it".into()))
    })
}

/// Words an error of the parser, which lists tokens and types of its grammar.
fn plain(reason: &str) -> String {
    if reason == presence::WRONG_HAS {
        return reason.to_owned();
    }
    if let Some(word) = reason.strip_prefix("reserved identifier: ") {
        return format!("`{word}` is a word of CEL; give the field another name");
    }
    if reason.starts_with("invalid") && reason.contains("literal") {
        return "a number or a text in it cannot be read".into();
    }
    if reason.starts_with("Recursion limit") {
        return "it is nested too deep".into();
    }
    if !reason.contains("Syntax error") {
        return "a part of it is missing".into();
    }
    let part = reason.split('\'').nth(1).unwrap_or_default().trim();
    let due = match part.to_lowercase().as_str() {
        "" if reason.contains("''") => return "a quote in it is not closed".into(),
        "" => return "it cannot be read".into(),
        "<eof>" => return "something is missing at its end".into(),
        sign if sign.starts_with('=') => "`==`",
        sign if sign.starts_with('&') => "`&&`",
        sign if sign.starts_with('|') => "`||`",
        sign if sign.starts_with(['“', '”', '„', '«', '‘', '’', '`']) => "`'…'`",
        "and" => "`&&`",
        "or" => "`||`",
        "not" => "`!`",
        "then" | "if" | "else" => "`condition ? one : other`",
        _ => return format!("`{part}` does not fit where it is"),
    };
    format!("`{part}` does not fit where it is; did you mean {due}?")
}

fn depth(node: &IdedExpr, levels: usize) -> Result<(), String> {
    let Some(levels) = levels.checked_sub(1) else {
        return Err(format!(
            "is nested in more than {MAX_DEPTH} levels of operators; simplify it"
        ));
    };
    match &node.expr {
        Expr::List(list) => list
            .elements
            .iter()
            .try_for_each(|element| depth(element, levels)),
        Expr::Call(call) => {
            let operands = call.target.as_deref().into_iter().chain(&call.args);
            operands
                .into_iter()
                .try_for_each(|operand| depth(operand, levels))
        }
        // No other allowed expression has parts.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
