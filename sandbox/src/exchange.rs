//! Handles a vendor's request: counts it, checks credentials and limits, plays a fault, responds.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::ConnectInfo;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::connection::Connection;
use crate::endpoint::{Endpoint, Vendor};
use crate::fault::{Effect, ErrorBody};
use crate::lock::lock;
use crate::request::bearer;
use crate::vendor_error::vendor_error;
use crate::vendor_response::VendorResponse;
use crate::{graph, hubspot, salesforce, wasender};

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
            .map_err(IntoResponse::into_response)?;
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
            Vendor::Graph => graph::admission::refuse(app, &self.headers),
            Vendor::Hubspot => hubspot::admission::refuse(app, endpoint, &self.headers),
            Vendor::Salesforce => salesforce::admission::refuse(app, endpoint, &self.headers),
            Vendor::Wasender => wasender::admission::refuse(app, endpoint, &self.headers),
        };
        let response = match refusal {
            Some(response) => response,
            None => self.play(endpoint, keys, handle).await,
        };
        let response = match endpoint.vendor() {
            Vendor::Graph => response,
            Vendor::Hubspot => hubspot::admission::with_limits(app, endpoint, response),
            Vendor::Salesforce => salesforce::admission::with_limits(app, response),
            Vendor::Wasender => wasender::admission::with_limits(app, &self.headers, response),
        };
        match response {
            VendorResponse::Complete(answer) => {
                lock(&app.stats).count_outcome(endpoint, &answer.status.to_string());
                answer.into_response()
            }
            VendorResponse::Torn(answer) => {
                lock(&app.stats).count_outcome(endpoint, "torn");
                let app = Arc::clone(&self.app);
                answer.into_torn_response(async move { app.pause(None).await })
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
            | Effect::OptionGone { .. }
            | Effect::UntracedError
            | Effect::Omitted
            | Effect::SilentNoOp
            | Effect::FailedStatus { .. }
            | Effect::Held
            | Effect::Statuses { .. } => None,
            whole => Some(whole.clone()),
        });
        match effect {
            Some(Effect::Status {
                status,
                code,
                retry_after_s,
                body,
            }) => {
                let response = ordered(app, endpoint, status, code.as_deref(), body);
                match retry_after_s {
                    Some(seconds) => {
                        response.with_header_instead("retry-after", seconds.to_string())
                    }
                    None => response,
                }
            }
            Some(Effect::Intercepted {
                applied,
                status,
                retry_after,
                body,
            }) => {
                if applied {
                    handle();
                }
                let mut response = ordered(app, endpoint, status, None, body);
                if (300..400).contains(&status) {
                    response = response.with_header("location", "http://elsewhere.invalid/");
                }
                match retry_after {
                    Some(value) => response.with_header_instead("retry-after", value),
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
                vendor_error(&app.config, endpoint, 401, None)
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

/// Returns an ordered response.
fn ordered(
    app: &App,
    endpoint: Endpoint,
    status: u16,
    code: Option<&str>,
    body: ErrorBody,
) -> VendorResponse {
    match body {
        ErrorBody::Vendor => vendor_error(&app.config, endpoint, status, code),
        ErrorBody::Html => VendorResponse::html(status),
        ErrorBody::Json(body) => VendorResponse::json(status, body),
        ErrorBody::Text(text) => VendorResponse::text(status, text),
        ErrorBody::Filler(bytes) => VendorResponse::text(status, " ".repeat(bytes)),
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
