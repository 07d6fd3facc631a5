//! Holds the state that all handlers share.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{SandboxConfig, WasenderWebhook, Webhook};
use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::graph::limits::{Attempt, Counts};
use crate::graph::rules::NumberRules;
use crate::lock::lock;
use crate::media::Media;
use crate::ordered_faults::Faults;
use crate::receipt::Receipt;
use crate::received::{Received, ReceivedRecord};
use crate::salesforce::organisation::Organisation;
use crate::state::{Change, Store};
use crate::stats::Stats;
use crate::status_script::StatusScript;
use crate::usage::Usage;
use crate::vendor_error::vendor_error;
use crate::vendor_response::VendorResponse;
use crate::wasender::limit::WasenderLimit;
use crate::wasender::session::Sessions;

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
    pub(crate) media: Mutex<Media>,
    /// The message templates of each WABA, as Meta lists them. Without any, every template exists.
    pub(crate) templates: Mutex<Vec<Value>>,
    /// Times of HubSpot's searches within the last second.
    pub(crate) searches: Mutex<VecDeque<Instant>>,
    /// The credentials that the CRMs accept now.
    pub(crate) credentials: Mutex<Credentials>,
    /// Access tokens of HubSpot's OAuth app, and the time at which each expires.
    pub(crate) hubspot_tokens: Mutex<VecDeque<(String, Instant)>>,
    /// Salesforce's Lead object. Locked before the store.
    pub(crate) organisation: Mutex<Organisation>,
    /// Valid access tokens of Salesforce.
    pub(crate) sessions: Mutex<HashSet<String>>,
    /// Notifies of an accepted message.
    pub(crate) accepted: Notify,
    /// Notifies held connections that they must close.
    pub(crate) released: Notify,
    pub(crate) receipts: mpsc::Sender<Receipt>,
    pub(crate) status_script: Mutex<StatusScript>,
    /// The rules of the business numbers that have any, and their counts, by number.
    pub(crate) number_rules: Mutex<BTreeMap<String, NumberRules>>,
    pub(crate) send_counts: Mutex<BTreeMap<String, Counts>>,
    /// The times at which the windows of people end; the other windows are open.
    pub(crate) window_ends: Mutex<BTreeMap<String, DateTime<Utc>>>,
    pub(crate) wasender_sessions: Mutex<Sessions>,
    pub(crate) wasender_webhook: Mutex<Option<WasenderWebhook>>,
    pub(crate) wasender_limit: Mutex<Option<WasenderLimit>>,
    /// Posts webhooks.
    pub(crate) http: reqwest::Client,
    pub(crate) stop: CancellationToken,
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
            vendor_error(&self.config, endpoint, 500, None)
        })
    }

    /// Returns the rules of a business number.
    pub(crate) fn rules(&self, number: &str) -> NumberRules {
        let rules = lock(&self.number_rules);
        rules.get(number).cloned().unwrap_or_default()
    }

    /// Returns whether `token` is the one of a business number.
    pub(crate) fn token_is_of(&self, token: &str, number: &str) -> bool {
        let own = self.rules(number).access_token;
        let expected = own.as_ref().unwrap_or(&self.config.whatsapp.access_token);
        token == expected.expose()
    }

    /// Returns whether `token` is one of the valid ones.
    pub(crate) fn is_token(&self, token: &str) -> bool {
        let rules = lock(&self.number_rules);
        let own = rules.values().filter_map(|it| it.access_token.as_ref());
        let mut tokens = own.chain([&self.config.whatsapp.access_token]);
        tokens.any(|valid| valid.expose() == token)
    }

    /// Returns whether 24 hours have passed since the last message of a person.
    pub(crate) fn is_outside_window(&self, person: &str, now: DateTime<Utc>) -> bool {
        let ends = lock(&self.window_ends);
        ends.get(person).is_some_and(|end| *end <= now)
    }

    /// Counts a send of a business number, or returns the code of its refusal.
    pub(crate) fn count_send(
        &self,
        number: &str,
        attempt: Attempt<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), i64> {
        let rules = self.rules(number);
        let mut counts = lock(&self.send_counts);
        let counts = counts.entry(number.to_owned()).or_default();
        counts.take(&rules, attempt, now)
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

    /// Waits for so many milliseconds, or without end. Faults that are cleared end the wait, and so
    /// does the stop of the sandbox.
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
