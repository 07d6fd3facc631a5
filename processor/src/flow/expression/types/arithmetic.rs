//! The types of arithmetic, with the bounds of its result.

use cel::common::ast::operators;

use super::{Type, unfit};

/// The greatest double, so that none becomes infinite.
const MAX_DOUBLE: f64 = 1e300;

pub(super) fn arithmetic(name: &str, operands: &[Type]) -> Result<Type, String> {
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

pub(super) fn double(least: f64, most: f64) -> Result<Type, String> {
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
pub(super) fn whole(least: f64, most: f64) -> Result<Type, String> {
    const LIMIT: f64 = 9.0e18;
    if least < -LIMIT || most > LIMIT {
        return Err("makes a whole number of what could be beyond their limits; divide it, or set `max` for the answer".into());
    }
    int(&[least.floor() as i128, most.ceil() as i128])
}
