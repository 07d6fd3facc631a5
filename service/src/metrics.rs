//! Tables of metrics. A service lists each metric once, with [`metric_table!`](crate::metric_table):
//! handles, the `# HELP` lines of `/metrics` and `docs/reference/metrics.md` come from the table.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ::metrics::{Key, KeyName, Label, Level, Metadata, Recorder, with_recorder};

pub use ::metrics::{Counter, Gauge, Histogram};

/// The type of a metric in the Prometheus format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The values of a label.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    Known(&'static [&'static str]),
    /// The values come from outside or from settings. The text describes them.
    Open(&'static str),
}

/// A row of a table of metrics.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [(&'static str, Values)],
    pub help: &'static str,
}

const METADATA: Metadata<'_> = Metadata::new(module_path!(), Level::INFO, None);

impl Metric {
    fn register<H>(
        &self,
        values: &[&str],
        register: impl FnOnce(&dyn Recorder, KeyName, String, &Key) -> H,
    ) -> H {
        debug_assert_eq!(self.labels.len(), values.len(), "{}", self.name);
        let labels = self.labels.iter().zip(values);
        let labels: Vec<Label> = labels
            .map(|((name, _), value)| Label::new(*name, (*value).to_owned()))
            .collect();
        let key = Key::from_parts(self.name, labels);
        let name = KeyName::from_const_str(self.name);
        with_recorder(|recorder| register(recorder, name, self.help_line(), &key))
    }

    /// Describes a metric that others update.
    pub(crate) fn describe(&self) {
        let (name, help) = (KeyName::from_const_str(self.name), self.help_line().into());
        with_recorder(|recorder| match self.kind {
            Kind::Counter => recorder.describe_counter(name, None, help),
            Kind::Gauge => recorder.describe_gauge(name, None, help),
            Kind::Histogram => recorder.describe_histogram(name, None, help),
        });
    }

    /// Returns the description with the values of each label, for `# HELP`.
    fn help_line(&self) -> String {
        let labels = self.labels.iter().map(|(label, values)| match values {
            Values::Known(values) => format!(" {label}: {}.", values.join(", ")),
            Values::Open(text) => format!(" {label}: {text}."),
        });
        std::iter::once(self.help.to_owned())
            .chain(labels)
            .collect()
    }
}

/// A handle that updates a metric. `values` has the values of the metric's first labels.
pub trait Handle {
    const KIND: Kind;

    fn register(metric: &Metric, values: &[&str]) -> Self;
}

impl Handle for Counter {
    const KIND: Kind = Kind::Counter;

    fn register(metric: &Metric, values: &[&str]) -> Self {
        metric.register(values, |recorder, name, help, key| {
            recorder.describe_counter(name, None, help.into());
            recorder.register_counter(key, &METADATA)
        })
    }
}

impl Handle for Gauge {
    const KIND: Kind = Kind::Gauge;

    fn register(metric: &Metric, values: &[&str]) -> Self {
        metric.register(values, |recorder, name, help, key| {
            recorder.describe_gauge(name, None, help.into());
            recorder.register_gauge(key, &METADATA)
        })
    }
}

impl Handle for Histogram {
    const KIND: Kind = Kind::Histogram;

    fn register(metric: &Metric, values: &[&str]) -> Self {
        metric.register(values, |recorder, name, help, key| {
            recorder.describe_histogram(name, None, help.into());
            recorder.register_histogram(key, &METADATA)
        })
    }
}

/// Handles of one metric, one for each known value of its last label.
#[derive(Clone, Debug)]
pub struct ByLabel<H>(Vec<(&'static str, H)>);

impl<H: Handle> Handle for ByLabel<H> {
    const KIND: Kind = H::KIND;

    fn register(metric: &Metric, values: &[&str]) -> Self {
        let known = match metric.labels.last() {
            Some((_, Values::Known(known))) => *known,
            _ => &[],
        };
        let handle = |value| (value, H::register(metric, &[values, &[value]].concat()));
        Self(known.iter().copied().map(handle).collect())
    }
}

impl ByLabel<Counter> {
    /// Adds `count` to the counter of `value`, which the table has to list.
    pub fn add(&self, value: &str, count: u64) {
        let counter = self.0.iter().find(|(known, _)| *known == value);
        debug_assert!(counter.is_some(), "no table of metrics lists {value}");
        if let Some((_, counter)) = counter {
            counter.increment(count);
        }
    }
}

impl ByLabel<Gauge> {
    /// Sets the gauge of `value`, which the table has to list.
    pub fn set(&self, value: &str, to: f64) {
        let gauge = self.0.iter().find(|(known, _)| *known == value);
        debug_assert!(gauge.is_some(), "no table of metrics lists {value}");
        if let Some((_, gauge)) = gauge {
            gauge.set(to);
        }
    }

    /// Sets the gauge of `value` to 1 and the others to 0.
    pub fn select(&self, value: Option<&str>) {
        for (known, gauge) in &self.0 {
            gauge.set(f64::from(u8::from(value == Some(known))));
        }
    }
}

/// The values of an open label that have handles of their own. Callers from outside must not be able
/// to add values without limit.
const MAX_VALUES: usize = 100;

/// Handles of a metric whose last label has open values, made when a value first occurs. Values
/// after the first `MOST` share the handle of `other`.
#[derive(Clone, Debug)]
pub struct Open<H, const MOST: usize = MAX_VALUES> {
    metric: Metric,
    values: Vec<String>,
    handles: Arc<Mutex<BTreeMap<String, H>>>,
}

impl<H: Handle, const MOST: usize> Handle for Open<H, MOST> {
    const KIND: Kind = H::KIND;

    fn register(metric: &Metric, values: &[&str]) -> Self {
        Self {
            metric: *metric,
            values: values.iter().copied().map(str::to_owned).collect(),
            handles: Arc::default(),
        }
    }
}

impl<H: Handle + Clone, const MOST: usize> Open<H, MOST> {
    /// Returns the handle of `value`.
    #[must_use]
    pub fn with(&self, value: &str) -> H {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let known = handles.contains_key(value) || handles.len() < MOST;
        let value = if known { value } else { "other" };
        let handle = handles.entry(value.to_owned()).or_insert_with(|| {
            let before = self.values.iter().map(String::as_str);
            let values: Vec<&str> = before.chain([value]).collect();
            H::register(&self.metric, &values)
        });
        handle.clone()
    }
}

/// Declares a struct of handles, and its table of metrics as `TABLE`. The doc comment of a metric is
/// its description. `new` registers the handles. A label behind the struct's name belongs to every
/// metric, and `new` takes its value.
///
/// ```
/// use leadstream_service::metrics::{ByLabel, Counter};
///
/// leadstream_service::metric_table! {
///     pub(crate) struct Metrics(account: "an account") {
///         /// Requests that were answered.
///         requests: ByLabel<Counter> = "example_requests_total" (status: ["200", "503"]);
///     }
/// }
/// let metrics = Metrics::new(&["eu"]);
/// metrics.requests.add("200", 1);
/// assert_eq!(Metrics::TABLE[0].help, "Requests that were answered.");
/// ```
#[macro_export]
macro_rules! metric_table {
    (@values [$($value:literal),+]) => { $crate::metrics::Values::Known(&[$($value),+]) };
    (@values $text:literal) => { $crate::metrics::Values::Open($text) };
    (@labels ($($first:ident: $values:tt)?) $(($last:ident: $more:tt))?) => {
        &[
            $((stringify!($first), $crate::metric_table!(@values $values)),)?
            $((stringify!($last), $crate::metric_table!(@values $more)),)?
        ]
    };
    (@metric $handle:ty, $name:literal, $labels:expr, $($help:literal)+) => {
        $crate::metrics::Metric {
            name: $name,
            kind: <$handle as $crate::metrics::Handle>::KIND,
            labels: $labels,
            help: concat!($($help),+).trim_ascii_start(),
        }
    };
    ($visibility:vis struct $table:ident $common:tt {
        $($(#[doc = $help:literal])+
        $metric:ident: $handle:ty = $name:literal $(($label:ident: $values:tt))?;)+
    }) => {
        /// Handles of metrics, made once after the recorder was installed.
        #[derive(Clone, Debug)]
        $visibility struct $table {
            $($(#[doc = $help])+ $visibility $metric: $handle,)+
        }

        impl $table {
            $visibility const TABLE: &[$crate::metrics::Metric] = &[$($crate::metric_table!(
                @metric $handle, $name,
                $crate::metric_table!(@labels $common $(($label: $values))?), $($help)+
            )),+];

            /// Registers the metrics. `values` has the values of the labels that all have.
            $visibility fn new(values: &[&str]) -> Self {
                Self {
                    $($metric: $crate::metrics::Handle::register(&$crate::metric_table!(
                        @metric $handle, $name,
                        $crate::metric_table!(@labels $common $(($label: $values))?), $($help)+
                    ), values),)+
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::prometheus;

    crate::metric_table! {
        struct Metrics(crm: "a CRM") {
            /// Requests that were
            /// answered.
            requests: ByLabel<Counter> = "test_requests_total" (result: ["ok", "retry"]);
            /// Time of a request.
            duration: Histogram = "test_request_duration_seconds";
            /// Reason to wait.
            waiting: ByLabel<Gauge> = "test_waiting" (reason: ["fault", "halt"]);
            /// Owned partitions.
            owned: Open<Gauge> = "test_owned" (worker: "a number");
        }
    }

    #[test]
    fn a_registered_metric_is_served_at_zero_with_its_description() {
        let recorder = prometheus().unwrap().build_recorder();
        let text = ::metrics::with_local_recorder(&recorder, || {
            let metrics = Metrics::new(&["hubspot"]);
            metrics.requests.add("retry", 2);
            metrics.waiting.select(Some("halt"));
            metrics.owned.with("0").set(6);
            let _ = metrics.duration;
            recorder.handle().render()
        });
        for line in [
            "# HELP test_requests_total Requests that were answered. crm: a CRM. result: ok, retry.",
            "# TYPE test_requests_total counter",
            r#"test_requests_total{crm="hubspot",result="ok"} 0"#,
            r#"test_requests_total{crm="hubspot",result="retry"} 2"#,
            "# HELP test_request_duration_seconds Time of a request. crm: a CRM.",
            r#"test_request_duration_seconds_count{crm="hubspot"} 0"#,
            r#"test_waiting{crm="hubspot",reason="fault"} 0"#,
            r#"test_waiting{crm="hubspot",reason="halt"} 1"#,
            r#"test_owned{crm="hubspot",worker="0"} 6"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        }
        let kinds = Metrics::TABLE.iter().map(|metric| metric.kind);
        let expected = [Kind::Counter, Kind::Histogram, Kind::Gauge, Kind::Gauge];
        assert!(kinds.eq(expected));
    }
}
