//! Posts status webhooks of accepted messages as Meta does.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::app::App;
use crate::lock::lock;
use crate::receipt::Receipt;
use crate::webhook::{self, MetaWebhook};

/// The number of accepted messages whose statuses may wait; more are given up, and counted.
pub(crate) const QUEUE_LIMIT: usize = 10_000;

const STAGES: [&str; 3] = ["sent", "delivered", "read"];
const BATCH_LIMIT: usize = 100;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Posts the statuses of accepted messages until the sandbox stops. Drops them if no webhook is
/// set.
pub(crate) async fn deliver(app: Arc<App>, mut receipts: mpsc::Receiver<Receipt>) {
    let client = reqwest::Client::builder()
        .timeout(ANSWER_LIMIT)
        .build()
        .unwrap_or_default();
    let mut batch = Vec::with_capacity(BATCH_LIMIT);
    loop {
        let received = app
            .stop
            .run_until_cancelled(receipts.recv_many(&mut batch, BATCH_LIMIT));
        if !matches!(received.await, Some(1..)) {
            return;
        }
        let posted = app
            .stop
            .run_until_cancelled(deliver_batch(&app, &client, &batch))
            .await;
        if posted.is_none() {
            return;
        }
        batch.clear();
    }
}

async fn deliver_batch(app: &App, client: &reqwest::Client, batch: &[Receipt]) {
    for stage in STAGES {
        if let Some(body) = statuses(batch, stage, Utc::now().timestamp()) {
            post_until_accepted(app, client, &body.to_bytes()).await;
        }
    }
}

/// Returns one POST with an entry for each run of messages of one number; `None` when no message
/// gets to this stage.
fn statuses(batch: &[Receipt], stage: &'static str, timestamp: i64) -> Option<MetaWebhook> {
    let mut body: Option<MetaWebhook> = None;
    for run in batch.chunk_by(|one, next| one.number == next.number) {
        let statuses: Vec<_> = run
            .iter()
            .filter_map(|receipt| receipt.at_stage(stage, timestamp))
            .collect();
        if statuses.is_empty() {
            continue;
        }
        let number = &run[0].number;
        let started = match body.take() {
            Some(body) => body.entry(number),
            None => MetaWebhook::new(number),
        };
        body = Some(statuses.iter().fold(started, MetaWebhook::status));
    }
    body
}

async fn post_until_accepted(app: &App, client: &reqwest::Client, body: &[u8]) {
    let deadline = Instant::now() + app.config.whatsapp.retry_for;
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(target) = lock(&app.webhook).clone() else {
            return;
        };
        let secret = target.app_secret.expose();
        let outcome = match webhook::post(client, &target.url, secret, body.to_vec()).await {
            Ok(status) if status.as_u16() == 200 => {
                lock(&app.stats).webhooks.accepted += 1;
                return;
            }
            Ok(status) => status.to_string(),
            Err(error) => error.without_url().to_string(),
        };
        if Instant::now() + pause > deadline {
            lock(&app.stats).webhooks.given_up += 1;
            tracing::warn!(outcome, "gave up a status webhook of the sandbox");
            return;
        }
        lock(&app.stats).webhooks.repeated += 1;
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::statuses;
    use crate::receipt::Receipt;
    use crate::webhook::BusinessNumber;
    use serde_json::Value;

    fn receipt(number: &str, wamid: &str, failed: Option<(i64, String)>) -> Receipt {
        Receipt {
            number: BusinessNumber::new(number),
            wamid: wamid.to_owned(),
            recipient: "49151".to_owned(),
            callback_data: None,
            failed,
        }
    }

    #[test]
    fn a_batch_is_one_post_with_an_entry_for_each_number() {
        let batch = [
            receipt("a", "w1", None),
            receipt("a", "w2", None),
            receipt("b", "w3", None),
        ];
        let body = statuses(&batch, "delivered", 7).expect("a body").to_bytes();
        let body: Value = serde_json::from_slice(&body).expect("valid JSON");
        assert_eq!(body["entry"].as_array().map(Vec::len), Some(2));
        let first = &body["entry"][0]["changes"][0]["value"]["statuses"];
        assert_eq!(first.as_array().map(Vec::len), Some(2));
        assert_eq!(first[1]["id"], "w2");
        assert_eq!(first[1]["status"], "delivered");
        assert_eq!(first[1]["timestamp"], "7");
    }

    #[test]
    fn a_failed_message_fails_once_and_gets_no_further() {
        let failed = Some((131_026, "Message undeliverable".to_owned()));
        let batch = [receipt("a", "w1", failed)];
        let body = statuses(&batch, "sent", 7).expect("a body").to_bytes();
        let body: Value = serde_json::from_slice(&body).expect("valid JSON");
        let status = &body["entry"][0]["changes"][0]["value"]["statuses"][0];
        assert_eq!(status["status"], "failed");
        assert_eq!(status["errors"][0]["code"], 131_026);
        assert!(statuses(&batch, "delivered", 7).is_none());
    }
}
