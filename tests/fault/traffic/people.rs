//! Generates people and their messages from a seed. 5 % of inputs come twice, 5 % late within their
//! lead, 1 % of records are poison, 1 % are commands. Some people write under two ids.

use leadstream_harness::NUMBER;
use leadstream_schemas::{Content, InputKind, LeadInput, Platform, Sender, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::replies::number_of;

/// The number of people who write concurrently.
const POOL: usize = 300;
/// A late input comes after at most this many later ones: more than a journal holds.
const LATEST: u32 = 12;

/// A record of `lead.inputs`.
pub(crate) enum Says {
    Input(Box<LeadInput>),
    Poison { key: String, bytes: Vec<u8> },
}

/// Returns a random line; `None` is an image.
pub(crate) fn line(random: &mut StdRng) -> Option<&'static str> {
    const LINES: [Option<&str>; 12] = [
        Some("Hi"),
        Some("John Doe"),
        Some("$7,500 a month"),
        Some("Zoë O'Neil / Ünal"),
        Some("between 3 and 5k"),
        Some("300"),
        Some("no idea"),
        Some("Berlin"),
        Some("RESTART"),
        Some("👍"),
        Some("Anna \"the boss\" {budget}"),
        None,
    ];
    LINES.choose(random).copied().flatten()
}

/// Returns a message that is received when it is sent, in milliseconds.
pub(super) fn message(id: String, sender: Sender, sent_at: i64, content: Content) -> LeadInput {
    LeadInput {
        id: id.into(),
        kind: InputKind::Message,
        platform: Platform::WhatsappCloud,
        number: NUMBER.into(),
        sender,
        sent_at: Timestamp::from_millis(sent_at),
        received_at: Timestamp::from_millis(sent_at),
        item: 0,
        content,
        referral: None,
        raw: None,
    }
}

struct Person {
    number: u64,
    at: i64,
    said: u32,
    /// The number of commands given to the lead.
    agent_messages: u32,
    length: u32,
    /// Writes under a number and a user id.
    two_ids: bool,
    sent: Vec<LeadInput>,
    /// Inputs held back, each until so many later ones are written.
    held: Vec<(u32, LeadInput)>,
}

pub(crate) struct People {
    random: StdRng,
    pool: Vec<Person>,
    /// The time at which the first of them begins, in milliseconds.
    start: i64,
    born: u64,
    poison: u64,
}

impl People {
    pub(crate) fn new(seed: u64, start: i64) -> Self {
        let mut people = Self {
            random: StdRng::seed_from_u64(seed),
            pool: Vec::new(),
            start,
            born: 0,
            poison: 0,
        };
        for _ in 0..POOL {
            let person = people.born();
            people.pool.push(person);
        }
        people
    }

    fn born(&mut self) -> Person {
        self.born += 1;
        let two_ids = self.random.random_range(0..30) == 0;
        let length = if two_ids {
            // One journal holds all messages of both leads, and the results of some replies.
            self.random.random_range(3..6)
        } else {
            self.random.random_range(4..30)
        };
        Person {
            number: self.born,
            at: self.start + i64::try_from(self.born).unwrap_or_default() * 1000,
            said: 0,
            agent_messages: 0,
            length,
            two_ids,
            sent: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Returns the next records.
    pub(crate) fn next(&mut self) -> Vec<Says> {
        let index = self.random.random_range(0..self.pool.len());
        let draw = self.random.random_range(0..100);
        if draw == 0 {
            return vec![self.poison(index)];
        }
        let person = &mut self.pool[index];
        if draw < 6
            && let Some(copy) = person.sent.choose(&mut self.random)
        {
            let mut copy = copy.clone();
            let later = self.random.random_range(1_000..60_000);
            copy.received_at = Timestamp::from_millis(copy.received_at.millis() + later);
            return vec![Says::Input(Box::new(copy))];
        }
        let input = if draw == 99 && !person.two_ids {
            person.command(&mut self.random)
        } else {
            person.speak(&mut self.random)
        };
        let mut says = Vec::new();
        if (draw < 11 || draw == 99 && self.random.random_range(0..10) == 0) && !person.two_ids {
            let later = self.random.random_range(1..=LATEST);
            person.held.push((later, input));
        } else {
            says.push(input);
            says.extend(person.overdue(1));
        }
        if person.said == person.length {
            says.extend(person.overdue(LATEST));
            let next = self.born();
            self.pool[index] = next;
        } else {
            person.sent.extend(says.iter().cloned());
        }
        says.into_iter().map(Box::new).map(Says::Input).collect()
    }

    /// Returns the inputs still held back, and the remaining messages of people with two ids.
    pub(crate) fn rest(&mut self) -> Vec<Says> {
        let mut says = Vec::new();
        for person in &mut self.pool {
            says.extend(person.overdue(LATEST));
            while person.two_ids && person.said < person.length {
                says.push(person.speak(&mut self.random));
            }
        }
        says.into_iter().map(Box::new).map(Says::Input).collect()
    }

    /// Returns a poison record with unique bytes.
    fn poison(&mut self, index: usize) -> Says {
        self.poison += 1;
        let count = self.poison;
        let key = self.pool[index].sender(3).wa_id.unwrap_or_default();
        let bytes = match count % 3 {
            0 => format!("not framed {count}").into_bytes(),
            1 => [
                b"\0\0\0\0\x01{\"id\":".as_slice(),
                count.to_string().as_bytes(),
            ]
            .concat(),
            _ => [
                b"\0\0\0\0\x01".as_slice(),
                format!("{{\"id\":\"{count}\"}}").as_bytes(),
            ]
            .concat(),
        };
        Says::Poison { key, bytes }
    }
}

impl Person {
    fn sender(&self, shows: u8) -> Sender {
        let has = |bit: u8| shows & bit != 0;
        Sender {
            wa_id: has(1).then(|| format!("1555{:08}", self.number)),
            user_id: (self.two_ids && has(2)).then(|| format!("DE.{}", self.number)),
            lid: None,
            name: Some(format!(
                "Profile {}{}",
                self.number,
                if self.two_ids { " of two" } else { "" }
            )),
            jid: None,
        }
    }

    fn speak(&mut self, random: &mut StdRng) -> LeadInput {
        self.said += 1;
        self.at += random.random_range(0..4) * 1000;
        let shows = match self.two_ids {
            // The last message shows both ids, so that both become known as one person.
            true if self.said < self.length => random.random_range(1..4),
            _ => 3,
        };
        let content = match line(random) {
            Some(text) => Content::Text { body: text.into() },
            None => Content::Unsupported {
                provider_type: None,
            },
        };
        let id = format!("m-{}-{}", self.number, self.said);
        LeadInput {
            number: number_of(self.number).into(),
            received_at: Timestamp::from_millis(self.at + random.random_range(0..1500)),
            item: random.random_range(0..3),
            ..message(id, self.sender(shows), self.at, content)
        }
    }

    /// Returns a command of the business, perhaps to a lead that has not written yet.
    fn command(&mut self, random: &mut StdRng) -> LeadInput {
        self.agent_messages += 1;
        self.at += random.random_range(0..4) * 1000;
        let content = match random.random_range(0..4) {
            0 => Content::Restart,
            1 | 2 => Content::Release,
            _ => Content::Say {
                body: format!("I am Ana, {}.", self.agent_messages),
                template: None,
            },
        };
        let id = format!("c-{}-{}", self.number, self.agent_messages);
        let sender = Sender {
            name: None,
            ..self.sender(1)
        };
        LeadInput {
            kind: InputKind::Command,
            number: number_of(self.number).into(),
            ..message(id, sender, self.at, content)
        }
    }

    /// Returns the held inputs that are due after `later` more were written.
    fn overdue(&mut self, later: u32) -> Vec<LeadInput> {
        for (left, _) in &mut self.held {
            *left = left.saturating_sub(later);
        }
        let mut due = Vec::new();
        self.held.retain(|(left, input)| {
            if *left == 0 {
                due.push(input.clone());
            }
            *left > 0
        });
        due
    }
}
