//! The periods of amounts, and their conversion.

/// The times in which an amount is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Hour,
    Day,
    Week,
    Fortnight,
    HalfMonth,
    Month,
    TwoMonths,
    Quarter,
    HalfYear,
    Year,
}

impl Period {
    /// Returns how many there are in a year; none for hours, because nobody works through all of them.
    const fn per_year(self) -> Option<u64> {
        Some(match self {
            Self::Hour => return None,
            Self::Day => 365,
            Self::Week => 52,
            Self::Fortnight => 26,
            Self::HalfMonth => 24,
            Self::Month => 12,
            Self::TwoMonths => 6,
            Self::Quarter => 4,
            Self::HalfYear => 2,
            Self::Year => 1,
        })
    }

    /// Returns the fraction by which an amount of `self` becomes one of `other`.
    pub(super) fn to(self, other: Self) -> Option<(u64, u64)> {
        if self == other {
            return Some((1, 1));
        }
        Some((self.per_year()?, other.per_year()?))
    }
}
