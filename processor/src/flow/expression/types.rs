//! Infers the type of an expression, with bounds for its numbers. An expression with a type evaluates
//! without an error for every answer.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};

use super::SCORE;
use crate::flow::field::{Fields, Kind};

/// The greatest double, so that none becomes infinite.
const MAX_DOUBLE: f64 = 1e300;
/// The limit of joined texts.
const MAX_TEXT: usize = 20_000;
/// The limit of a double as text: 300 digits before the point, and some after it.
const NUMBER_CHARS: usize = 400;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    Int {
        least: i128,
        most: i128,
    },
    Double {
        least: f64,
        most: f64,
    },
    /// A text of at most so many characters.
    Text {
        most: usize,
    },
    Bool,
    /// A list with the type of its elements; none if it is empty.
    List {
        length: usize,
        of: Option<Box<Self>>,
    },
}

impl Type {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Int { .. } => "a whole number",
            Self::Double { .. } => "a number with decimals",
            Self::Text { .. } => "a text",
            Self::Bool => "true or false",
            Self::List { .. } => "a list",
        }
    }

    fn of(kind: &Kind) -> Option<Self> {
        match *kind {
            Kind::Number { least, most } => Some(Self::Double { least, most }),
            Kind::Flag => Some(Self::Bool),
            ref text => text.chars().map(|most| Self::Text { most }),
        }
    }

    const fn is_number(&self) -> bool {
        matches!(self, Self::Int { .. } | Self::Double { .. })
    }

    fn compares_with(&self, other: &Self) -> bool {
        self.is_number() && other.is_number()
            || matches!(
                (self, other),
                (Self::Text { .. }, Self::Text { .. }) | (Self::Bool, Self::Bool)
            )
    }

    fn joined(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Int { least: a, most: b }, Self::Int { least: c, most: d }) => Self::Int {
                least: a.min(c),
                most: b.max(d),
            },
            (Self::Double { least: a, most: b }, Self::Double { least: c, most: d }) => {
                Self::Double {
                    least: a.min(c),
                    most: b.max(d),
                }
            }
            (Self::Text { most }, Self::Text { most: other }) => Self::Text {
                most: most.max(other),
            },
            (Self::Bool, Self::Bool) => Self::Bool,
            _ => return None,
        })
    }
}

/// Infers the type of `node` and collects its variables in `read`. Errors continue "the score …".
pub(super) fn infer(
    node: &IdedExpr,
    fields: &Fields,
    read: &mut Vec<String>,
) -> Result<Type, String> {
    match &node.expr {
        Expr::Ident(name) => variable(name, fields, read),
        Expr::Literal(literal) => constant(literal),
        Expr::List(list) => {
            let mut of: Option<Type> = None;
            for element in &list.elements {
                let next = infer(element, fields, read)?;
                of = Some(match of {
                    None => next,
                    Some(of) if of.is_number() && next.is_number() => of.clone().joined(next).unwrap_or(of),
                    Some(of) => of
                        .joined(next)
                        .ok_or("has a list of unlike elements; use one type in it")?,
                });
            }
            Ok(Type::List {
                length: list.elements.len(),
                of: of.map(Box::new),
            })
        }
        Expr::Call(call) => {
            let name = call.func_name.as_str();
            let operands = call
                .target
                .as_deref()
                .into_iter()
                .chain(&call.args)
                .map(|operand| infer(operand, fields, read))
                .collect::<Result<Vec<_>, String>>()?;
            call_type(call, name, &operands)
        }
        Expr::Comprehension(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_)
        | Expr::Unspecified => Err(
            "has a loop, a map, a member or a message in it; use fields, constants, lists, operators and `? :` only".into(),
        ),
    }
}

fn variable(name: &str, fields: &Fields, read: &mut Vec<String>) -> Result<Type, String> {
    if !read.iter().any(|known| known == name) {
        read.push(name.to_owned());
    }
    if name == SCORE {
        return Ok(Type::Int {
            least: i32::MIN.into(),
            most: i32::MAX.into(),
        });
    }
    let kind = fields.get(name).ok_or_else(|| {
        let known: Vec<String> = fields
            .keys()
            .map(String::as_str)
            .chain([SCORE])
            .map(|field| format!("`{field}`"))
            .collect();
        format!(
            "reads `{name}`, which not every way to this step fills; known here: {}",
            known.join(", ")
        )
    })?;
    Type::of(kind).ok_or_else(|| {
        format!(
            "reads `{name}`, {}, which expressions cannot; use another field",
            kind.name()
        )
    })
}

fn constant(literal: &LiteralValue) -> Result<Type, String> {
    match literal {
        LiteralValue::Int(number) => {
            let number = i128::from(*number.inner());
            Ok(Type::Int {
                least: number,
                most: number,
            })
        }
        LiteralValue::Double(number) => double(*number.inner(), *number.inner()),
        LiteralValue::String(text) => Ok(Type::Text {
            most: text.inner().chars().count(),
        }),
        LiteralValue::Boolean(_) => Ok(Type::Bool),
        LiteralValue::Bytes(_) | LiteralValue::Null | LiteralValue::UInt(_) => Err(
            "has bytes, null or an unsigned number in it; use numbers, texts, true and false"
                .into(),
        ),
    }
}

fn call_type(call: &CallExpr, name: &str, operands: &[Type]) -> Result<Type, String> {
    use operators as op;
    let is_method = call.target.is_some();
    match (name, operands) {
        (op::CONDITIONAL, [Type::Bool, one, other]) => {
            one.clone().joined(other.clone()).ok_or_else(|| {
                format!(
                    "gives {} in one case and {} in the other; give the same type in both",
                    one.name(),
                    other.name()
                )
            })
        }
        (op::LOGICAL_AND | op::LOGICAL_OR, [Type::Bool, Type::Bool])
        | (op::LOGICAL_NOT, [Type::Bool]) => Ok(Type::Bool),
        (op::EQUALS | op::NOT_EQUALS, [one, other]) if one.compares_with(other) => Ok(Type::Bool),
        (op::GREATER | op::GREATER_EQUALS | op::LESS | op::LESS_EQUALS, [one, other])
            if one.is_number() && other.is_number() =>
        {
            Ok(Type::Bool)
        }
        (op::IN, [one, Type::List { of, .. }])
            if of.as_deref().is_none_or(|of| of.compares_with(one)) =>
        {
            Ok(Type::Bool)
        }
        (
            op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::NEGATE,
            [Type::Int { .. } | Type::Double { .. }, ..],
        ) => arithmetic(name, operands),
        (op::ADD, [Type::Text { most }, Type::Text { most: other }]) => {
            let most = most + other;
            if most > MAX_TEXT {
                return Err(format!(
                    "puts texts together to more than {MAX_TEXT} characters; join fewer"
                ));
            }
            Ok(Type::Text { most })
        }
        ("size", [Type::Text { most } | Type::List { length: most, .. }]) => Ok(Type::Int {
            least: 0,
            most: i128::try_from(*most).unwrap_or(i128::MAX),
        }),
        ("contains" | "startsWith" | "endsWith", [Type::Text { .. }, Type::Text { .. }])
            if is_method =>
        {
            Ok(Type::Bool)
        }
        ("int", [whole @ Type::Int { .. }]) if !is_method => Ok(whole.clone()),
        ("int", [Type::Double { least, most }]) if !is_method => whole(*least, *most),
        #[expect(
            clippy::cast_precision_loss,
            reason = "a bound near the number is enough"
        )]
        ("double", [Type::Int { least, most }]) if !is_method => {
            double(*least as f64, *most as f64)
        }
        ("double", [number @ Type::Double { .. }]) if !is_method => Ok(number.clone()),
        ("string", [text @ Type::Text { .. }]) if !is_method => Ok(text.clone()),
        ("string", [Type::Int { .. } | Type::Double { .. }]) if !is_method => {
            Ok(Type::Text { most: NUMBER_CHARS })
        }
        _ => Err(unfit(name, operands)),
    }
}

/// Returns why there is no such call.
fn unfit(name: &str, operands: &[Type]) -> String {
    const FUNCTIONS: &str =
        "`size`, `contains`, `startsWith`, `endsWith`, `int`, `double`, `string`";
    let sign: String = name.chars().filter(|c| !matches!(c, '_' | '@')).collect();
    let is_known = FUNCTIONS.contains(&format!("`{name}`"));
    if name.starts_with(|c: char| c.is_alphabetic()) && !is_known || sign == "[]" || sign == "%" {
        return format!("calls `{name}`, which flows do not have; use operators and {FUNCTIONS}");
    }
    let operands: Vec<&str> = operands.iter().map(Type::name).collect();
    format!(
        "applies `{sign}` to {}, which it does not take; number fields have decimals: write constants beside them as 2.0, and int(…) around the result",
        operands.join(" and ")
    )
}

fn arithmetic(name: &str, operands: &[Type]) -> Result<Type, String> {
    match operands {
        [Type::Int { least, most }] if name == operators::NEGATE => int(&[-least, -most]),
        [Type::Double { least, most }] if name == operators::NEGATE => double(-most, -least),
        [
            Type::Int { least: a, most: b },
            Type::Int { least: c, most: d },
        ] => {
            if name == operators::DIVIDE {
                if *c <= 0 && *d >= 0 {
                    return Err(by_zero());
                }
                let most = a.abs().max(b.abs());
                return int(&[-most, most]);
            }
            int(&corners(*a, *b, *c, *d, |x, y| match name {
                operators::ADD => x + y,
                operators::SUBSTRACT => x - y,
                _ => x * y,
            }))
        }
        [
            Type::Double { least: a, most: b },
            Type::Double { least: c, most: d },
        ] => {
            if name == operators::DIVIDE && *c <= 0.0 && *d >= 0.0 {
                return Err(by_zero());
            }
            let ends = corners(*a, *b, *c, *d, |x, y| match name {
                operators::ADD => x + y,
                operators::SUBSTRACT => x - y,
                operators::DIVIDE => x / y,
                _ => x * y,
            });
            let least = ends.iter().copied().fold(f64::INFINITY, f64::min);
            let most = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            double(least, most)
        }
        _ => Err(unfit(name, operands)),
    }
}

/// Returns the four corners of an operation that is monotone in each operand.
fn corners<T: Copy>(a: T, b: T, c: T, d: T, of: impl Fn(T, T) -> T) -> [T; 4] {
    [of(a, c), of(a, d), of(b, c), of(b, d)]
}

fn by_zero() -> String {
    "could divide by zero; divide by a constant, or by a number whose `min` is above 0".into()
}

fn int(ends: &[i128]) -> Result<Type, String> {
    let least = ends.iter().copied().min().unwrap_or_default();
    let most = ends.iter().copied().max().unwrap_or_default();
    if least < i64::MIN.into() || most > i64::MAX.into() {
        return Err("could pass the limits of whole numbers; use smaller factors, or set `max` for the answer".into());
    }
    Ok(Type::Int { least, most })
}

fn double(least: f64, most: f64) -> Result<Type, String> {
    // False for NaN, too.
    if least >= -MAX_DOUBLE && most <= MAX_DOUBLE {
        Ok(Type::Double { least, most })
    } else {
        Err("could pass the limits of numbers; use smaller factors or greater divisors".into())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "checked against the limit before"
)]
fn whole(least: f64, most: f64) -> Result<Type, String> {
    const LIMIT: f64 = 9.0e18;
    if least < -LIMIT || most > LIMIT {
        return Err("makes a whole number of what could be beyond their limits; divide it, or set `max` for the answer".into());
    }
    int(&[least.floor() as i128, most.ceil() as i128])
}
