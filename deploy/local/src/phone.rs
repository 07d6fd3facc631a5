//! Simulates a lead's phone: posts messages to the webhook, signed as Meta signs them, and receives
//! the replies from the sandbox's WhatsApp.

use std::time::Duration;

use leadstream_sandbox::webhook::{self, BusinessNumber, MetaWebhook, Person};
use leadstream_sandbox::{ClientError, MessageQuery, SandboxClient, SentMessage};
use leadstream_schemas::Timestamp;
use leadstream_service::RetryPolicy;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// The retry policy of a POST that is not answered 200: as Meta's, but faster.
const REPEAT: RetryPolicy = RetryPolicy::new(Duration::from_millis(400), Duration::from_secs(4));

/// The reason why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("the webhook refused the message: {0}")]
    Refused(&'static str),
    #[error("the webhook did not accept the message within {within:?}: {last}")]
    NotAccepted { within: Duration, last: String },
}

/// The meaning of the webhook's response for the sender.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Refused(&'static str),
    /// Meta would send the message again.
    Again(String),
}

/// The content of a message, in the form of the Cloud API.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Content {
    kind: &'static str,
    value: Value,
    /// The id of the message that it answers, such as the one with the tapped button.
    answers: Option<String>,
}

impl Content {
    pub(crate) fn new(kind: &'static str, value: Value) -> Self {
        Self {
            kind,
            value,
            answers: None,
        }
    }

    pub(crate) fn text(body: &str) -> Self {
        Self::new("text", json!({ "body": body }))
    }

    /// Makes it an answer to the message `target` of the business.
    pub(crate) fn answering(self, target: &str) -> Self {
        let answers = Some(target.to_owned());
        Self { answers, ..self }
    }

    pub(crate) fn is_text(&self) -> bool {
        self.kind == "text"
    }

    /// Adds it to a webhook as a message of `from`, sent at `sent_at` in Unix seconds.
    pub(crate) fn add_to(
        &self,
        webhook: MetaWebhook,
        from: &Person,
        wamid: &str,
        sent_at: i64,
    ) -> MetaWebhook {
        let webhook = webhook.message(from, wamid, sent_at, self.kind, self.value.clone());
        match &self.answers {
            Some(target) => webhook.answering(target),
            None => webhook,
        }
    }
}

/// One lead's phone.
pub(crate) struct Phone {
    http: reqwest::Client,
    webhook_url: String,
    app_secret: String,
    number: BusinessNumber,
    person: Person,
    wa_id: String,
    sandbox: SandboxClient,
    /// `seq` of the last message that was delivered to this phone.
    seen: u64,
}

impl Phone {
    /// Returns the phone of `wa_id` (digits with country code), with the profile name `name`. It
    /// skips messages that were delivered to the number before.
    ///
    /// # Errors
    /// Returns an error if the sandbox does not answer.
    pub(crate) async fn new(
        webhook_url: &str,
        app_secret: &str,
        phone_number_id: &str,
        sandbox: SandboxClient,
        wa_id: String,
        name: &str,
    ) -> Result<Self, ClientError> {
        // Addresses of this machine are reached without the environment's proxy.
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()?;
        let mut phone = Self {
            http,
            webhook_url: webhook_url.to_owned(),
            app_secret: signing_secret(app_secret).to_owned(),
            number: BusinessNumber::new(phone_number_id),
            person: Person::new(wa_id.clone(), name),
            wa_id,
            sandbox,
            seen: 0,
        };
        phone.delivered(Duration::ZERO).await?;
        Ok(phone)
    }

    pub(crate) fn wa_id(&self) -> &str {
        &self.wa_id
    }

    /// Keeps a file in the sandbox, and returns its media id.
    ///
    /// # Errors
    /// Returns an error if the sandbox does not answer.
    pub(crate) async fn upload(
        &self,
        mime_type: &str,
        bytes: Vec<u8>,
    ) -> Result<String, ClientError> {
        self.sandbox.add_media(mime_type, bytes).await
    }

    /// Sends a message and returns its id once the webhook answered 200, within `within`. Calls
    /// `on_retry` with the reason of the first repetition.
    ///
    /// # Errors
    /// See [`SendError`].
    pub(crate) async fn send(
        &self,
        content: &Content,
        within: Duration,
        on_retry: impl Fn(&str),
    ) -> Result<String, SendError> {
        let deadline = Instant::now() + within;
        let (wamid, now) = (webhook::random_wamid(), Timestamp::now().millis() / 1000);
        let body = MetaWebhook::new(&self.number);
        let body = content.add_to(body, &self.person, &wamid, now).to_bytes();
        let mut attempts = 0;
        loop {
            let posting = webhook::post(
                &self.http,
                &self.webhook_url,
                &self.app_secret,
                body.clone(),
            );
            let last = match verdict(posting.await) {
                Verdict::Accepted => return Ok(wamid),
                Verdict::Refused(why) => return Err(SendError::Refused(why)),
                Verdict::Again(why) => why,
            };
            attempts += 1;
            let pause = REPEAT.random_delay(attempts);
            if Instant::now() + pause >= deadline {
                return Err(SendError::NotAccepted { within, last });
            }
            if attempts == 1 {
                on_retry(&last);
            }
            sleep(pause).await;
        }
    }

    /// Returns the messages delivered since the last call, oldest first. Waits up to `wait` (at most
    /// a minute) for the first one.
    ///
    /// # Errors
    /// Returns an error if the sandbox does not answer.
    pub(crate) async fn delivered(
        &mut self,
        wait: Duration,
    ) -> Result<Vec<SentMessage>, ClientError> {
        let query = MessageQuery {
            to: Some(self.wa_id.clone()),
            after: self.seen,
            wait,
        };
        let messages = self.sandbox.messages(&query).await?;
        self.seen = messages.last().map_or(self.seen, |message| message.seq);
        Ok(messages)
    }
}

/// Returns a new number of a kind that nobody has.
pub(crate) fn random_wa_id() -> String {
    format!("1555{:07}", rand::random_range(0..10_000_000))
}

/// Returns one of the secrets. During rotation the setting holds several; each of them signs.
fn signing_secret(setting: &str) -> &str {
    setting.split(',').next().unwrap_or_default().trim()
}

fn verdict(answer: reqwest::Result<StatusCode>) -> Verdict {
    let status = match answer {
        Ok(status) => status,
        Err(error) if error.is_connect() => {
            return Verdict::Again("nothing listens at its address".to_owned());
        }
        Err(error) if error.is_timeout() => {
            return Verdict::Again("it did not answer in time".to_owned());
        }
        Err(error) => return Verdict::Again(error.without_url().to_string()),
    };
    match status.as_u16() {
        200 => Verdict::Accepted,
        401 => Verdict::Refused(
            "401, the signature is wrong: it runs with another META_APP_SECRET than stack.json has",
        ),
        413 => Verdict::Refused("413, the message is too large"),
        400..=499 => Verdict::Refused("it does not understand the request"),
        503 => Verdict::Again(
            "503, Kafka or the schema registry is unavailable, so nothing is accepted".to_owned(),
        ),
        other => Verdict::Again(format!("it answers {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_described_and_posts_are_repeated_where_meta_does() {
        let of = |status: u16| verdict(Ok(StatusCode::from_u16(status).unwrap()));
        assert_eq!(of(200), Verdict::Accepted);
        assert!(matches!(of(401), Verdict::Refused(why) if why.contains("META_APP_SECRET")));
        assert!(matches!(of(413), Verdict::Refused(_)));
        assert!(matches!(of(503), Verdict::Again(why) if why.contains("Kafka")));
        assert!(matches!(of(500), Verdict::Again(why) if why.contains("500")));
    }

    #[test]
    fn one_of_several_secrets_signs() {
        assert_eq!(signing_secret("new, old"), "new");
        assert_eq!(signing_secret("only"), "only");
    }

    #[test]
    fn a_random_number_has_eleven_digits() {
        let number = random_wa_id();
        assert_eq!(number.len(), 11);
        assert!(number.starts_with("1555") && number.bytes().all(|byte| byte.is_ascii_digit()));
    }
}
