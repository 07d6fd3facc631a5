//! A score as a CEL expression over the fields, compiled once.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};
use cel::{Context, Env, Program};
use serde_json::{Map, Value};

use super::Kind;

/// Characters of an expression.
const MAX_SOURCE: usize = 500;

/// Levels of operators and brackets. Evaluation recurses as deep, on the stack of its caller.
const MAX_DEPTH: usize = 24;

/// An unoptimized parser takes up to 170 KB for each bracket, of which it follows some hundred.
const PARSER_STACK: usize = 128 * 1024 * 1024;

/// How many combinations of sample values an expression is tried with.
const MAX_SAMPLES: usize = 1_000;

/// The score so far, as a variable.
pub(super) const SCORE: &str = "score";

/// Functions whose cost is bounded by their arguments. No regular expressions, which would be
/// compiled with each call.
const FUNCTIONS: [&str; 7] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "int",
    "double",
    "string",
];

const OPERATORS: [&str; 16] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::IN,
];

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled expression. Number fields are doubles in it, whole or not, so that it meets one type
/// only; text fields are strings; `score` is the score so far, an int.
pub(super) struct Score {
    program: Program,
    /// The fields that it reads.
    fields: Vec<String>,
}

impl std::fmt::Debug for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Score")
            .field(&self.program.source_info().source)
            .finish()
    }
}

impl Score {
    /// Compiles `source` and tries it with sample values of the `fields` that are filled where it
    /// is evaluated. Errors say what is wrong and how to mend it.
    pub(super) fn compile(source: &str, fields: &BTreeMap<String, Kind>) -> Result<Self, String> {
        let length = source.chars().count();
        if length > MAX_SOURCE {
            return Err(format!(
                "the score has {length} characters, at most {MAX_SOURCE} are allowed; shorten it"
            ));
        }
        let (program, mut found) = parse(source)?;
        found.variables.retain(|name| name != SCORE);
        if let Some(unknown) = found
            .variables
            .iter()
            .find(|name| !fields.contains_key(*name))
        {
            return Err(format!(
                "the score reads `{unknown}`, which no step fills before it; known here: {}",
                listed(fields.keys().map(String::as_str).chain([SCORE]))
            ));
        }
        let score = Self {
            program,
            fields: found.variables.clone(),
        };
        score.try_samples(fields, &found)?;
        Ok(score)
    }

    /// The score that `data` gives, within INT's limits; none when a field is missing, the
    /// expression fails on these values or gives no integer.
    pub(super) fn evaluate(&self, data: &Map<String, Value>, score: i32) -> Option<i32> {
        match self.execute(data, score).ok()? {
            cel::Value::Int(points) => {
                let points = points.clamp(i32::MIN.into(), i32::MAX.into());
                i32::try_from(points).ok()
            }
            _ => None,
        }
    }

    fn execute(&self, data: &Map<String, Value>, score: i32) -> Result<cel::Value, String> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.add_variable_from_value(SCORE, i64::from(score));
        for field in &self.fields {
            match data.get(field) {
                Some(Value::String(text)) => {
                    context.add_variable_from_value(field.as_str(), text.as_str());
                }
                Some(Value::Number(number)) => {
                    context.add_variable_from_value(
                        field.as_str(),
                        number.as_f64().unwrap_or_default(),
                    );
                }
                _ => return Err(format!("`{field}` has no value")),
            }
        }
        self.program
            .execute(&context)
            .map_err(|error| error.to_string())
    }

    /// Evaluates every combination of sample values, up to [`MAX_SAMPLES`].
    fn try_samples(&self, fields: &BTreeMap<String, Kind>, found: &Found) -> Result<(), String> {
        let samples: Vec<(&str, Vec<Value>)> = self
            .fields
            .iter()
            .filter_map(|field| Some((field.as_str(), found.samples(*fields.get(field)?))))
            .collect();
        let combinations: usize = samples.iter().fold(1, |product, (_, values)| {
            product.saturating_mul(values.len())
        });
        for number in 0..combinations.min(MAX_SAMPLES) {
            let mut index = number;
            let mut data = Map::new();
            for (field, values) in &samples {
                if let Some(value) = values.get(index % values.len()) {
                    data.insert((*field).to_owned(), value.clone());
                }
                index /= values.len();
            }
            for score in [0, 100] {
                self.try_sample(&data, score)?;
            }
        }
        Ok(())
    }

    fn try_sample(&self, data: &Map<String, Value>, score: i32) -> Result<(), String> {
        let given = match self.execute(data, score) {
            Ok(cel::Value::Int(_)) => return Ok(()),
            Ok(other) => format!("gives a {} and no integer", other.type_of()),
            Err(reason) => format!("fails ({reason})"),
        };
        let sample = Value::Object(data.clone());
        Err(format!(
            "the score {given} for {sample}; numbers are doubles in it: write their constants as 2.0, and int(…) around the result"
        ))
    }
}

/// Parses and inspects on a stack of its own: the parser's recursion overflows a usual one on input
/// far within [`MAX_SOURCE`].
fn parse(source: &str) -> Result<(Program, Found), String> {
    let parse = || {
        let program = ENV.compile(source).map_err(|errors| {
            let reason = errors.errors.first().map_or("", |error| error.msg.as_str());
            format!(
                "the score is no CEL expression: {reason}; write one such as `budget > 5000 ? 100 : 50`"
            )
        })?;
        let mut found = Found::default();
        inspect(program.expression(), MAX_DEPTH, &mut found)?;
        Ok((program, found))
    };
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("score-parser".into())
            .stack_size(PARSER_STACK)
            .spawn_scoped(scope, parse)
            .map_err(|source| {
                format!("the score was not parsed, for want of a thread ({source}); try again")
            })?
            .join()
            .unwrap_or_else(|_| {
                Err("the score is no CEL expression that can be parsed; simplify it".into())
            })
    })
}

/// What an expression reads, and the constants it compares with: the values around them reach both
/// sides of a condition.
#[derive(Default)]
struct Found {
    variables: Vec<String>,
    numbers: Vec<f64>,
    texts: Vec<String>,
}

impl Found {
    fn samples(&self, kind: Kind) -> Vec<Value> {
        match kind {
            Kind::Number => [0.0, 0.5, 999_999_999_999_999.0]
                .into_iter()
                .chain(
                    self.numbers
                        .iter()
                        .flat_map(|number| [number - 0.5, *number, number + 0.5]),
                )
                .map(Value::from)
                .collect(),
            Kind::Text => ["a", "Ünï çödé"]
                .into_iter()
                .chain(self.texts.iter().map(String::as_str))
                .map(Value::from)
                .collect(),
        }
    }
}

/// Refuses what has no bounded cost (loops, unknown functions) or no use in a score.
fn inspect(node: &IdedExpr, depth: usize, found: &mut Found) -> Result<(), String> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(format!(
            "the score is nested in more than {MAX_DEPTH} levels of operators; simplify it"
        ));
    };
    match &node.expr {
        Expr::Ident(name) => {
            if !found.variables.contains(name) {
                found.variables.push(name.clone());
            }
            Ok(())
        }
        Expr::Literal(literal) => {
            match literal {
                #[expect(clippy::cast_precision_loss, reason = "a sample value near the constant is enough")]
                LiteralValue::Int(number) => found.numbers.push(*number.inner() as f64),
                LiteralValue::Double(number) => found.numbers.push(*number.inner()),
                LiteralValue::String(text) => found.texts.push(text.inner().to_owned()),
                _ => {}
            }
            Ok(())
        }
        Expr::List(list) => list.elements.iter().try_for_each(|element| inspect(element, depth, found)),
        Expr::Call(call) => {
            let name = call.func_name.as_str();
            if !OPERATORS.contains(&name) && !FUNCTIONS.contains(&name) {
                return Err(format!(
                    "the score calls `{name}`, which flows do not have; use operators and {}",
                    listed(FUNCTIONS)
                ));
            }
            let operands = call.target.as_deref().into_iter().chain(&call.args);
            operands.into_iter().try_for_each(|operand| inspect(operand, depth, found))
        }
        Expr::Comprehension(_) | Expr::Map(_) | Expr::Select(_) | Expr::Struct(_) | Expr::Unspecified => Err(
            "the score has a loop, a map, a member or a message in it; use fields, constants, lists, operators and `? :` only".into(),
        ),
    }
}

fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests;
