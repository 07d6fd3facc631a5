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

const BATCH_LIMIT: usize = 100;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Posts the statuses of accepted messages until the sandbox stops. Drops them if no webhook is
/// set.
pub(crate) async fn deliver(app: Arc<App>, mut receipts: mpsc::Receiver<Receipt>) {
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
            .run_until_cancelled(deliver_batch(&app, &mut batch))
            .await;
        if posted.is_none() {
            return;
        }
        batch.clear();
    }
}

async fn deliver_batch(app: &App, batch: &mut [Receipt]) {
    for round in 0.. {
        let body = statuses(batch, round, Utc::now().timestamp());
        if let Some(body) = &body {
            post_until_accepted(app, &body.to_bytes()).await;
        }
        for waiting in batch.iter_mut().filter_map(|it| it.first_posted.take()) {
            // The client may have left.
            let _ = waiting.send(());
        }
        if body.is_none() {
            return;
        }
    }
}

/// Returns one POST with an entry for each run of messages of one number; `None` when no message has
/// as many statuses.
fn statuses(batch: &[Receipt], round: usize, timestamp: i64) -> Option<MetaWebhook> {
    let mut body: Option<MetaWebhook> = None;
    for run in batch.chunk_by(|one, next| one.number == next.number) {
        let statuses: Vec<_> = run
            .iter()
            .filter_map(|receipt| receipt.in_round(round, timestamp))
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

async fn post_until_accepted(app: &App, body: &[u8]) {
    let deadline = Instant::now() + app.config.whatsapp.retry_for;
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(target) = lock(&app.webhook).clone() else {
            return;
        };
        let secret = target.app_secret.expose();
        let outcome = match webhook::post(&app.http, &target.url, secret, body.to_vec()).await {
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

    fn receipt(number: &str, wamid: &str, statuses: &[&'static str]) -> Receipt {
        Receipt {
            number: BusinessNumber::new(number),
            wamid: wamid.to_owned(),
            recipient: "49151".to_owned(),
            callback_data: None,
            statuses: statuses.iter().map(|status| (*status, None)).collect(),
            first_posted: None,
        }
    }

    #[test]
    fn a_batch_is_one_post_with_an_entry_for_each_number() {
        let batch = [
            receipt("a", "w1", &["sent", "delivered"]),
            receipt("a", "w2", &["read", "delivered"]),
            receipt("b", "w3", &["sent", "delivered"]),
        ];
        let body = statuses(&batch, 1, 7).expect("a body").to_bytes();
        let body: Value = serde_json::from_slice(&body).expect("valid JSON");
        assert_eq!(body["entry"].as_array().map(Vec::len), Some(2));
        let first = &body["entry"][0]["changes"][0]["value"]["statuses"];
        assert_eq!(first.as_array().map(Vec::len), Some(2));
        assert_eq!(first[1]["id"], "w2");
        assert_eq!(first[1]["status"], "delivered");
        assert_eq!(first[1]["timestamp"], "7");
    }

    #[test]
    fn a_message_with_fewer_statuses_is_left_out_of_the_later_rounds() {
        let batch = [
            receipt("a", "w1", &["sent"]),
            receipt("a", "w2", &["sent", "read"]),
        ];
        let body = statuses(&batch, 1, 7).expect("a body").to_bytes();
        let body: Value = serde_json::from_slice(&body).expect("valid JSON");
        let statuses_of_number = &body["entry"][0]["changes"][0]["value"]["statuses"];
        assert_eq!(statuses_of_number.as_array().map(Vec::len), Some(1));
        assert_eq!(statuses_of_number[0]["id"], "w2");
        assert!(statuses(&batch, 2, 7).is_none());
    }
}
