//! Caches access tokens. A token is fetched when it is needed, before it expires, and again after the
//! CRM refused it. One request fetches it while the others wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leadstream_service::Secret;
use tokio::sync::Mutex;

use crate::crm::{Class, Failure};

/// The part of a token's lifetime that is left when it is replaced, and its maximum.
const AHEAD: f64 = 0.1;
const AHEAD_AT_MOST: Duration = Duration::from_secs(300);
/// The pause after an early replacement failed while the token is still valid.
const AGAIN: Duration = Duration::from_secs(15);

/// The token that a CRM returned.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) token: Secret,
    /// The URL at which the token is used, without a final slash.
    pub(crate) base_url: String,
    /// The token's lifetime, if the CRM reports it.
    pub(crate) lifetime: Option<Duration>,
}

#[derive(Debug)]
struct CachedToken {
    grant: Arc<Grant>,
    replace_at: Option<Instant>,
    ends_at: Option<Instant>,
}

/// The one token of the process for a CRM.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<Option<CachedToken>>);

impl Tokens {
    /// Returns the token. Calls `fetch` when there is none, or when it expires soon.
    ///
    /// # Errors
    /// Returns the error of `fetch` when no token is valid.
    pub(crate) async fn get(
        &self,
        now: Instant,
        fetch: impl Future<Output = Result<Grant, Failure>>,
    ) -> Result<Arc<Grant>, Failure> {
        let mut cached = self.0.lock().await;
        if let Some(cached) = cached.as_ref()
            && cached.replace_at.is_none_or(|at| now < at)
        {
            return Ok(Arc::clone(&cached.grant));
        }
        match fetch.await {
            Ok(grant) => {
                let fresh = CachedToken::new(grant, now);
                let grant = Arc::clone(&fresh.grant);
                *cached = Some(fresh);
                Ok(grant)
            }
            Err(failure) => match cached.as_mut() {
                Some(cached) if cached.is_usable_after(&failure, now) => {
                    tracing::warn!(
                        reason = failure.reason,
                        "could not replace an access token before it expires"
                    );
                    let again = failure
                        .after
                        .unwrap_or_default()
                        .clamp(AGAIN, AHEAD_AT_MOST);
                    cached.replace_at = Some(now + again);
                    Ok(Arc::clone(&cached.grant))
                }
                _ => Err(failure),
            },
        }
    }

    /// Drops `refused`, unless another request has done so already.
    pub(crate) async fn invalidate(&self, refused: &Arc<Grant>) {
        let mut cached = self.0.lock().await;
        if cached
            .as_ref()
            .is_some_and(|cached| Arc::ptr_eq(&cached.grant, refused))
        {
            *cached = None;
        }
    }
}

impl CachedToken {
    fn new(grant: Grant, now: Instant) -> Self {
        let ends_at = grant.lifetime.map(|lifetime| now + lifetime);
        let replace_at = grant
            .lifetime
            .map(|lifetime| now + lifetime - lifetime.mul_f64(AHEAD).min(AHEAD_AT_MOST));
        Self {
            grant: Arc::new(grant),
            replace_at,
            ends_at,
        }
    }

    /// Returns whether the token stays in use although it could not be replaced. The CRM may be
    /// unavailable for a while, but a person has to fix refused credentials.
    fn is_usable_after(&self, failure: &Failure, now: Instant) -> bool {
        matches!(failure.class, Class::Retry | Class::Throttle)
            && self.ends_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    use leadstream_service::Secret;

    use super::{AGAIN, Class, Failure, Grant, Tokens};

    fn grant(number: u32, seconds: Option<u64>) -> Grant {
        Grant {
            token: Secret::new(number.to_string()),
            base_url: String::new(),
            lifetime: seconds.map(Duration::from_secs),
        }
    }

    #[tokio::test]
    async fn a_token_is_replaced_before_it_expires_and_after_a_refusal_only() {
        let tokens = Tokens::default();
        let fetched = AtomicU32::new(0);
        let fetch = async || {
            Ok(grant(
                fetched.fetch_add(1, Ordering::Relaxed) + 1,
                Some(1800),
            ))
        };
        let start = Instant::now();
        for (second, number) in [(0, "1"), (1600, "1"), (1620, "2"), (1630, "2"), (3300, "3")] {
            let now = start + Duration::from_secs(second);
            let cached = tokens.get(now, fetch()).await.unwrap();
            assert_eq!(cached.token.expose(), number, "at second {second}");
        }
        let refused = tokens.get(start, fetch()).await.unwrap();
        tokens.invalidate(&refused).await;
        let next = tokens.get(start, fetch()).await.unwrap();
        assert_eq!(next.token.expose(), "4");
        tokens.invalidate(&refused).await;
        let kept = tokens.get(start, fetch()).await.unwrap();
        assert_eq!(
            kept.token.expose(),
            "4",
            "another request invalidated it already"
        );
    }

    #[tokio::test]
    async fn requests_at_once_wait_for_one_fetch() {
        let tokens = Arc::new(Tokens::default());
        let fetched = Arc::new(AtomicU32::new(0));
        let gets: Vec<_> = (0..8)
            .map(|_| {
                let (tokens, fetched) = (Arc::clone(&tokens), Arc::clone(&fetched));
                tokio::spawn(async move {
                    let fetch = async {
                        let number = fetched.fetch_add(1, Ordering::Relaxed);
                        tokio::task::yield_now().await;
                        Ok(grant(number, None))
                    };
                    let cached = tokens.get(Instant::now(), fetch).await.unwrap();
                    cached.token.expose().to_owned()
                })
            })
            .collect();
        for get in gets {
            assert_eq!(get.await.unwrap(), "0");
        }
        assert_eq!(fetched.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_valid_token_is_used_during_an_outage_but_not_after_refused_credentials() {
        let tokens = Tokens::default();
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        tokens
            .get(at(0), async { Ok(grant(1, Some(100))) })
            .await
            .unwrap();
        let unavailable = async || Err(Failure::new(Class::Retry, "unavailable"));
        let kept = tokens.get(at(95), unavailable()).await.unwrap();
        assert_eq!(kept.token.expose(), "1");
        let unasked = tokens.get(at(96), async { panic!("asked within {AGAIN:?}") });
        unasked.await.unwrap();
        assert_eq!(
            tokens.get(at(111), unavailable()).await.unwrap_err().class,
            Class::Retry
        );
        let tokens = Tokens::default();
        tokens
            .get(at(0), async { Ok(grant(1, Some(100))) })
            .await
            .unwrap();
        let refused = tokens
            .get(at(95), async { Err(Failure::new(Class::Halt, "no")) })
            .await;
        assert_eq!(refused.unwrap_err().class, Class::Halt);
    }
}
