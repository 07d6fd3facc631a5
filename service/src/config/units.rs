//! Durations and sizes in settings. Each is written with its unit.

use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use bytesize::ByteSize;

/// Returns a parser of durations such as `10s`, `300ms` or `1h` that lie within `range`.
pub fn duration(
    range: impl RangeBounds<Duration> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| {
        let example = "for example 10s, 300ms or 1h";
        let value = with_unit(text, humantime::parse_duration, example)?;
        within(&range, value, |it| {
            humantime::format_duration(it).to_string()
        })
    }
}

/// Returns a parser of sizes such as `16MiB` that lie within `range`, in bytes.
pub fn size(
    range: impl RangeBounds<usize> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let value = with_unit(text, str::parse::<ByteSize>, "for example 16MiB")?;
        let bytes = usize::try_from(value.as_u64()).unwrap_or(usize::MAX);
        within(&range, bytes, |it| ByteSize::b(it as u64).to_string())
    }
}

/// Refuses a number without a unit. The libraries accept some, such as `0` and `16`.
fn with_unit<T, E>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
    example: &str,
) -> Result<T, String> {
    if text
        .trim_end()
        .ends_with(|last: char| last.is_ascii_digit())
    {
        return Err(format!("the unit is missing; write one, {example}"));
    }
    parse(text).map_err(|_| format!("write a number with its unit, {example}"))
}

fn within<T: Copy + PartialOrd>(
    range: &impl RangeBounds<T>,
    value: T,
    show: impl Fn(T) -> String,
) -> Result<T, String> {
    if range.contains(&value) {
        return Ok(value);
    }
    let limit = |bound: Bound<&T>, word: &str| match bound {
        Bound::Included(limit) | Bound::Excluded(limit) => Some(format!("{word} {}", show(*limit))),
        Bound::Unbounded => None,
    };
    let limits = [
        limit(range.start_bound(), "at least"),
        limit(range.end_bound(), "at most"),
    ];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    Err(format!("write {}", limits.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn a_duration_has_a_unit_and_keeps_to_its_range() {
        let parse = duration(Duration::from_secs(1)..=Duration::from_secs(120));
        assert_eq!(parse("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("1m 30s"), Ok(Duration::from_secs(90)));
        for (text, problem) in [
            ("10", "the unit is missing; write one, for example 10s"),
            ("1m30", "the unit is missing"),
            ("0", "the unit is missing"),
            ("", "write a number with its unit, for example 10s"),
            ("soon", "write a number with its unit"),
            ("-1s", "write a number with its unit"),
            ("300ms", "write at least 1s and at most 2m"),
            ("1h", "write at least 1s and at most 2m"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
        assert_eq!(duration(..)("0s"), Ok(Duration::ZERO));
        assert_eq!(duration(..)("365d"), Ok(Duration::from_secs(365 * 86_400)));
    }

    #[test]
    fn a_size_has_a_unit_and_keeps_to_its_range() {
        let parse = size(MIB..=32 * MIB);
        assert_eq!(parse("16MiB"), Ok(16 * MIB));
        assert_eq!(parse("1.5 MiB"), Ok(MIB + MIB / 2));
        assert_eq!(parse("2000kB"), Ok(2_000_000));
        for (text, problem) in [
            ("16", "the unit is missing; write one, for example 16MiB"),
            ("16 bytes?", "write a number with its unit"),
            ("512KiB", "write at least 1.0 MiB and at most 32.0 MiB"),
            ("1GiB", "write at least 1.0 MiB and at most 32.0 MiB"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
        assert_eq!(size(..)("0B"), Ok(0));
    }
}
