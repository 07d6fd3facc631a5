//! Computes spread and slope of samples. Pure.

use crate::report::median;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

/// Returns `None` for no values.
pub(super) fn spread(values: &[f64]) -> Option<Spread> {
    Some(Spread {
        median: median(values)?,
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}

/// The rise from one value to the next, by least squares; `None` of fewer than two.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(super) fn slope(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let count = values.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / count;
    let (mut along, mut squares) = (0.0, 0.0);
    for (index, value) in values.iter().enumerate() {
        let from_middle = index as f64 - middle;
        along += from_middle * (value - mean);
        squares += from_middle * from_middle;
    }
    Some(along / squares)
}

#[cfg(test)]
mod tests {
    use super::{Spread, slope, spread};

    #[test]
    fn the_spread_is_median_least_and_most() {
        assert_eq!(spread(&[]), None);
        let expected = Spread {
            median: 3.0,
            min: 1.0,
            max: 9.0,
        };
        assert_eq!(spread(&[9.0, 1.0, 3.0]), Some(expected));
    }

    #[test]
    fn the_slope_is_of_the_line_through_all() {
        assert_eq!((slope(&[]), slope(&[1.0])), (None, None));
        assert_eq!(slope(&[5.0, 5.0, 5.0]), Some(0.0));
        assert_eq!(slope(&[1.0, 3.0, 5.0, 7.0]), Some(2.0));
        // One peak in the middle is no growth.
        assert_eq!(slope(&[1.0, 9.0, 1.0]), Some(0.0));
    }
}
