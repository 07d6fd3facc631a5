//! Infers the type of an expression, with bounds for its numbers. An expression with a type evaluates
//! without an error for every answer.

mod arithmetic;

use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};

use super::presence::{Presence, asked, either};
use super::{SCORE, rounded};
use crate::flow::field::{Fields, Kind, Values};
use crate::flow::turn_input::MAX_CHARS;
use arithmetic::{arithmetic, double, whole};

/// The functions of flows.
pub(super) const FUNCTIONS: [&str; 8] = [
    "has",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "int",
    "double",
    "string",
];
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
        /// The values that it can have; none if it can have any.
        values: Option<Arc<Values>>,
    },
    Bool,
    /// A list with the type of all its elements, none if it is empty, and the type of each.
    List {
        of: Option<Box<Self>>,
        each: Vec<Self>,
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

    fn of(kind: &Kind, is_lenient: bool) -> Option<Self> {
        let values = match kind {
            Kind::Choice { values, .. } if !is_lenient => Some(Arc::clone(values)),
            _ => None,
        };
        match *kind {
            Kind::Number { least, most } => Some(Self::Double { least, most }),
            Kind::Flag => Some(Self::Bool),
            ref text => text.chars().map(|most| Self::Text { most, values }),
        }
    }

    /// Returns the kind of a field with such a value; none if no field can have it.
    pub(super) fn into_kind(self) -> Option<Kind> {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a bound near the number is enough"
            )]
            Self::Int { least, most } => Some(Kind::Number {
                least: least as f64,
                most: most as f64,
            }),
            Self::Double { least, most } => Some(Kind::Number {
                least: rounded(least),
                most: rounded(most),
            }),
            Self::Text { most, values } => {
                let most = most.min(MAX_CHARS);
                Some(match values {
                    // A computed text is shown as it is, and not by the title of an option.
                    Some(values) => Kind::Choice {
                        most,
                        values: Arc::new(values.untitled()),
                    },
                    None => Kind::Text { most },
                })
            }
            Self::Bool | Self::List { .. } => None,
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
            (
                Self::Text { most, values },
                Self::Text {
                    most: other,
                    values: others,
                },
            ) => Self::Text {
                most: most.max(other),
                values: values
                    .zip(others)
                    .map(|(one, other)| Arc::new(one.joined(&other))),
            },
            (Self::Bool, Self::Bool) => Self::Bool,
            _ => return None,
        })
    }
}

/// The fields that an expression reads.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The fields that every way to the expression fills.
    pub(super) certain: Vec<String>,
    /// The fields that it reads or asks for only where they have a value.
    pub(super) unsure: Vec<String>,
}

/// CEL's macros that loop. Flows have none of them.
const LOOPS: [&str; 6] = ["all", "exists", "exists_one", "existsOne", "map", "filter"];

/// Infers the type of `node`, where `has` proved that the fields `filled` have a value. Collects its
/// variables in `reads`. Errors continue "the score …".
pub(super) fn infer(
    node: &IdedExpr,
    fields: &Fields,
    filled: &[String],
    reads: &mut Reads,
) -> Result<Type, String> {
    match &node.expr {
        Expr::Ident(name) => variable(name, fields, filled, reads),
        Expr::Literal(literal) => constant(literal, fields.is_lenient()),
        Expr::List(list) => {
            let mut of: Option<Type> = None;
            let mut each = Vec::new();
            for element in &list.elements {
                let next = infer(element, fields, filled, reads)?;
                each.push(next.clone());
                of = Some(match of {
                    None => next,
                    Some(of) if of.is_number() && next.is_number() => {
                        of.clone().joined(next).unwrap_or(of)
                    }
                    Some(of) => of
                        .joined(next)
                        .ok_or("has a list of unlike elements; use one type in it")?,
                });
            }
            Ok(Type::List {
                of: of.map(Box::new),
                each,
            })
        }
        Expr::Call(call) => {
            let name = call.func_name.as_str();
            if call.target.is_some() && LOOPS.contains(&name) {
                return Err(unknown_part());
            }
            let all = call.target.as_deref().into_iter().chain(&call.args);
            let mut operands = Vec::new();
            for (index, operand) in all.enumerate() {
                let proved = either(filled.to_vec(), proved(call, index));
                operands.push(infer(operand, fields, &proved, reads)?);
            }
            call_type(call, name, &operands)
        }
        Expr::Comprehension(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_)
        | Expr::Unspecified => Err(unknown_part()),
    }
}

fn unknown_part() -> String {
    "has a loop, a map, a member or a message in it; use fields, constants, lists, operators and `? :` only".into()
}

/// Returns the fields that have a value wherever the operand `index` is evaluated, because of the first
/// operand.
fn proved(call: &CallExpr, index: usize) -> Vec<String> {
    let Some(first) = call.args.first().filter(|_| index > 0) else {
        return Vec::new();
    };
    match (call.func_name.as_str(), index) {
        (operators::LOGICAL_AND, _) | (operators::CONDITIONAL, 1) => Presence::of(first).if_true,
        (operators::LOGICAL_OR | operators::CONDITIONAL, _) => Presence::of(first).if_false,
        _ => Vec::new(),
    }
}

fn variable(
    name: &str,
    fields: &Fields,
    filled: &[String],
    reads: &mut Reads,
) -> Result<Type, String> {
    let add = |list: &mut Vec<String>, name: &str| {
        if !list.iter().any(|known| known == name) {
            list.push(name.to_owned());
        }
    };
    if name == SCORE {
        return Ok(Type::Int {
            least: i32::MIN.into(),
            most: i32::MAX.into(),
        });
    }
    if let Some(field) = asked(name) {
        if fields
            .get(field)
            .or_else(|| fields.possible(field))
            .is_none()
        {
            let remedy = fields.meant(field).map_or_else(
                || "correct the name, or `fill` it".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            return Err(format!("asks for `{field}`, which no step fills; {remedy}"));
        }
        add(&mut reads.unsure, field);
        return Ok(Type::Bool);
    }
    let is_proved = filled.iter().any(|field| field == name);
    let possible = fields.possible(name);
    let kind = match fields.get(name) {
        // A referral's field counts as filled, and may have no value.
        kind if is_proved => {
            add(&mut reads.unsure, name);
            kind.or(possible)
        }
        Some(kind) => {
            add(&mut reads.certain, name);
            Some(kind)
        }
        None => None,
    };
    let kind = kind.ok_or_else(|| unfilled(name, possible.is_some(), fields))?;
    Type::of(kind, fields.is_lenient()).ok_or_else(|| {
        format!(
            "reads `{name}`, {}, which expressions cannot; use another field",
            kind.name()
        )
    })
}

/// Returns why `name` cannot be read.
fn unfilled(name: &str, is_possible: bool, fields: &Fields) -> String {
    if !is_possible && fields.is_value(name) {
        return format!("reads `{name}` as a field; put a text in quotes, as in `'{name}'`");
    }
    let remedy = if is_possible {
        format!("ask for it first, as in `has({name}) && …`")
    } else if let Some(meant) = fields.meant(name) {
        format!("did you mean `{meant}`?")
    } else {
        let known = fields.keys().map(String::as_str).chain([SCORE]);
        let known: Vec<String> = known.map(|field| format!("`{field}`")).collect();
        format!("known here: {}", known.join(", "))
    };
    format!("reads `{name}`, which not every way to this step fills; {remedy}")
}

fn constant(literal: &LiteralValue, is_lenient: bool) -> Result<Type, String> {
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
            values: (!is_lenient).then(|| Arc::new(Values::only(text.inner()))),
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
        (op::EQUALS | op::NOT_EQUALS, [one, other]) if one.compares_with(other) => {
            ensure_possible(call, one, other)
        }
        (op::GREATER | op::GREATER_EQUALS | op::LESS | op::LESS_EQUALS, [one, other])
            if one.is_number() && other.is_number() =>
        {
            Ok(Type::Bool)
        }
        (op::IN, [one, Type::List { of, each }])
            if of.as_deref().is_none_or(|of| of.compares_with(one)) =>
        {
            for other in each {
                ensure_possible(call, one, other)?;
            }
            Ok(Type::Bool)
        }
        (
            op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::NEGATE,
            [Type::Int { .. } | Type::Double { .. }, ..],
        ) => arithmetic(name, operands),
        (op::ADD, [Type::Text { most, .. }, Type::Text { most: other, .. }]) => {
            let most = most + other;
            if most > MAX_TEXT {
                return Err(format!(
                    "puts texts together to more than {MAX_TEXT} characters; join fewer"
                ));
            }
            Ok(Type::Text { most, values: None })
        }
        ("size", [Type::Text { most, .. }]) => Ok(size(*most)),
        ("size", [Type::List { each, .. }]) => Ok(size(each.len())),
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
        ("string", [Type::Int { .. } | Type::Double { .. }]) if !is_method => Ok(Type::Text {
            most: NUMBER_CHARS,
            values: None,
        }),
        _ => Err(unfit(name, operands)),
    }
}

fn size(most: usize) -> Type {
    Type::Int {
        least: 0,
        most: i128::try_from(most).unwrap_or(i128::MAX),
    }
}

/// Checks that two texts can be equal, so that no comparison with a misspelt value goes unnoticed.
fn ensure_possible(call: &CallExpr, one: &Type, other: &Type) -> Result<Type, String> {
    const MAX_LISTED: usize = 10;
    let (
        Type::Text {
            values: Some(one), ..
        },
        Type::Text {
            values: Some(other),
            ..
        },
    ) = (one, other)
    else {
        return Ok(Type::Bool);
    };
    if one.meets(other) {
        return Ok(Type::Bool);
    }
    // A constant has one value.
    let is_first = one.iter().count() == 1;
    let (constant, known) = if is_first { (one, other) } else { (other, one) };
    let written = constant.iter().next().unwrap_or_default();
    let name = call.args.iter().find_map(|operand| match &operand.expr {
        Expr::Ident(name) => Some(format!("`{name}` ")),
        _ => None,
    });
    let remedy = known.meant(written).map_or_else(
        || "compare it with one of them".to_owned(),
        |meant| format!("did you mean `{meant}`?"),
    );
    let values = known.iter().take(MAX_LISTED);
    let values: Vec<String> = values.map(|value| format!("`{value}`")).collect();
    Err(format!(
        "compares {}with `{written}`, and its values are only {}; {remedy}",
        name.unwrap_or_default(),
        values.join(", ")
    ))
}

/// Returns why there is no such call.
fn unfit(name: &str, operands: &[Type]) -> String {
    let sign: String = name.chars().filter(|c| !matches!(c, '_' | '@')).collect();
    let is_known = FUNCTIONS.contains(&name);
    if name.starts_with(|c: char| c.is_alphabetic()) && !is_known || sign == "[]" || sign == "%" {
        let functions: Vec<String> = FUNCTIONS.iter().map(|it| format!("`{it}`")).collect();
        return format!(
            "calls `{name}`, which flows do not have; use operators and {}",
            functions.join(", ")
        );
    }
    let operands: Vec<&str> = operands.iter().map(Type::name).collect();
    format!(
        "applies `{sign}` to {}, which it does not take; number fields have decimals: write constants beside them as 2.0, and int(…) around the result",
        operands.join(" and ")
    )
}
