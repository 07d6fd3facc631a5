//! Formats the samples of all rounds as one table. Pure.

use std::fmt::Write;

use serde::Serialize;

use super::machine::Machine;
use super::measurement::{Figure, Sample};

/// The output of the command.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    /// Sizes and counts of the load.
    pub(super) load: String,
    pub(super) figures: Vec<Row>,
    /// Notes on missing figures, with reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
}

/// A figure over all rounds.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Row {
    name: &'static str,
    unit: &'static str,
    samples: Vec<f64>,
    median: f64,
    min: f64,
    max: f64,
    bounds: Vec<Bound>,
    /// Median of the machine's busy cores.
    cores_busy: Option<f64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    bounded_by: &'static str,
}

/// A figure with which another is compared.
#[derive(Debug, PartialEq, Serialize)]
struct Bound {
    name: &'static str,
    /// Median by median.
    ratio: f64,
}

/// Returns one row for each measured figure.
pub(super) fn rows(samples: &[Sample]) -> Vec<Row> {
    let mut figures: Vec<Figure> = samples.iter().map(|sample| sample.figure).collect();
    figures.sort_unstable();
    figures.dedup();
    figures
        .into_iter()
        .filter_map(|figure| row(figure, samples))
        .collect()
}

fn row(figure: Figure, samples: &[Sample]) -> Option<Row> {
    let of = |figure: Figure| samples.iter().filter(move |sample| sample.figure == figure);
    let values: Vec<f64> = of(figure).map(|sample| sample.value).collect();
    let middle = median(&values)?;
    let spec = figure.spec();
    let bounds = spec.bounds.iter().filter_map(|bound: &Figure| {
        let values: Vec<f64> = of(*bound).map(|sample| sample.value).collect();
        Some(Bound {
            name: bound.spec().name,
            ratio: middle / median(&values)?,
        })
    });
    let cores: Vec<f64> = of(figure).filter_map(|sample| sample.cores).collect();
    Some(Row {
        name: spec.name,
        unit: spec.unit,
        median: middle,
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        samples: values,
        bounds: bounds.collect(),
        cores_busy: median(&cores),
        bounded_by: spec.bounded_by,
    })
}

/// Returns the median, for an even number the mean of the middle two; `None` if there are no
/// values.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

impl Report {
    /// Returns a Markdown table, with the machine above it and the bound of each figure below.
    pub(super) fn text(&self) -> String {
        let mut cells = vec![
            [
                "figure",
                "median",
                "min – max",
                "unit",
                "bound",
                "cores busy",
            ]
            .map(str::to_owned),
        ];
        cells.extend(self.figures.iter().flat_map(Row::lines));
        let widths: Vec<usize> = (0..6)
            .map(|column| {
                let lengths = cells.iter().map(|row| row[column].chars().count());
                lengths.max().unwrap_or_default()
            })
            .collect();
        let rule = widths.iter().map(|width| "-".repeat(width + 2));
        let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
        let mut text = format!("{}\n{}\n\n", self.machine.line(), self.load);
        for (index, row) in cells.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                write!(text, "| {cell:<width$} ").unwrap_or_default();
            }
            text.push_str("|\n");
            if index == 0 {
                text.push_str(&rule);
            }
        }
        for note in &self.notes {
            writeln!(text, "\n{note}.").unwrap_or_default();
        }
        text.push_str("\nWhat bounds them:\n");
        for row in self.figures.iter().filter(|row| !row.bounded_by.is_empty()) {
            writeln!(text, "- {}: {}", row.name, row.bounded_by).unwrap_or_default();
        }
        text
    }
}

impl Row {
    /// Returns a line of cells, and one more line for each bound after the first.
    fn lines(&self) -> Vec<[String; 6]> {
        let cores = self.cores_busy.map(|cores| format!("{cores:.1}"));
        let mut bounds = self.bounds.iter().map(|bound| bound.cell(self.unit));
        let first = [
            self.name.to_owned(),
            number(self.median),
            format!("{} – {}", number(self.min), number(self.max)),
            self.unit.to_owned(),
            bounds.next().unwrap_or_default(),
            cores.unwrap_or_default(),
        ];
        let mut lines = vec![first];
        lines.extend(bounds.map(|bound| {
            let mut line = <[String; 6]>::default();
            line[4] = bound;
            line
        }));
        lines
    }
}

impl Bound {
    /// Returns the ratio to the bound: a multiple for a cost, a percentage for a rate.
    fn cell(&self, unit: &str) -> String {
        let ratio = match unit {
            "ms" | "µs/request" => format!("{} ×", number(self.ratio)),
            "inputs/s" if self.ratio > 1.2 => format!("{} ×", number(self.ratio)),
            _ => format!("{} % of", number(self.ratio * 100.0)),
        };
        // "… bare handler's own CPU" is a part where it stands, not here.
        format!("{ratio} {}", self.name.trim_start_matches("… "))
    }
}

/// Returns three significant digits; whole numbers in full with commas.
pub(super) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let plain = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut text = String::new();
    if value < 0.0 {
        text.push('-');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Report, median, number, rows};
    use crate::machine::Machine;
    use crate::measurement::{Contender, Figure, Part, Sample, Traffic};

    const PROCESSOR: Figure = Figure::Drain(Traffic::Uniform, Contender::Processor, Part::Rate);

    fn samples() -> Vec<Sample> {
        let busy = |figure, value, cores| Sample {
            cores: Some(cores),
            ..Sample::new(figure, value)
        };
        vec![
            busy(PROCESSOR, 20_000.0, 2.0),
            busy(Figure::Sql, 40_000.0, 1.0),
            Sample::new(Figure::LatencyP50, 8.0),
            Sample::new(Figure::CommitAlone, 2.0),
            busy(PROCESSOR, 10_000.0, 1.5),
            busy(Figure::Sql, 30_000.0, 1.0),
            busy(PROCESSOR, 30_000.0, 1.8),
        ]
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_figure_is_shown_with_its_bound() {
        let rows = rows(&samples());
        let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
        assert_eq!(
            names,
            [
                "same SQL batches, no Kafka",
                "processor",
                "one input committed alone",
                "200 to committed row, p50",
            ]
        );
        let processor = &rows[1];
        assert_eq!(
            (processor.min, processor.median, processor.max),
            (10_000.0, 20_000.0, 30_000.0)
        );
        assert_eq!(processor.samples, [20_000.0, 10_000.0, 30_000.0]);
        assert_eq!(processor.cores_busy, Some(1.8));
        let [bound] = processor.bounds.as_slice() else {
            panic!("{:?}", processor.bounds);
        };
        assert_eq!(bound.name, rows[0].name);
        assert!((bound.ratio - 20.0 / 35.0).abs() < 1e-9, "{}", bound.ratio);
    }

    #[test]
    fn a_figure_without_a_measured_bound_is_shown_alone() {
        let rows = rows(&[Sample::new(Figure::Webhooks, 1.0)]);
        assert_eq!((rows.len(), rows[0].bounds.len()), (1, 0));
    }

    #[test]
    fn each_further_bound_has_a_line_of_its_own() {
        let rows = rows(&[
            Sample::new(Figure::Producer, 100_000.0),
            Sample::new(Figure::Bare, 40_000.0),
            Sample::new(Figure::Webhooks, 10_000.0),
        ]);
        let lines = rows[2].lines();
        let bounds: Vec<&str> = lines.iter().map(|line| line[4].as_str()).collect();
        assert_eq!(
            bounds,
            [
                "25.0 % of bare handler, signature only",
                "10.0 % of raw producer"
            ]
        );
        assert!(lines[1][..4].iter().all(String::is_empty));
    }

    #[test]
    fn the_table_is_markdown_of_even_columns() {
        let report = Report {
            machine: Machine::here(),
            load: "a load".to_owned(),
            figures: rows(&samples()),
            notes: vec!["something was left out".to_owned()],
        };
        let text = report.text();
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 6);
        let width = table[0].chars().count();
        assert!(table.iter().all(|line| line.chars().count() == width));
        assert!(table[3].contains("| 57.1 % of same SQL batches, no Kafka | 1.8 "));
        assert!(table[5].contains("| 4.00 × one input committed alone "));
    }

    #[test]
    fn numbers_keep_three_digits() {
        let shown = [0.0123, 2.0, 34.56, 999.4, 12_345.6, -234_567.0].map(number);
        assert_eq!(
            shown,
            ["0.012", "2.00", "34.6", "999", "12,346", "-234,567"]
        );
    }
}
