//! Generates conversations and the results that the pure fold expects.

use leadstream_harness::NUMBER;
use leadstream_processor::flow::{Conversation, DEFAULT_FLOW, Flow, TurnInput};
use leadstream_processor::flows::Flows;
use leadstream_processor::lead::{OrderKey, fold};
use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person, wamid};
use leadstream_schemas::{InputId, ReplyContent, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// One message of a lead.
#[derive(Clone)]
pub(crate) struct SentMessage {
    pub(crate) id: String,
    pub(crate) sent_at: Timestamp,
    /// `None` for an image.
    text: Option<&'static str>,
}

pub(crate) struct Script {
    pub(crate) person: Person,
    pub(crate) said: Vec<SentMessage>,
}

/// An event as the fold explains it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpectedEvent {
    pub(crate) revision: u64,
    pub(crate) previous_state: String,
    pub(crate) after: Conversation,
    pub(crate) timestamp: Timestamp,
}

/// The expected results of a script.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) lead_id: String,
    pub(crate) profile_name: String,
    pub(crate) events: Vec<ExpectedEvent>,
    /// Ids and texts, in order.
    pub(crate) replies: Vec<(String, String)>,
    pub(crate) conversation: Conversation,
    pub(crate) last_interaction: Timestamp,
}

/// The messages of leads; index 0 is a greeting.
const LINES: &[&str] = &[
    "Hi",
    "John Doe",
    "$7,500 a month",
    "Zoë O'Neil / Ünal",
    "between 3 and 5k",
    "300",
    "no idea",
    "R$ 10 mil",
    "RESTART",
    "👍",
    "Anna \"the boss\" {budget}",
];

/// Returns `count` scripts, the same for the same seed. Half of them are the straight conversation.
pub(crate) fn scripts(count: usize, seed: u64) -> Vec<Script> {
    let mut random = StdRng::seed_from_u64(seed);
    let start = Timestamp::now().millis() / 1000 - 3600;
    (0..count)
        .map(|index| {
            let person = Person::new(
                format!("1555{seed:03}{index:04}"),
                format!("Profile {index}"),
            );
            let lines: Vec<Option<&'static str>> = if index % 2 == 0 {
                vec![Some("Hi"), Some("John Doe"), Some("$7,500 a month")]
            } else {
                (0..random.random_range(2..9))
                    .map(|_| {
                        let line = random.random_range(0..=LINES.len());
                        LINES.get(line).copied()
                    })
                    .collect()
            };
            let said = lines
                .into_iter()
                .zip(0_i64..)
                .map(|(text, position)| SentMessage {
                    id: wamid(&format!("{seed}-{index}-{position}")),
                    sent_at: Timestamp::from_secs(start + position * 7),
                    text,
                })
                .collect();
            Script { person, said }
        })
        .collect()
}

impl Script {
    /// Returns the webhook of message `index`.
    pub(crate) fn webhook(&self, index: usize) -> Vec<u8> {
        let said = &self.said[index];
        let webhook = MetaWebhook::new(&BusinessNumber::new(NUMBER));
        let at = said.sent_at.millis() / 1000;
        match said.text {
            Some(text) => webhook.text(&self.person, &said.id, at, text),
            None => webhook.image(&self.person, &said.id, at, None),
        }
        .to_bytes()
    }

    /// Folds the script message by message.
    pub(crate) fn expected(&self) -> anyhow::Result<Expected> {
        let flows = Flows::new(Flow::parse("the default flow", DEFAULT_FLOW)?, Vec::new());
        let lead_id = self.person.wa_id.clone().unwrap_or_default();
        let mut conversation: Option<Conversation> = None;
        let (mut events, mut replies) = (Vec::new(), Vec::new());
        let mut last_interaction = Timestamp::default();
        for said in &self.said {
            let answer = said
                .text
                .map_or(TurnInput::Other, |text| TurnInput::Text(text.to_owned()));
            let order = OrderKey {
                at: said.sent_at,
                received_at: said.sent_at,
                item: 0,
                id: InputId::default(),
            };
            let (next, prompt) = fold(&flows, conversation.as_ref(), &order, &answer)?;
            if conversation
                .as_ref()
                .is_none_or(|before| before.differs(&next))
            {
                events.push(ExpectedEvent {
                    revision: events.len() as u64 + 1,
                    previous_state: conversation.map_or("START".to_owned(), |before| before.state),
                    after: next.clone(),
                    timestamp: said.sent_at,
                });
            }
            if let Some(ReplyContent::Text { body, .. }) = prompt {
                replies.push((format!("{lead_id}:{}", said.id), body));
            }
            conversation = Some(next);
            last_interaction = said.sent_at;
        }
        Ok(Expected {
            lead_id,
            profile_name: self.person.name.clone().unwrap_or_default(),
            events,
            replies,
            conversation: conversation.unwrap_or_else(|| unreachable!("a script is never empty")),
            last_interaction,
        })
    }
}
