//! Handles a vendor's request: counts it, checks credentials and limits, plays a fault, responds.
//! Holds the state that all handlers share.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::connect_info::ConnectInfo;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{SandboxConfig, Webhook};
use crate::connection::Connection;
use crate::credentials::Credentials;
use crate::fault::{Effect, Endpoint, ErrorBody, Faults, Vendor};
use crate::received::{Received, ReceivedRecord};
use crate::state::{Change, Store};
use crate::stats::Stats;
use crate::status::Receipt;
use crate::usage::Usage;
use crate::vendor_response::VendorResponse;
use crate::{graph, hubspot, salesforce};

/// The state that all handlers share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: SandboxConfig,
    /// Base URL of the sandbox.
    pub(crate) url: String,
    pub(crate) store: Mutex<Store>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) stats: Mutex<Stats>,
    pub(crate) webhook: Mutex<Option<Webhook>>,
    /// Times of HubSpot's requests within the last ten seconds.
    pub(crate) window: Mutex<VecDeque<Instant>>,
    pub(crate) hubspot_usage: Usage,
    pub(crate) salesforce_usage: Usage,
    pub(crate) received: Mutex<Received>,
    /// Times of HubSpot's searches within the last second.
    pub(crate) searches: Mutex<VecDeque<Instant>>,
    /// The credentials that the CRMs accept now.
    pub(crate) credentials: Mutex<Credentials>,
    /// Access tokens of HubSpot's OAuth app, and the time at which each expires.
    pub(crate) hubspot_tokens: Mutex<VecDeque<(String, Instant)>>,
    /// Groups of HubSpot's contact properties.
    pub(crate) property_groups: Mutex<BTreeSet<String>>,
    /// Salesforce's Lead object. Locked before the store.
    pub(crate) organisation: Mutex<salesforce::Organisation>,
    /// Valid access tokens of Salesforce.
    pub(crate) sessions: Mutex<HashSet<String>>,
    /// Notifies of an accepted message.
    pub(crate) accepted: Notify,
    /// Notifies held connections that they must close.
    pub(crate) released: Notify,
    pub(crate) receipts: mpsc::Sender<Receipt>,
    pub(crate) stop: CancellationToken,
}

/// Locks. A value that a panicking thread left is used as it is, because every change is made at
/// once.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl App {
    /// Writes and applies the changes of a request. Returns the vendor's error if the disk is full.
    pub(crate) fn commit(
        &self,
        store: &mut Store,
        endpoint: Endpoint,
        changes: Vec<Change>,
    ) -> Result<(), VendorResponse> {
        store.commit(changes).map_err(|error| {
            tracing::error!(%error, "cannot write the sandbox's state file");
            vendor_error(self, endpoint, 500, None)
        })
    }

    /// Records an upsert, whatever its result.
    pub(crate) fn receive(&self, endpoint: Endpoint, records: Vec<ReceivedRecord>) {
        lock(&self.received).add(endpoint, records);
    }

    /// Runs `work` after so many milliseconds, unless the sandbox stops before.
    pub(crate) fn later(self: &Arc<Self>, ms: u64, work: impl FnOnce(&Self) + Send + 'static) {
        let app = Arc::clone(self);
        tokio::spawn(async move {
            let pause = tokio::time::sleep(Duration::from_millis(ms));
            if app.stop.run_until_cancelled(pause).await.is_some() {
                work(&app);
            }
        });
    }

    pub(crate) async fn pause(&self, for_ms: Option<u64>) {
        let end = async {
            match for_ms {
                Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = end => {}
            () = self.released.notified() => {}
            () = self.stop.cancelled() => {}
        }
    }
}

/// Returns the bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

/// Returns the fields of a form's body, which has the format of a query.
pub(crate) fn form<T: serde::de::DeserializeOwned>(body: &[u8]) -> Option<T> {
    let form = std::str::from_utf8(body).ok()?;
    let uri = format!("/?{form}").parse::<Uri>().ok()?;
    let Query(form) = Query::try_from_uri(&uri).ok()?;
    Some(form)
}

/// A vendor's request that is being answered.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) app: Arc<App>,
    pub(crate) headers: HeaderMap,
    connection: Connection,
}

impl FromRequestParts<Arc<App>> for Exchange {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let ConnectInfo(connection) = ConnectInfo::<Connection>::from_request_parts(parts, app)
            .await
            .map_err(axum::response::IntoResponse::into_response)?;
        let Ok(State(app)) = State::<Arc<App>>::from_request_parts(parts, app).await;
        Ok(Self {
            app,
            headers: parts.headers.clone(),
            connection,
        })
    }
}

impl Exchange {
    /// Counts the request, then refuses it as the vendor would (credentials, limits). Otherwise
    /// plays the fault ordered for it, or else responds with `handle`. `keys` are the records that
    /// it concerns.
    pub(crate) async fn run(
        &self,
        endpoint: Endpoint,
        keys: &[&str],
        handle: impl FnOnce() -> VendorResponse + Send,
    ) -> Response {
        let app = &*self.app;
        lock(&app.stats).count_request(endpoint, keys.len());
        let refusal = match endpoint.vendor() {
            Vendor::Graph => graph::refuse(app, &self.headers),
            Vendor::Hubspot => hubspot::refuse(app, endpoint, &self.headers),
            Vendor::Salesforce => salesforce::refuse(app, endpoint, &self.headers),
        };
        let response = match refusal {
            Some(response) => response,
            None => self.play(endpoint, keys, handle).await,
        };
        let response = match endpoint.vendor() {
            Vendor::Graph => response,
            Vendor::Hubspot => hubspot::with_limits(app, endpoint, response),
            Vendor::Salesforce => salesforce::with_limits(app, response),
        };
        match response {
            VendorResponse::Complete(answer) => {
                lock(&app.stats).count_outcome(endpoint, &answer.status.to_string());
                answer.into_response()
            }
            VendorResponse::Torn(answer) => {
                lock(&app.stats).count_outcome(endpoint, "torn");
                answer.into_torn_response(Arc::clone(&self.app))
            }
            VendorResponse::Silence => {
                lock(&app.stats).count_outcome(endpoint, "unanswered");
                app.pause(None).await;
                self.sever()
            }
            VendorResponse::Sever => self.sever(),
        }
    }

    fn sever(&self) -> Response {
        self.connection.sever();
        StatusCode::OK.into_response()
    }

    async fn play(
        &self,
        endpoint: Endpoint,
        keys: &[&str],
        handle: impl FnOnce() -> VendorResponse + Send,
    ) -> VendorResponse {
        let app = &*self.app;
        // The other faults concern parts of a request; the handler plays them.
        let effect = lock(&app.faults).consume(endpoint, keys, |effect| match effect {
            Effect::AppliedLate { .. }
            | Effect::RecordError { .. }
            | Effect::UntracedError
            | Effect::Omitted
            | Effect::SilentNoOp
            | Effect::FailedStatus { .. } => None,
            whole => Some(whole.clone()),
        });
        match effect {
            Some(Effect::Status {
                status,
                code,
                retry_after_s,
                body,
            }) => {
                let response = match body {
                    ErrorBody::Vendor => vendor_error(app, endpoint, status, code.as_deref()),
                    ErrorBody::Html => VendorResponse::html(status),
                    ErrorBody::Json(body) => VendorResponse::json(status, body),
                };
                match retry_after_s {
                    Some(seconds) => {
                        response.with_header_instead("retry-after", seconds.to_string())
                    }
                    None => response,
                }
            }
            Some(Effect::Hold { applied, for_ms }) => {
                self.leave_unanswered(endpoint, applied, handle);
                app.pause(for_ms).await;
                VendorResponse::Sever
            }
            Some(Effect::Close { applied }) => {
                self.leave_unanswered(endpoint, applied, handle);
                VendorResponse::Sever
            }
            Some(Effect::Delay { ms }) => {
                let abandoned = CountIfAbandoned { app, endpoint };
                let pause = tokio::time::sleep(Duration::from_millis(ms));
                let waited = app.stop.run_until_cancelled(pause).await;
                std::mem::forget(abandoned);
                match waited {
                    Some(()) => handle(),
                    None => VendorResponse::Sever,
                }
            }
            Some(Effect::TornAnswer) => handle().torn(),
            Some(Effect::TokenExpired) => {
                if let Some(token) = bearer(&self.headers) {
                    lock(&app.sessions).remove(token);
                    lock(&app.hubspot_tokens).retain(|(known, _)| known != token);
                }
                vendor_error(app, endpoint, 401, None)
            }
            _ => handle(),
        }
    }

    /// Counts at once, because the client may end the wait before the connection closes.
    fn leave_unanswered(
        &self,
        endpoint: Endpoint,
        applied: bool,
        handle: impl FnOnce() -> VendorResponse,
    ) {
        if applied {
            handle();
        }
        lock(&self.app.stats).count_outcome(endpoint, "unanswered");
    }
}

/// Counts a request whose client disconnected before the response: the server then drops its
/// handler.
struct CountIfAbandoned<'a> {
    app: &'a App,
    endpoint: Endpoint,
}

impl Drop for CountIfAbandoned<'_> {
    fn drop(&mut self) {
        lock(&self.app.stats).count_outcome(self.endpoint, "abandoned");
    }
}

/// Returns an error in the words of the endpoint's vendor.
pub(crate) fn vendor_error(
    app: &App,
    endpoint: Endpoint,
    status: u16,
    code: Option<&str>,
) -> VendorResponse {
    match endpoint.vendor() {
        Vendor::Graph => graph::error(status, code),
        Vendor::Hubspot => hubspot::error(status, code),
        Vendor::Salesforce => salesforce::error(app, endpoint, status, code),
    }
}
