//! Limits of clients: time for a request, requests in flight, and a rate per token.

use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http_body_util::LengthLimitError;
use tokio::sync::Semaphore;

use crate::problem::{Place, Problem};

/// A command is a few KiB at most.
const MAX_BODY: usize = 64 * 1024;

leadstream_service::http_limit_args!(
    LimitArgs,
    flags: "api",
    variables: "API",
    max_requests: 64,
    max_connections: 512
);

/// Limits that all clients share.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    /// Permits of requests in flight, from the end of the body to the response.
    in_flight: Arc<Semaphore>,
    body_timeout: Duration,
}

impl Requests {
    pub(crate) fn new(limits: &LimitArgs) -> Self {
        Self {
            in_flight: Arc::new(Semaphore::new(limits.max_requests as usize)),
            body_timeout: limits.body_timeout,
        }
    }

    /// Applies the limits to `router`.
    pub(crate) fn limit(self, router: Router) -> Router {
        router.layer(from_fn_with_state(self, within))
    }
}

/// Reads the body before it takes a permit, so that a slow client holds none.
async fn within(State(limits): State<Requests>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let body = match tokio::time::timeout(limits.body_timeout, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if is_too_long(&error) => {
            return Problem::body_too_large(MAX_BODY).into_response();
        }
        Ok(Err(_)) => {
            return Problem::invalid_request(Place::None, "the body ended early").into_response();
        }
        Err(_) => return Problem::body_timeout(limits.body_timeout).into_response(),
    };
    let Ok(_permit) = limits.in_flight.try_acquire() else {
        return Problem::overloaded().into_response();
    };
    next.run(Request::from_parts(head, Body::from(body))).await
}

fn is_too_long(error: &axum::Error) -> bool {
    error
        .source()
        .is_some_and(<dyn Error>::is::<LengthLimitError>)
}

/// The rate limit of each token, by the token's name.
pub(crate) struct Rates<C: Clock = DefaultClock> {
    limiter: RateLimiter<String, HashMapStateStore<String>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
}

impl<C: Clock + Clone> Rates<C> {
    pub(crate) fn new(per_second: NonZeroU32, clock: C) -> Self {
        let quota = Quota::per_second(per_second);
        let limiter = RateLimiter::new(quota, HashMapStateStore::default(), clock.clone());
        Self { limiter, clock }
    }

    /// Counts a request of the token `name`.
    ///
    /// # Errors
    /// Returns a 429 with the time to wait if the token exceeded its rate.
    pub(crate) fn count(&self, name: &str) -> Result<(), Problem> {
        let counted = self.limiter.check_key(&name.to_owned());
        counted.map_err(|early| Problem::too_many(early.wait_time_from(self.clock.now())))
    }
}

#[cfg(test)]
mod tests;
