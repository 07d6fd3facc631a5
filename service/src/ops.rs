//! The operators' port: `/health/live`, `/health/ready`, `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use metrics_process::Collector;

/// Prometheus's text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The readiness of each part of a service. The service is ready when every named part is ready and
/// no shutdown has begun.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, Result<(), String>>>>);

impl Health {
    fn parts(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Result<(), String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn ready(&self, part: &'static str) {
        self.parts().insert(part, Ok(()));
    }

    /// Marks a part as not ready. `reason` must hold no secret and no personal data.
    pub fn unready(&self, part: &'static str, reason: impl Into<String>) {
        self.parts().insert(part, Err(reason.into()));
    }

    /// Returns the reasons why the service is not ready, by part; empty if it is ready.
    #[must_use]
    pub fn problems(&self) -> BTreeMap<&'static str, String> {
        self.parts()
            .iter()
            .filter_map(|(part, state)| Some((*part, state.clone().err()?)))
            .collect()
    }
}

pub(crate) fn router(health: Health, metrics: PrometheusHandle, process: Collector) -> Router {
    Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready).with_state(health))
        .route(
            "/metrics",
            get(
                |State((metrics, process)): State<(PrometheusHandle, Collector)>| async move {
                    process.collect();
                    ([(CONTENT_TYPE, TEXT_FORMAT)], metrics.render())
                },
            )
            .with_state((metrics, process)),
        )
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let problems = health.problems();
    if problems.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let text = problems
        .iter()
        .map(|(part, reason)| format!("{part}: {reason}\n"))
        .collect();
    (StatusCode::SERVICE_UNAVAILABLE, text)
}
