//! Publishes the results of replies that did not surely reach their leads, as inputs of kind
//! `delivery`, and the takeovers that echoes of sessions show. What Kafka has is deleted, so each comes at
//! least once.

use std::sync::Arc;
use std::time::Duration;

use leadstream_kafka::producer::ProduceError;
use leadstream_kafka::{Outgoing, Producer, TraceContext};
use leadstream_schemas::registry::{Registry, RegistryError};
use leadstream_schemas::{
    Content, InputKind, LeadInput, Reply, Sender, Timestamp, Topic, UndeliveredClass, codec,
};
use leadstream_service::RetryPolicy;
use leadstream_service::database::DatabaseError;
use leadstream_service::failpoint::{self, Point};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ledger::{EchoedMessage, Ledger};
use crate::metrics::Metrics;
use crate::reply_row::NO_CODE;
use crate::send_result::{Class, class_of};
use crate::statuses::StatusWriter;
use crate::time::after;

/// How often the ledger is read, unless more results wait.
const POLL: Duration = Duration::from_secs(1);
/// The most results that are published at once.
const BATCH: i64 = 500;
/// The retry policy while PostgreSQL or the registry is unavailable.
const UNAVAILABLE: RetryPolicy =
    RetryPolicy::new(Duration::from_millis(500), Duration::from_secs(10));

/// A reply that ended, and whose lead has no input about it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedReply {
    pub token: Uuid,
    pub state: String,
    /// The name of the class of the last failure.
    pub class: Option<String>,
    pub code: Option<i64>,
    pub ended_at: Timestamp,
    pub record_key: Vec<u8>,
    pub record_value: Vec<u8>,
    pub trace: Option<TraceContext>,
}

/// Returns why a reply did not surely reach its lead.
#[must_use]
pub fn classify(state: &str, class: Option<&str>) -> UndeliveredClass {
    let is = |known: Class| class == Some(known.as_str());
    if state == "handed_off" && !is(Class::UnknownOutcome) {
        // An operator did, whatever the last error was.
        UndeliveredClass::HandedOff
    } else if is(Class::MarketingLimit) || is(Class::MarketingOptOut) || is(Class::MarketingCountry)
    {
        UndeliveredClass::Marketing
    } else if is(Class::StopTemplate) {
        UndeliveredClass::Template
    } else if is(Class::StopForm) {
        UndeliveredClass::Form
    } else if state == "expired" {
        // It waited for so long that it may not be sent any more.
        UndeliveredClass::WindowClosed
    } else if is(Class::UnknownOutcome) {
        UndeliveredClass::UnknownOutcome
    } else if is(Class::WindowClosed) {
        UndeliveredClass::WindowClosed
    } else if is(Class::Unreachable) {
        UndeliveredClass::Unreachable
    } else if is(Class::Experiment) {
        UndeliveredClass::Experiment
    } else {
        UndeliveredClass::Rejected
    }
}

/// Returns the input that says so; none for a record that is no reply. The input comes after the one
/// that caused the reply, whatever the clocks say.
#[must_use]
pub fn input(ended: &EndedReply) -> Option<(UndeliveredClass, LeadInput)> {
    let reply: Reply = codec::decode(&ended.record_value).ok()?;
    // A status that came late has a code only.
    let of_code = || ended.code.and_then(class_of).map(Class::as_str);
    let class = classify(&ended.state, ended.class.as_deref().or_else(of_code));
    // Another error than that of the class may have come last.
    let is_without_code = match class {
        _ if ended.class.as_deref() == Some(Class::MarketingCountry.as_str()) => true,
        UndeliveredClass::UnknownOutcome | UndeliveredClass::HandedOff => true,
        UndeliveredClass::WindowClosed => ended.state == "expired",
        _ => false,
    };
    let asked = reply.asked_at.map(|at| after(at, Duration::from_millis(1)));
    let at = ended.ended_at.max(asked.unwrap_or_default());
    let input = LeadInput {
        id: format!("{}/delivery", reply.id).into(),
        kind: InputKind::Delivery,
        platform: reply.platform,
        number: reply.number,
        sender: Sender {
            wa_id: reply.recipient.wa_id,
            user_id: reply.recipient.user_id,
            lid: reply.recipient.lid,
            ..Sender::default()
        },
        sent_at: at,
        received_at: at,
        item: 0,
        content: Content::Undelivered {
            reply_id: reply.id,
            class,
            code: ended
                .code
                .filter(|code| !is_without_code && *code != NO_CODE),
            asked_at: reply.asked_at,
        },
        referral: None,
        raw: None,
    };
    Some((class, input))
}

/// The reason why the publication stopped.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    #[error(transparent)]
    Ledger(#[from] DatabaseError),
    #[error(transparent)]
    Produce(#[from] ProduceError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Encode(#[from] codec::CodecError),
    #[error("whatsapp_unmatched_statuses holds a takeover that is no input: {0}")]
    Takeover(#[from] serde_json::Error),
    #[error("the schema registry did not return the id of lead.inputs")]
    NoSchema,
}

/// Publishes the results of the numbers that this process owns.
#[derive(Debug)]
pub(crate) struct Feedback {
    pub(crate) ledger: Ledger,
    pub(crate) producer: Producer,
    pub(crate) metrics: Arc<Metrics>,
    /// Matches the messages of sessions again: an answer may have come after the status.
    pub(crate) statuses: StatusWriter,
    pub(crate) registry: Registry,
    pub(crate) topic_prefix: String,
    /// The process, as leases of numbers name it.
    pub(crate) process: Uuid,
}

impl Feedback {
    /// Publishes until shutdown.
    ///
    /// # Errors
    /// Returns an error that waiting does not resolve.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> Result<(), FeedbackError> {
        // What is cut off in between is published again.
        let published = Box::pin(self.publish_all());
        let ended = shutdown.run_until_cancelled(published).await;
        ended.unwrap_or(Ok(()))
    }

    async fn publish_all(self) -> Result<(), FeedbackError> {
        let resolve = || {
            self.registry
                .resolve(&self.topic_prefix, &[Topic::LeadInputs])
        };
        let is_unavailable =
            |error: &RegistryError| matches!(error, RegistryError::Unavailable { .. });
        let ids = UNAVAILABLE.retry(resolve, is_unavailable, warn).await?;
        let schema = ids.get(Topic::LeadInputs).ok_or(FeedbackError::NoSchema)?;
        let topic: Arc<str> = Topic::LeadInputs.name(&self.topic_prefix).into();
        loop {
            let read = async || {
                let now = Timestamp::now();
                let ended = self.ledger.feedback(self.process, BATCH, now).await?;
                if !ended.is_empty() {
                    failpoint::hit(Point::Ended).await?;
                }
                Ok(ended)
            };
            let ended = UNAVAILABLE
                .retry(read, DatabaseError::is_transient, warn)
                .await?;
            let mut records = Vec::with_capacity(ended.len());
            for (class, input, ended) in ended
                .iter()
                .filter_map(|ended| input(ended).map(|(class, input)| (class, input, ended)))
            {
                let value = codec::encode(schema, &input)?;
                records.push(Outgoing {
                    trace: ended.trace.map(|trace| trace.child(0)),
                    ..Outgoing::new(Arc::clone(&topic), ended.record_key.clone(), value)
                });
                self.metrics.undelivered(class);
            }
            self.producer.send(&records).await?.await?;
            let tokens: Vec<Uuid> = ended.iter().map(|it| it.token).collect();
            let delete = async || {
                failpoint::hit(Point::Reported).await?;
                self.ledger.delete_feedback(&tokens).await
            };
            if !tokens.is_empty() {
                UNAVAILABLE
                    .retry(delete, DatabaseError::is_transient, warn)
                    .await?;
            }
            let echoed = self.publish_takeovers(schema, &topic).await?;
            let is_full = |count: usize| i64::try_from(count).is_ok_and(|count| count >= BATCH);
            if !is_full(tokens.len()) && !is_full(echoed) {
                tokio::time::sleep(POLL).await;
            }
        }
    }

    /// Publishes the takeovers whose echoes turned out to be no reply's. Returns their number.
    async fn publish_takeovers(
        &self,
        schema: u32,
        topic: &Arc<str>,
    ) -> Result<usize, FeedbackError> {
        let read = || async {
            self.statuses.match_sessions().await?;
            self.ledger.echoed(BATCH, Timestamp::now()).await
        };
        let echoed = UNAVAILABLE
            .retry(read, DatabaseError::is_transient, warn)
            .await?;
        if echoed.is_empty() {
            return Ok(0);
        }
        let records = echoed.iter().map(|it| takeover(it, schema, topic));
        let records = records.collect::<Result<Vec<_>, FeedbackError>>()?;
        self.producer.send(&records).await?.await?;
        let delete = || self.ledger.forget_echoed(&echoed);
        UNAVAILABLE
            .retry(delete, DatabaseError::is_transient, warn)
            .await?;
        self.metrics.taken_over(echoed.len());
        Ok(echoed.len())
    }
}

/// Returns the record by which a person takes over.
fn takeover(
    echoed: &EchoedMessage,
    schema: u32,
    topic: &Arc<str>,
) -> Result<Outgoing, FeedbackError> {
    let input: LeadInput = serde_json::from_slice(&echoed.takeover)?;
    let value = codec::encode(schema, &input)?;
    let key = input.sender.key().unwrap_or_default();
    Ok(Outgoing::new(Arc::clone(topic), key, value))
}

fn warn(error: &impl std::fmt::Display, attempts: u32) {
    tracing::warn!(attempts, error = %error, "results of replies are not published yet; trying again");
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::Recipient;

    use super::*;
    use crate::memory_ledger::prompt;
    use crate::reply_row::without_words;

    const ENDED: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn ended(state: &str, class: Option<&str>, asked_at: Option<Timestamp>) -> EndedReply {
        let reply = Reply {
            asked_at,
            recipient: Recipient {
                wa_id: Some("491700".into()),
                ..Recipient::default()
            },
            ..prompt("491700:a", "491700")
        };
        EndedReply {
            token: Uuid::nil(),
            state: state.into(),
            class: class.map(Into::into),
            code: Some(131_026),
            ended_at: ENDED,
            record_key: b"491700".to_vec(),
            record_value: codec::encode(1, &reply).unwrap(),
            trace: None,
        }
    }

    #[test]
    fn each_end_has_a_class() {
        use UndeliveredClass as Of;
        for (state, class, expected) in [
            ("failed", Some("unreachable"), Of::Unreachable),
            ("failed", Some("window_closed"), Of::WindowClosed),
            ("failed", Some("marketing_limit"), Of::Marketing),
            ("failed", Some("marketing_opt_out"), Of::Marketing),
            ("failed", Some("marketing_country"), Of::Marketing),
            ("failed", Some("experiment"), Of::Experiment),
            ("failed", Some("refused"), Of::Rejected),
            ("failed", Some("unsendable"), Of::Rejected),
            ("failed", Some("unknown_code"), Of::Rejected),
            ("failed", Some("exhausted"), Of::Rejected),
            ("failed", Some("unknown_outcome"), Of::UnknownOutcome),
            ("failed", None, Of::Rejected),
            ("expired", None, Of::WindowClosed),
            ("expired", Some("pause_number"), Of::WindowClosed),
            ("expired", Some("unknown_outcome"), Of::WindowClosed),
            ("expired", Some("stop_template"), Of::Template),
            ("expired", Some("stop_form"), Of::Form),
            ("expired", Some("marketing_limit"), Of::Marketing),
            ("handed_off", Some("unknown_outcome"), Of::UnknownOutcome),
            ("handed_off", Some("handed_off"), Of::HandedOff),
            ("handed_off", Some("stop_template"), Of::HandedOff),
            ("handed_off", None, Of::HandedOff),
        ] {
            assert_eq!(classify(state, class), expected, "{state}, {class:?}");
        }
    }

    #[test]
    fn an_input_repeats_the_reply_and_is_the_same_each_time() {
        let row = ended("failed", Some("unreachable"), Some(Timestamp::from_secs(5)));
        let (class, made) = input(&row).unwrap();
        assert_eq!(class, UndeliveredClass::Unreachable);
        assert_eq!(made.id, "491700:a/delivery");
        assert_eq!(made.kind, InputKind::Delivery);
        assert_eq!(made.sender.key(), Some("491700"));
        assert_eq!((made.sent_at, made.received_at), (ENDED, ENDED));
        let expected = Content::Undelivered {
            reply_id: "491700:a".into(),
            class,
            code: Some(131_026),
            asked_at: Some(Timestamp::from_secs(5)),
        };
        assert_eq!(made.content, expected);
        let bytes = |input: &LeadInput| codec::encode(3, input).unwrap();
        assert_eq!(bytes(&made), bytes(&input(&row).unwrap().1));
    }

    #[test]
    fn a_clock_that_is_behind_puts_no_result_before_its_question() {
        let asked_at = after(ENDED, Duration::from_secs(3));
        let (_, made) = input(&ended("failed", Some("unreachable"), Some(asked_at))).unwrap();
        assert_eq!(made.sent_at, after(asked_at, Duration::from_millis(1)));
    }

    #[test]
    fn a_code_that_explains_nothing_is_left_out() {
        for (state, class) in [
            ("expired", Some("throttle_number")),
            ("handed_off", None),
            ("failed", Some("unknown_outcome")),
        ] {
            let (_, made) = input(&ended(state, class, None)).unwrap();
            assert!(
                matches!(made.content, Content::Undelivered { code: None, .. }),
                "{state}"
            );
        }
    }

    #[test]
    fn a_failure_that_came_late_has_the_class_of_its_code() {
        use UndeliveredClass as Of;
        for (code, class, shown) in [
            (131_026, Of::Unreachable, Some(131_026)),
            (131_049, Of::Marketing, Some(131_049)),
            (132_015, Of::Template, Some(132_015)),
            (139_999, Of::Rejected, Some(139_999)),
            (NO_CODE, Of::Rejected, None),
        ] {
            let mut row = ended("failed", None, Some(ENDED));
            row.code = Some(code);
            row.record_value = without_words(&row.record_value).unwrap();
            let (found, made) = input(&row).unwrap();
            assert_eq!(found, class, "{code}");
            assert_eq!(made.sender.key(), Some("491700"));
            let Content::Undelivered { code, asked_at, .. } = made.content else {
                panic!("{made:?}");
            };
            assert_eq!((code, asked_at), (shown, Some(ENDED)));
        }
    }

    #[test]
    fn a_record_that_is_no_reply_has_no_input() {
        let mut row = ended("failed", None, None);
        row.record_value = b"\0\0\0\0\x01{}".to_vec();
        assert_eq!(input(&row).map(|(class, _)| class), None);
    }
}
