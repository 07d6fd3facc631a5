//! Explains a lead: every input of its journal with its step, the position from which it was read,
//! and what the engine emitted for it. PostgreSQL has the journal; [`History`] rebuilds a longer
//! one from the topic's records.

use std::collections::BTreeMap;
use std::time::Duration;

use leadstream_schemas::{
    FlowRef, InputId, LeadId, LeadInput, Offset, Partition, Revision, Timestamp, UndeliveredClass,
};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgPool;

use crate::flow::{Conversation, HUMAN_HANDOFF, START, TurnInput, Undelivered};
use crate::flows::Flows;
use crate::lead::{
    Address, Admission, Arrival, Command, Entry, FoldError, Identities, Inbound, Journal, Lead,
    Replayed,
};
use crate::messages::{Messages, text};
use crate::service::Error;
use crate::store::Store;

/// A lead and the inputs that explain it, in order.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub lead_id: LeadId,
    pub identities: Identities,
    pub state: String,
    pub score: i32,
    pub is_completed: bool,
    pub data: Map<String, Value>,
    pub flow: Option<FlowRef>,
    pub revision: Revision,
    /// The leads that merged into this one.
    pub merged: Vec<LeadId>,
    pub steps: Vec<Step>,
    /// The timers that fired after the last input.
    pub timers: Vec<Timer>,
    /// The due time of the lead's next timer.
    pub next_timer: Option<Timestamp>,
}

/// A timer that fired.
#[derive(Clone, Debug, Serialize)]
pub struct Timer {
    pub due: Timestamp,
    pub state_before: String,
    pub state_after: String,
    /// The prompt of the timer, whether or not it was sent.
    pub prompt: Option<String>,
}

/// One input and its effect.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub id: InputId,
    /// The time by which the input is ordered: sent, but at most the time of receipt.
    pub at: Timestamp,
    pub received_at: Timestamp,
    /// The arrival; none for an input that an older version folded.
    pub arrival: Option<Arrival>,
    pub says: String,
    pub state_before: String,
    pub state_after: String,
    pub score: i32,
    /// The fields that the input changed; null for a field that it cleared.
    pub data: Map<String, Value>,
    /// The prompt that the fold gives, whether or not it was sent.
    pub prompt: Option<String>,
    /// The id of the reply that was sent.
    pub reply_id: Option<String>,
    pub why: String,
}

/// Explains the lead at `address` from PostgreSQL. Returns the flows as well, for [`History`].
///
/// # Errors
/// Returns an error if the database is unavailable, or if a conversation follows a flow that is not
/// published.
pub async fn explain(
    pool: PgPool,
    address: &Address,
) -> Result<Option<(Explanation, Flows)>, Error> {
    let store = Store::new(pool, Duration::from_secs(15));
    store.check_schema().await?;
    let Some(found) = store.lead_of(address).await? else {
        return Ok(None);
    };
    let flows = Flows::read(&store.flows().await?.0)?;
    let explanation = Explanation::new(&flows, found.lead_id, &found.lead)?;
    Ok(Some((explanation, flows)))
}

impl Explanation {
    fn new(flows: &Flows, lead_id: LeadId, lead: &Lead) -> Result<Self, FoldError> {
        let conversation = lead.journal.conversation();
        Ok(Self {
            steps: steps(flows, &lead_id, &lead.journal)?,
            timers: timers(flows, lead)?,
            next_timer: lead.next_due(flows)?,
            lead_id,
            identities: lead.identities.clone(),
            state: lead.state().unwrap_or(START).to_owned(),
            score: conversation.map_or(0, |it| it.score),
            is_completed: conversation.is_some_and(|it| it.is_completed),
            data: conversation.map(|it| it.data.clone()).unwrap_or_default(),
            flow: conversation.map(|it| it.flow.clone()),
            revision: lead.revision,
            merged: lead.merged.clone(),
        })
    }
}

fn timers(flows: &Flows, lead: &Lead) -> Result<Vec<Timer>, FoldError> {
    let fired = lead.journal.fired(flows)?;
    let states = fired.iter().skip(1).map(|it| it.previous.state.as_str());
    let states = states.chain(lead.journal.conversation().map(|it| it.state.as_str()));
    let timers = fired.iter().zip(states).map(|(fired, after)| Timer {
        due: fired.due,
        state_before: fired.previous.state.clone(),
        state_after: after.to_owned(),
        prompt: fired.prompt.as_ref().map(text),
    });
    Ok(timers.collect())
}

fn steps(flows: &Flows, lead_id: &LeadId, journal: &Journal) -> Result<Vec<Step>, FoldError> {
    let steps = journal.replay(flows)?;
    Ok(steps.iter().map(|step| describe(lead_id, step)).collect())
}

fn describe(lead_id: &LeadId, step: &Replayed<'_>) -> Step {
    let entry = step.entry;
    let before = step.before.as_ref();
    let data = changed(before, &step.after);
    let replied = entry.arrival.as_ref().is_some_and(|it| it.replied);
    Step {
        id: entry.order.id.clone(),
        at: entry.order.at,
        received_at: entry.order.received_at,
        arrival: entry.arrival.clone(),
        says: says(entry),
        state_before: before.map_or(START, |it| &it.state).to_owned(),
        state_after: step.after.state.clone(),
        score: step.after.score,
        prompt: step.prompt.as_ref().map(text),
        reply_id: replied.then(|| format!("{lead_id}:{}", entry.order.id)),
        why: why(step, &data),
        data,
    }
}

fn changed(before: Option<&Conversation>, after: &Conversation) -> Map<String, Value> {
    let empty = Map::new();
    let before = before.map_or(&empty, |it| &it.data);
    let set = after
        .data
        .iter()
        .filter(|(field, value)| before.get(*field) != Some(value))
        .map(|(field, value)| (field.clone(), value.clone()));
    let cleared = before
        .keys()
        .filter(|field| !after.data.contains_key(*field))
        .map(|field| (field.clone(), Value::Null));
    set.chain(cleared).collect()
}

/// Returns the input's content in one line.
fn says(entry: &Entry) -> String {
    match (&entry.amends, &entry.answer) {
        (Some(amendment), _) => match &amendment.text {
            Some(text) => format!("edits {} to {text:?}", amendment.message_id),
            None => format!("revokes {}", amendment.message_id),
        },
        (None, TurnInput::Text(text)) => format!("{text:?}"),
        (None, TurnInput::Captioned(caption)) => format!("media with the caption {caption:?}"),
        (None, TurnInput::Media(media)) => {
            let kind = serde_json::to_value(media.kind).unwrap_or_default();
            let kind = kind.as_str().unwrap_or("media").to_owned();
            let caption = media.caption.as_ref();
            caption.map_or_else(
                || kind.clone(),
                |it| format!("{kind} with the caption {it:?}"),
            )
        }
        (None, TurnInput::Choice { title, .. }) => format!("chooses {title:?}"),
        (None, TurnInput::Takeover) => "a person of the business writes".to_owned(),
        (None, TurnInput::Say { body, template, .. }) => match template {
            None => format!("a person of the business says {body:?}"),
            Some(name) if body.is_empty() => {
                format!("a person of the business sends the template {name}")
            }
            Some(name) => format!(
                "a person of the business says {body:?}, or sends the template {name} outside the window"
            ),
        },
        (None, TurnInput::Restart) => "a person of the business restarts the flow".to_owned(),
        (None, TurnInput::Release) => "a person of the business releases the lead".to_owned(),
        (None, TurnInput::Assign(Some(name))) => format!("is assigned to {name:?}"),
        (None, TurnInput::Assign(None)) => "is assigned to nobody".to_owned(),
        (None, TurnInput::Undelivered(undelivered)) => {
            let reply = entry.order.id.as_str();
            let reply = reply.strip_suffix("/delivery").unwrap_or(reply);
            format!("reply {reply}: {}", result(undelivered))
        }
        (None, TurnInput::Ignored) => "a reaction, a notice or the like".to_owned(),
        (None, _) => "no text (a location, a contact or the like)".to_owned(),
    }
}

/// Returns the result of a reply, in words.
fn result(undelivered: &Undelivered) -> String {
    let what = match undelivered.class {
        UndeliveredClass::UnknownOutcome => "nobody knows whether it was delivered".to_owned(),
        UndeliveredClass::HandedOff => "an operator gave it to a person".to_owned(),
        class => format!("not delivered: {}", class.as_str()),
    };
    match undelivered.code {
        Some(code) => format!("{what} ({code})"),
        None => what,
    }
}

fn why(step: &Replayed<'_>, data: &Map<String, Value>) -> String {
    let mut reasons = Vec::new();
    if let Some(amending) = step.amended_by {
        let verb = match amending.amends.as_ref().and_then(|it| it.text.as_ref()) {
            Some(text) => format!("edited to {text:?}"),
            None => "revoked".to_owned(),
        };
        reasons.push(format!("{verb} by {}", amending.order.id));
    }
    let before = step.before.as_ref();
    let (was, is) = (before.map_or(START, |it| &it.state), &step.after.state);
    for (field, value) in data {
        reasons.push(match value {
            Value::Null => format!("`{field}` is cleared"),
            value => format!("read as `{field}` = {value}"),
        });
    }
    if let Some(count) = step.non_answers {
        reasons.push(format!("{} non-answer to what {was} asks", ordinal(count)));
    }
    let is_message = step.entry.answer.is_from_provider();
    let is_silent = is_message && step.after.is_silent_to_machine(step.entry.order.at);
    if is_silent && step.prompt.is_none() {
        reasons.push("no reply, because a machine seems to answer by itself".to_owned());
    } else if was != is {
        reasons.push(format!("{was} leads to {is}"));
        if is_message && !step.entry.can_reply && is == HUMAN_HANDOFF {
            reasons.push("version 0.1.0 sent nothing through WASenderApi".to_owned());
        }
    } else if let TurnInput::Undelivered(undelivered) = &step.entry.answer {
        let is_open = before.is_some_and(|it| it.is_last_question(undelivered.asked_at));
        reasons.push(if is_open {
            "the flow does nothing about it".to_owned()
        } else {
            "it is about no open question".to_owned()
        });
    } else if step.prompt.is_some() && data.is_empty() && step.non_answers.is_none() {
        reasons.push(format!("no answer to what {was} asks"));
    } else if data.is_empty() && step.amended_by.is_none() && step.non_answers.is_none() {
        reasons.push("the flow has nothing to say to it".to_owned());
    }
    reasons.join("; ")
}

/// Returns the ordinal of a small number as a word.
fn ordinal(number: u32) -> String {
    const WORDS: [&str; 10] = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth",
    ];
    let index = usize::try_from(number)
        .ok()
        .and_then(|it| it.checked_sub(1));
    match index.and_then(|index| WORDS.get(index)) {
        Some(word) => (*word).to_owned(),
        None => format!("{number}th"),
    }
}

/// The result of a record of `lead.inputs`, in a journal without eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordResult {
    Folded,
    /// A duplicate of an input that was folded.
    Duplicate,
    /// A merge request of another lead.
    Merge,
    /// The record has another key than the lead's home. It was forwarded there, or folded by a lead
    /// that merged with this one.
    Elsewhere,
    Unreadable,
}

/// A lead's inputs as the topic holds them.
#[derive(Debug)]
pub struct History<'a> {
    flows: &'a Flows,
    journal: Journal,
    revision: Revision,
}

impl<'a> History<'a> {
    #[must_use]
    pub fn new(flows: &'a Flows) -> Self {
        Self {
            flows,
            journal: Journal::default(),
            revision: Revision::default(),
        }
    }

    /// Folds a record of the lead's home; records come in the order of the log.
    ///
    /// # Errors
    /// Returns an error if a flow is no longer published.
    pub fn fold(
        &mut self,
        partition: Partition,
        offset: Offset,
        record: LeadInput,
    ) -> Result<RecordResult, FoldError> {
        let arrival = |revision, replied| Arrival {
            partition,
            offset,
            revision,
            replied,
        };
        match Inbound::try_from(record) {
            Ok(inbound) if inbound.erases() => {
                self.journal = Journal::default();
                Ok(RecordResult::Folded)
            }
            Ok(
                Inbound::Message(input)
                | Inbound::Command(Command { input, .. })
                | Inbound::Delivery(input),
            ) => {
                let admission = self
                    .journal
                    .admit(self.flows, &input, usize::MAX, || false)?;
                let Admission::Folded { change, prompt, .. } = admission else {
                    return Ok(RecordResult::Duplicate);
                };
                let revision = change.map(|_| self.next_revision());
                let id = &input.order.id;
                self.journal
                    .record_arrival(id, arrival(revision, prompt.is_some()));
                Ok(RecordResult::Folded)
            }
            Ok(Inbound::Merge(merge)) => {
                if let Some(other) = merge.closed {
                    self.journal.join(self.flows, other.journal, usize::MAX)?;
                    self.next_revision();
                }
                Ok(RecordResult::Merge)
            }
            Err(_) => Ok(RecordResult::Unreadable),
        }
    }

    const fn next_revision(&mut self) -> Revision {
        self.revision = self.revision.next();
        self.revision
    }

    /// Returns the conversation of the folded records.
    ///
    /// # Errors
    /// Returns the errors of [`Self::fold`].
    pub fn messages(&self, lead_id: &LeadId) -> Result<Messages, FoldError> {
        Messages::of_log(lead_id, self.flows, &self.journal)
    }

    /// Replaces the steps of PostgreSQL's journal by the steps of this history.
    ///
    /// # Errors
    /// Returns the errors of [`Self::fold`].
    pub fn explain(self, explanation: &mut Explanation) -> Result<(), FoldError> {
        let known: BTreeMap<InputId, Step> = std::mem::take(&mut explanation.steps)
            .into_iter()
            .map(|step| (step.id.clone(), step))
            .collect();
        explanation.steps = steps(self.flows, &explanation.lead_id, &self.journal)?;
        for step in &mut explanation.steps {
            // The engine's bookkeeping takes precedence over conclusions from the log.
            if let Some(stored) = known.get(&step.id).filter(|it| it.arrival.is_some()) {
                step.arrival.clone_from(&stored.arrival);
                step.reply_id.clone_from(&stored.reply_id);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::{InputKind, Platform, Sender};

    use super::*;
    use crate::flow::{DEFAULT_FLOW, Flow};
    use leadstream_schemas::Content;

    /// Returns why each text did what it did, in the default flow.
    fn reasons(texts: &[&str]) -> Vec<String> {
        let flows = Flows::new(Flow::parse("default", DEFAULT_FLOW).unwrap(), Vec::new());
        let mut history = History::new(&flows);
        for (index, text) in (0_i64..).zip(texts) {
            let at = Timestamp::from_secs(1_790_000_000 + 60 * index);
            let record = LeadInput {
                id: format!("wamid.{index}").into(),
                kind: InputKind::Message,
                platform: Platform::WhatsappCloud,
                number: "1".to_owned(),
                sender: Sender {
                    wa_id: Some("4915112345678".to_owned()),
                    ..Sender::default()
                },
                sent_at: at,
                received_at: at,
                item: 0,
                content: Content::Text {
                    body: (*text).to_owned(),
                },
                referral: None,
                raw: None,
            };
            let result = history.fold(Partition(0), Offset(index), record).unwrap();
            assert_eq!(result, RecordResult::Folded);
        }
        let steps = steps(&flows, &"4915112345678".into(), &history.journal).unwrap();
        steps.into_iter().map(|step| step.why).collect()
    }

    #[test]
    fn non_answers_are_counted_in_words() {
        let why = reasons(&[
            "Hi",
            "John Doe",
            "what?",
            "no idea",
            "pizza",
            "human please",
        ]);
        assert!(
            why[2].starts_with("first non-answer to what AWAITING_BUDGET asks"),
            "{why:?}"
        );
        assert!(
            why[3].starts_with("second non-answer to what AWAITING_BUDGET asks"),
            "{why:?}"
        );
        let third =
            "third non-answer to what AWAITING_BUDGET asks; AWAITING_BUDGET leads to HUMAN_HANDOFF";
        assert_eq!(why[4], third);
        let why = reasons(&["Hi", "John Doe", "what?", "$7,500 a month"]);
        assert!(!why[3].contains("non-answer"), "{why:?}");
        let why = reasons(&["Hi", "John Doe", "what?", "human please"]);
        assert!(
            !why[3].contains("non-answer"),
            "a request for a person: {why:?}"
        );
    }

    #[test]
    fn what_did_not_arrive_is_explained_with_its_class_and_code() {
        let flows = Flows::new(Flow::parse("default", DEFAULT_FLOW).unwrap(), Vec::new());
        let mut history = History::new(&flows);
        let asked_at = Timestamp::from_secs(1_790_000_000);
        let undelivered = |class, asked_at| Content::Undelivered {
            reply_id: "49:a".to_owned(),
            class,
            code: Some(131_026),
            asked_at,
        };
        let contents = [
            Content::Text { body: "Hi".into() },
            undelivered(UndeliveredClass::Rejected, Some(asked_at)),
            undelivered(UndeliveredClass::Unreachable, None),
            undelivered(UndeliveredClass::Unreachable, Some(asked_at)),
            undelivered(UndeliveredClass::UnknownOutcome, Some(asked_at)),
        ];
        for (index, content) in (0_i64..).zip(contents) {
            let at = Timestamp::from_secs(1_790_000_000 + index);
            let is_message = index == 0;
            let record = LeadInput {
                id: format!("49:a{index}/delivery").into(),
                kind: if is_message {
                    InputKind::Message
                } else {
                    InputKind::Delivery
                },
                platform: Platform::WhatsappCloud,
                number: "1".to_owned(),
                sender: Sender::default(),
                sent_at: at,
                received_at: at,
                item: 0,
                content,
                referral: None,
                raw: None,
            };
            history.fold(Partition(0), Offset(index), record).unwrap();
        }
        let steps = steps(&flows, &"49".into(), &history.journal).unwrap();
        let told: Vec<_> = steps
            .iter()
            .skip(1)
            .map(|it| (&*it.says, &*it.why))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "reply 49:a1: not delivered: rejected (131026)",
                    "the flow does nothing about it"
                ),
                (
                    "reply 49:a2: not delivered: unreachable (131026)",
                    "it is about no open question"
                ),
                (
                    "reply 49:a3: not delivered: unreachable (131026)",
                    "AWAITING_NAME leads to COLD"
                ),
                (
                    "reply 49:a4: nobody knows whether it was delivered (131026)",
                    "it is about no open question"
                ),
            ]
        );
    }

    #[test]
    fn ordinals_are_words_and_then_numbers() {
        for (number, expected) in [(1, "first"), (3, "third"), (10, "tenth"), (11, "11th")] {
            assert_eq!(ordinal(number), expected);
        }
    }
}
