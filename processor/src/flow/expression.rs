//! CEL expressions over the fields: scores, conditions and validations, compiled once.
//!
//! The compiler checks types and the bounds of every number ([`types`]). So an accepted expression has
//! a value for all answers.

mod types;

use std::sync::{Arc, LazyLock};

use cel::common::ast::{Expr, IdedExpr};
use cel::{Context, Env, Program};
use serde_json::{Map, Value};

use super::field::Fields;
use super::schedule::IS_OPEN;
use types::{Type, infer};

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

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled expression. Number fields are doubles, whole or not, so that each has one type; other
/// fields are strings; `score` is the score so far, an int.
pub(super) struct Expression {
    program: Program,
    /// The fields that it reads.
    fields: Vec<String>,
    /// True if it reads whether people are there.
    reads_hours: bool,
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

    fn compile(what: &str, source: &str, fields: &Fields) -> Result<(Self, Type), String> {
        let length = source.chars().count();
        if length > MAX_SOURCE {
            return Err(format!(
                "the {what} has {length} characters, at most {MAX_SOURCE} are allowed; shorten it"
            ));
        }
        let (program, read, kind) = parse(what, source, fields)?;
        let reads_hours = read.iter().any(|name| name == IS_OPEN);
        let is_field = |name: &String| name != SCORE && name != IS_OPEN;
        let expression = Self {
            program,
            fields: read.into_iter().filter(is_field).collect(),
            reads_hours,
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

    fn evaluate(&self, data: &Map<String, Value>, score: i32, is_open: bool) -> Option<cel::Value> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.add_variable_from_value(SCORE, i64::from(score));
        if self.reads_hours {
            context.add_variable_from_value(IS_OPEN, is_open);
        }
        for field in &self.fields {
            match data.get(field)? {
                Value::String(text) => {
                    context.add_variable_from_value(field.as_str(), text.as_str());
                }
                Value::Number(number) => {
                    context.add_variable_from_value(field.as_str(), number.as_f64()?);
                }
                _ => return None,
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

#[cfg(test)]
thread_local! {
    /// The expressions that failed on this thread.
    pub(super) static FAILURES: std::cell::RefCell<Vec<String>> =
        const { std::cell::RefCell::new(Vec::new()) };
}

/// Parses and infers the type in a thread with a large stack. The parser's recursion would overflow a
/// usual stack on input far below [`MAX_SOURCE`].
fn parse(
    what: &str,
    source: &str,
    fields: &Fields,
) -> Result<(Program, Vec<String>, Type), String> {
    let parse = || {
        let program = ENV.compile(source).map_err(|errors| {
            let reason = errors.errors.first().map_or("", |error| error.msg.as_str());
            format!(
                "the {what} is no CEL expression: {reason}; write one such as `budget > 5000 ? 100 : 50`"
            )
        })?;
        let mut read = Vec::new();
        let kind = depth(program.expression(), MAX_DEPTH)
            .and_then(|()| infer(program.expression(), fields, &mut read))
            .map_err(|reason| format!("the {what} {reason}"))?;
        Ok((program, read, kind))
    };
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("expression-parser".into())
            .stack_size(PARSER_STACK)
            .spawn_scoped(scope, parse)
            .map_err(|source| {
                format!("the {what} was not parsed, for want of a thread ({source}); try again")
            })?
            .join()
            .unwrap_or_else(|_| {
                Err(format!(
                    "the {what} is no CEL expression that can be parsed; simplify it"
                ))
            })
    })
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
