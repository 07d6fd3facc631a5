//! Generates people who stay only briefly. Some write once and are silent until they go cold. Some
//! ask for erasure, and some of those return.

use std::collections::VecDeque;

use leadstream_schemas::{Content, InputKind, LeadInput, Sender, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::people::{Says, line, message};

/// The silence after which a lead goes cold, in milliseconds, as in the flow.
const COLD_AFTER: i64 = 30 * 24 * 3_600_000;
/// The number of concurrent people who will ask for erasure.
const POOL: usize = 40;

pub(super) struct Brief {
    random: StdRng,
    start: i64,
    silent: Vec<LeadInput>,
    /// The remaining messages of each person.
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

    /// Returns the inputs that are written at `now`.
    pub(super) fn next(&mut self, now: Timestamp) -> Vec<Says> {
        let mut says = Vec::new();
        match self.random.random_range(0..10) {
            0..3 => says.push(self.fall_silent(now)),
            3 => says.extend(self.silent.choose(&mut self.random).cloned()),
            _ => {}
        }
        while self.leaving.len() < POOL {
            let leaving = self.short_stay();
            self.leaving.push(leaving);
        }
        let index = self.random.random_range(0..POOL);
        says.extend(self.leaving[index].pop_front());
        self.leaving.retain(|it| !it.is_empty());
        says.into_iter().map(Box::new).map(Says::Input).collect()
    }

    /// Returns the remaining messages of people who leave.
    pub(super) fn rest(&mut self) -> Vec<Says> {
        let rest = self.leaving.drain(..).flatten();
        rest.map(Box::new).map(Says::Input).collect()
    }

    /// Returns an input dated long ago, so that the lead's timer is due soon.
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

    /// Returns all messages of one such person.
    fn short_stay(&mut self) -> VecDeque<LeadInput> {
        self.left += 1;
        let random = &mut self.random;
        let (number, mut at) = (self.left, self.start + self.left * 1000);
        let wa_id = format!("1667{number:08}");
        let mut says = VecDeque::new();
        // Sometimes more messages than a journal holds.
        for position in 0..random.random_range(1..13) {
            at += 1000;
            let id = format!("e-{number}-{position}");
            says.push_back(message(id, of(&wa_id), at, text(random)));
        }
        let duplicate = says[random.random_range(0..says.len())].clone();
        at += 1000;
        let erase = Content::Erase { of: None };
        says.push_back(LeadInput {
            kind: InputKind::Command,
            ..message(format!("c-e-{number}"), of(&wa_id), at, erase)
        });
        if random.random_bool(0.5) {
            says.push_back(duplicate);
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
