//! Finds the amount that an expression multiplies or divides by plain numbers, so that the result has its
//! currency.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};

use super::{MAX_DEPTH, MAX_SOURCE, depth, parsed};

/// What an expression is made of.
#[derive(Debug, PartialEq)]
enum Part {
    /// A number without a currency.
    Plain,
    /// An amount of this field's currency.
    Amount(String),
    /// Something else.
    Other,
}

/// Returns the one amount of which `source` is a multiple or a part. `amounts` are the fields that may
/// have a currency.
pub(in crate::flow) fn amount(source: &str, amounts: &[&str]) -> Option<String> {
    if source.chars().count() > MAX_SOURCE || !amounts.iter().any(|it| source.contains(*it)) {
        return None;
    }
    let part = parsed(source, |node| {
        depth(node, MAX_DEPTH)?;
        Ok(part(node, amounts))
    });
    match part.ok()?.1 {
        Part::Amount(field) => Some(field),
        Part::Plain | Part::Other => None,
    }
}

fn part(node: &IdedExpr, amounts: &[&str]) -> Part {
    let call = match &node.expr {
        Expr::Ident(name) if amounts.contains(&name.as_str()) => return Part::Amount(name.clone()),
        Expr::Ident(_) | Expr::Literal(LiteralValue::Int(_) | LiteralValue::Double(_)) => {
            return Part::Plain;
        }
        Expr::Call(call) if call.target.is_none() => call,
        _ => return Part::Other,
    };
    let parts: Vec<Part> = call.args.iter().map(|it| part(it, amounts)).collect();
    match (call.func_name.as_str(), parts.as_slice()) {
        ("int" | "double", [Part::Amount(field)])
        | (
            operators::MULTIPLY,
            [Part::Amount(field), Part::Plain] | [Part::Plain, Part::Amount(field)],
        )
        | (operators::DIVIDE, [Part::Amount(field), Part::Plain]) => Part::Amount(field.clone()),
        (operators::ADD | operators::SUBSTRACT, [Part::Amount(one), Part::Amount(other)])
            if one == other =>
        {
            Part::Amount(one.clone())
        }
        ("int" | "double", [Part::Plain])
        | (
            operators::MULTIPLY | operators::DIVIDE | operators::ADD | operators::SUBSTRACT,
            [Part::Plain, Part::Plain],
        ) => Part::Plain,
        _ => Part::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multiple_of_one_amount_is_one() {
        for (source, expected) in [
            ("bill", Some("bill")),
            ("bill * 12.0", Some("bill")),
            ("12.0 * bill", Some("bill")),
            ("bill * people / 2.0", Some("bill")),
            ("int(bill / 3.0) * 2", Some("bill")),
            ("bill + bill * 0.1", Some("bill")),
            ("bill * bill", None),
            ("12.0 / bill", None),
            ("bill / bill", None),
            ("bill + 5.0", None),
            ("bill + rent", None),
            ("people * 2.0", None),
            ("bill > 5.0", None),
            ("bill > 5.0 ? bill : 0.0", None),
            ("bill *", None),
        ] {
            let found = amount(source, &["bill", "rent"]);
            assert_eq!(found.as_deref(), expected, "{source}");
        }
    }
}
