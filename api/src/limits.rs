//! How much of the API clients may take: time for a request, room for all, a rate for each token.

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
use leadstream_service::server;
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// A command is a few KiB at most.
const MAX_BODY: usize = 64 * 1024;

/// What the API gives its clients.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Requests under way at once; past it the answer is 503
    #[arg(
        long,
        env = "API_MAX_REQUESTS",
        default_value_t = 64,
        value_name = "COUNT"
    )]
    api_max_requests: usize,
    /// Requests a second of one token, as many of them at once; past it the answer is 429
    #[arg(
        long,
        env = "API_REQUESTS_PER_SECOND",
        default_value = "50",
        value_name = "COUNT"
    )]
    api_requests_per_second: NonZeroU32,
    /// Open connections; more are answered 503
    #[arg(
        long,
        env = "API_MAX_CONNECTIONS",
        default_value_t = 512,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(8..=100_000)
    )]
    api_max_connections: u32,
    /// Seconds that a client has to send a request's head; an idle connection is closed after
    /// them, too
    #[arg(
        long,
        env = "API_HEADER_TIMEOUT_SECONDS",
        default_value_t = 5,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    api_header_timeout_seconds: u64,
    /// Seconds that a client has to send a request's body
    #[arg(
        long,
        env = "API_BODY_TIMEOUT_SECONDS",
        default_value_t = 10,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    api_body_timeout_seconds: u64,
}

impl LimitArgs {
    /// Of connections. Who sends a command again is answered as before, so none is waited for.
    pub(crate) const fn connections(&self) -> server::Limits {
        server::Limits {
            connections: self.api_max_connections as usize,
            header_timeout: Duration::from_secs(self.api_header_timeout_seconds),
            drain: Duration::ZERO,
        }
    }

    /// Of requests.
    pub(crate) fn requests(&self) -> Requests {
        Requests {
            room: Arc::new(Semaphore::new(self.api_max_requests.max(1))),
            body_timeout: Duration::from_secs(self.api_body_timeout_seconds),
        }
    }

    pub(crate) fn rates(&self) -> Rates {
        Rates::new(self.api_requests_per_second, DefaultClock::default())
    }
}

/// Limits of requests, whosever they are.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    /// Those that may be under way, from the body's end to the answer.
    room: Arc<Semaphore>,
    body_timeout: Duration,
}

impl Requests {
    /// Has `router` answer within them.
    pub(crate) fn hold(self, router: Router) -> Router {
        router.layer(from_fn_with_state(self, within))
    }
}

/// A body that is late or too long takes nobody's place.
async fn within(State(limits): State<Requests>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let body = match tokio::time::timeout(limits.body_timeout, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if is_too_long(&error) => {
            return Problem::too_long(MAX_BODY).into_response();
        }
        Ok(Err(_)) => return Problem::wrong("the body ended early").into_response(),
        Err(_) => return Problem::slow(limits.body_timeout).into_response(),
    };
    let Ok(_place) = limits.room.try_acquire() else {
        return Problem::busy().into_response();
    };
    next.run(Request::from_parts(head, Body::from(body))).await
}

fn is_too_long(error: &axum::Error) -> bool {
    error
        .source()
        .is_some_and(<dyn Error>::is::<LengthLimitError>)
}

/// Limits of each token, by its name.
pub(crate) struct Rates<C: Clock = DefaultClock> {
    limiter: RateLimiter<String, HashMapStateStore<String>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
}

impl<C: Clock + Clone> Rates<C> {
    fn new(per_second: NonZeroU32, clock: C) -> Self {
        let quota = Quota::per_second(per_second);
        let limiter = RateLimiter::new(quota, HashMapStateStore::default(), clock.clone());
        Self { limiter, clock }
    }

    /// Counts a request of the token `name`.
    ///
    /// # Errors
    /// 429, with how long the token has to wait.
    pub(crate) fn count(&self, name: &str) -> Result<(), Problem> {
        let counted = self.limiter.check_key(&name.to_owned());
        counted.map_err(|early| Problem::too_many(early.wait_time_from(self.clock.now())))
    }
}

#[cfg(test)]
mod tests;
