//! Compares `docs/reference/metrics.md` with the services' tables of metrics.
//! `UPDATE_REFERENCE=1 cargo test -p leadstream --bin leadstream reference` writes the file.

use std::fmt::Write as _;
use std::path::Path;

use leadstream_service::metrics::{Kind, Metric, Values};

const SERVICES: [(&str, &[&[Metric]]); 7] = [
    (EVERY, leadstream_service::process::METRICS),
    (CONSUMERS, &[leadstream_kafka::consumer::METRICS]),
    ("ingest", leadstream_ingest::metrics::METRICS),
    ("processor", leadstream_processor::METRICS),
    ("sink-crm", leadstream_sink_crm::METRICS),
    ("sink-whatsapp", leadstream_sink_whatsapp::metrics::METRICS),
    ("api", leadstream_api::METRICS),
];

/// The headings of the metrics that several services have.
const EVERY: &str = "Every service";
const CONSUMERS: &str = "processor, sink-crm and sink-whatsapp";

const HEAD: &str = "<!-- Generated; see leadstream/src/tests/metrics_reference.rs. -->

# Metrics

Each service serves its metrics at `/metrics` on `OPS_ADDRESS`, in the Prometheus format.
[Monitoring](../operations/monitoring.md) says which of them to watch.

A counter ends in `_total`. A histogram has the series `_bucket`, `_sum` and `_count`. A metric whose
label values are listed here is present from the start, at 0.
";

fn kind(metric: &Metric) -> &'static str {
    match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    }
}

fn labels(metric: &Metric) -> String {
    let labels = metric.labels.iter().map(|(label, values)| match values {
        Values::Known(values) => {
            let values: Vec<_> = values.iter().map(|it| format!("`{it}`")).collect();
            format!("`{label}`: {}", values.join(", "))
        }
        Values::Open(text) => format!("`{label}`: {text}"),
    });
    let labels: Vec<_> = labels.collect();
    if labels.is_empty() {
        "–".to_owned()
    } else {
        labels.join("; ")
    }
}

fn reference() -> String {
    let mut page = HEAD.to_owned();
    for (service, tables) in SERVICES {
        let _ = write!(
            page,
            "\n## {service}\n\n| name | type | labels | meaning |\n| --- | --- | --- | --- |\n"
        );
        for metric in tables.iter().copied().flatten() {
            let (name, kind, labels) = (metric.name, kind(metric), labels(metric));
            let _ = writeln!(page, "| `{name}` | {kind} | {labels} | {} |", metric.help);
        }
    }
    page
}

#[test]
fn the_reference_of_metrics_is_the_services_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/metrics.md");
    let expected = reference();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == expected,
        "docs/reference/metrics.md differs: run UPDATE_REFERENCE=1 cargo test -p leadstream --bin leadstream reference"
    );
}

#[test]
fn names_of_metrics_have_their_service_and_their_unit() {
    for (service, tables) in SERVICES {
        let prefixes = match service {
            EVERY => vec!["leadstream_build_".to_owned(), "process_".to_owned()],
            CONSUMERS => vec!["leadstream_consumer_".to_owned()],
            _ => vec![format!("leadstream_{}_", service.replace('-', "_"))],
        };
        for metric in tables.iter().copied().flatten() {
            let name = metric.name;
            let has_unit = match metric.kind {
                Kind::Counter => name.ends_with("_total"),
                Kind::Gauge => !name.ends_with("_total"),
                Kind::Histogram => name.ends_with("_seconds") || name.ends_with("_records"),
            };
            let has_prefix = prefixes.iter().any(|prefix| name.starts_with(prefix));
            assert!(has_prefix && has_unit, "{name}");
            assert!(metric.help.ends_with('.'), "{name}: {}", metric.help);
        }
    }
}
