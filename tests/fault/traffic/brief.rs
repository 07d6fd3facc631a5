//! People who are not there for long: some write once and fall silent until they go cold, some ask to
//! be forgotten, and some of those come back.

use std::collections::VecDeque;

use leadstream_schemas::{Content, InputKind, LeadInput, Sender, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::people::{Says, line, message};

/// When who is silent goes cold, in milliseconds, as the flow has it.
const COLD_AFTER: i64 = 30 * 24 * 3_600_000;
/// People at once who will ask to be forgotten.
const POOL: usize = 40;

pub(super) struct Brief {
    random: StdRng,
    start: i64,
    silent: Vec<LeadInput>,
    /// What each of them has still to say.
    leaving: Vec<VecDeque<LeadInput>>,
    left: i64,
}

impl Brief {
    pub(super) fn new(seed: u64, start: i64) -> Self {
        Self {
            random: StdRng::seed_from_u64(!seed),
            start,
            silent: Vec::new(),
            leaving: Vec::new(),
            left: 0,
        }
    }

    /// What is written at `now`.
    pub(super) fn next(&mut self, now: Timestamp) -> Vec<Says> {
        let mut says = Vec::new();
        match self.random.random_range(0..10) {
            0..3 => says.push(self.fall_silent(now)),
            3 => says.extend(self.silent.choose(&mut self.random).cloned()),
            _ => {}
        }
        while self.leaving.len() < POOL {
            let leaving = self.leave();
            self.leaving.push(leaving);
        }
        let index = self.random.random_range(0..POOL);
        says.extend(self.leaving[index].pop_front());
        self.leaving.retain(|it| !it.is_empty());
        says.into_iter().map(Box::new).map(Says::Input).collect()
    }

    /// What those who leave have still to say.
    pub(super) fn rest(&mut self) -> Vec<Says> {
        let rest = self.leaving.drain(..).flatten();
        rest.map(Box::new).map(Says::Input).collect()
    }

    /// As though they had written long ago, so that their time comes soon.
    fn fall_silent(&mut self, now: Timestamp) -> LeadInput {
        let number = self.silent.len();
        let sent_at = now.millis() - COLD_AFTER + self.random.random_range(1_000..20_000);
        let input = message(
            format!("s-{number}"),
            of(&format!("1666{number:08}")),
            sent_at,
            text(&mut self.random),
        );
        self.silent.push(input.clone());
        input
    }

    /// All that one of them says.
    fn leave(&mut self) -> VecDeque<LeadInput> {
        self.left += 1;
        let random = &mut self.random;
        let (number, mut at) = (self.left, self.start + self.left * 1000);
        let wa_id = format!("1667{number:08}");
        let mut says = VecDeque::new();
        // More than a journal holds, sometimes.
        for position in 0..random.random_range(1..13) {
            at += 1000;
            let id = format!("e-{number}-{position}");
            says.push_back(message(id, of(&wa_id), at, text(random)));
        }
        let copy = says[random.random_range(0..says.len())].clone();
        at += 1000;
        let erase = Content::Erase { of: None };
        says.push_back(LeadInput {
            kind: InputKind::Command,
            ..message(format!("c-e-{number}"), of(&wa_id), at, erase)
        });
        if random.random_bool(0.5) {
            says.push_back(copy);
        }
        if random.random_bool(0.3) {
            let id = format!("e-{number}-again");
            says.push_back(message(id, of(&wa_id), at + 1000, text(random)));
        }
        says
    }
}

fn text(random: &mut StdRng) -> Content {
    let body = line(random).unwrap_or("Hello").into();
    Content::Text { body }
}

fn of(wa_id: &str) -> Sender {
    Sender {
        wa_id: Some(wa_id.to_owned()),
        ..Sender::default()
    }
}
