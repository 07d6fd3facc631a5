//! Holds senders against what must always be true: any interleaving of records, claims, answers,
//! statuses, outcomes, crashes, graceful restarts and time. `MODEL_CASES` and `MODEL_SEED` choose the
//! cases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use leadstream_schemas::reply::{WithdrawReason, WithdrawScope};
use leadstream_schemas::{LeadId, ReplyContent, ReplyKind, Revision};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng as _, SeedableRng};

use super::*;
use crate::consume::plan::Arrival;
use crate::pacing::{PAIR_WINDOW, PastAttempts};

const LEADS: [&str; 3] = ["ann", "bea", "cid"];
const STEPS: usize = 60;
/// The lead to which a former owner of the number wrote a lot.
const BUSY: &str = LEADS[0];
/// Attempts to one lead that may be made in [`PAIR_WINDOW`].
const PAIR_LIMIT: usize = 45;
/// The time in which the requests of a number with a low rate are counted.
const PACED: Duration = Duration::from_secs(1);

/// An action that was begun and not carried out.
enum Job {
    Claim(usize, Option<Vec<Uuid>>),
    Request(Uuid),
    Answer(Uuid, SendResult),
    DeadLetter(Uuid),
    Record(Vec<Outcome>),
    CheckHealth,
    Store(NumberState),
}

struct World {
    rng: StdRng,
    ledger: MemoryLedger,
    log: Vec<Arrival>,
    dispatcher: Dispatcher,
    process: Uuid,
    jobs: Vec<Job>,
    now: Timestamp,
    policy: UnknownPolicy,
    /// Messages per second of the number.
    throughput: u32,
    /// The attempts of a former owner.
    past: Vec<PastAttempts>,
    /// When requests began, and to which lead.
    begun: Vec<(Timestamp, LeadId)>,
    /// Whether all statuses are read before a time counts as passed. Otherwise some never come.
    statuses_in_time: bool,
    /// Statuses that WhatsApp has posted, and whether each was read.
    statuses: Vec<(MessageStatus, bool)>,
    /// Messages that WhatsApp accepted, per reply.
    applied: BTreeMap<Uuid, usize>,
    /// Those of them that reach their person.
    reached: BTreeMap<Uuid, usize>,
    dead_letters: BTreeSet<Uuid>,
    /// What is stored of the number.
    number_state: NumberState,
    /// Requests whose answer got lost, per reply: by WhatsApp, or by a crash.
    lost: BTreeMap<Uuid, usize>,
    story: String,
}

fn two_at_a_time(policy: UnknownPolicy, throughput: u32) -> Settings {
    let mut settings = settings();
    settings.limits.concurrency = 2;
    settings.limits.throughput = Some(throughput);
    settings.policy = policy;
    settings
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let policies = [
            UnknownPolicy::Evidence,
            UnknownPolicy::HandOff,
            UnknownPolicy::SendAgain,
            UnknownPolicy::Drop,
        ];
        let policy = *policies.choose(&mut rng).unwrap();
        let throughput = *[1, 2, 100_000, 100_000].choose(&mut rng).unwrap();
        let mut past = Vec::new();
        if rng.random_bool(0.3) {
            past.push((BUSY.into(), NOW, rng.random_range(40..=45)));
        }
        let inherited = Inherited {
            attempts: past.clone(),
            ..Inherited::default()
        };
        let settings = two_at_a_time(policy, throughput);
        Self {
            policy,
            throughput,
            past,
            begun: Vec::new(),
            statuses_in_time: rng.random_bool(0.5),
            statuses: Vec::new(),
            reached: BTreeMap::new(),
            rng,
            ledger: MemoryLedger::default(),
            log: Vec::new(),
            dispatcher: Dispatcher::new(settings, inherited, NOW),
            process: Uuid::from_u128(1),
            jobs: Vec::new(),
            now: NOW,
            applied: BTreeMap::new(),
            dead_letters: BTreeSet::new(),
            number_state: NumberState::default(),
            lost: BTreeMap::new(),
            story: String::new(),
        }
    }

    fn told(&mut self, what: impl std::fmt::Display) {
        writeln!(self.story, "{what}").unwrap();
    }

    fn handle(&mut self, event: Event) {
        for effect in self.dispatcher.handle(event, self.now) {
            match effect {
                Effect::Claim { limit, held } => self.jobs.push(Job::Claim(limit, held)),
                Effect::Send(token, _) => {
                    // A paused number sends a probe, and nothing beside it.
                    let (paused, sending) = (self.dispatcher.paused(), self.dispatcher.sending());
                    assert!(paused.is_none() || sending == 1, "{}", self.story);
                    self.begins(token);
                    self.jobs.push(Job::Request(token));
                }
                Effect::DeadLetter(token, _) => self.jobs.push(Job::DeadLetter(token)),
                Effect::Record(outcomes) => self.jobs.push(Job::Record(outcomes)),
                Effect::CheckHealth => self.jobs.push(Job::CheckHealth),
                Effect::Store(number_state) => self.jobs.push(Job::Store(number_state)),
                Effect::Count(_) => {}
            }
        }
        assert!(self.dispatcher.sending() <= 2, "{}", self.story);
    }

    /// Checks that a request keeps to the pace of its lead and of its number.
    fn begins(&mut self, token: Uuid) {
        let lead = self.ledger.rows[&token].open.lead_id.clone();
        let within = |at: Timestamp, time| after(at, time) > self.now;
        let past = self
            .past
            .iter()
            .filter(|(of, at, _)| *of == lead && within(*at, PAIR_WINDOW));
        let past: u32 = past.map(|(.., count)| count).sum();
        self.begun.push((self.now, lead));
        let (at, lead) = self.begun.last().unwrap();
        let of_lead = self
            .begun
            .iter()
            .filter(|(begun, of)| of == lead && within(*begun, PAIR_WINDOW));
        let of_lead = of_lead.count() + usize::try_from(past).unwrap();
        assert!(
            of_lead <= PAIR_LIMIT,
            "{of_lead} attempts to {lead:?}: {}",
            self.story
        );
        let recent = self.begun.iter().filter(|(begun, _)| within(*begun, PACED));
        // A probe does not wait for the bucket.
        let (recent, most) = (
            recent.count(),
            usize::try_from(self.throughput).unwrap() + 1,
        );
        assert!(
            recent <= most,
            "{recent} requests until {at:?}: {}",
            self.story
        );
    }

    fn step(&mut self) {
        match self.rng.random_range(0..16) {
            0..3 => self.arrive(),
            3 if self.rng.random_bool(0.3) => self.report(),
            3 => self.repeat_log(),
            4 => self.restart(),
            5 => self.crash(),
            6..8 => self.wait(),
            8..11 => self.read_status(),
            11 => self.pass(),
            _ => self.work(None),
        }
    }

    /// Another process reports that the number's health is in doubt.
    fn report(&mut self) {
        self.told(format_args!("a doubt is reported"));
        self.handle(Event::Reported);
    }

    fn arrive(&mut self) {
        let offset = i64::try_from(self.log.len()).unwrap();
        let lead = *LEADS.choose(&mut self.rng).unwrap();
        let mut reply = prompt(&format!("{lead}{offset}"), lead);
        reply.revision = Revision(offset.unsigned_abs());
        reply.kind = match self.rng.random_range(0..6) {
            0 => Some(ReplyKind::Notice),
            1 => Some(ReplyKind::AgentMessage),
            _ => Some(ReplyKind::Prompt),
        };
        if self.rng.random_bool(0.15) {
            reply.kind = None;
            reply.content = ReplyContent::Withdraw {
                scope: match self.rng.random_bool(0.5) {
                    true => WithdrawScope::All,
                    false => WithdrawScope::Prompts,
                },
                reason: WithdrawReason::Stop,
            };
        }
        if self.rng.random_bool(0.2) {
            reply.not_before = Some(after(self.now, Duration::from_secs(3)));
        }
        if self.rng.random_bool(0.1) {
            reply.expires_at = Some(after(self.now, Duration::from_secs(40)));
        }
        self.told(format_args!("{:?} arrives as {:?}", reply.id, reply.kind));
        self.log.push(arrival(offset, reply));
        let first = self.log.len() - 1;
        self.write(first);
    }

    /// Kafka delivers the end of the log again, after a rebalance.
    fn repeat_log(&mut self) {
        let from = self.rng.random_range(0..=self.log.len());
        self.told(format_args!("the log is read from {from} again"));
        self.write(from);
    }

    fn write(&mut self, from: usize) {
        self.ledger.write(&self.log[from..], self.now);
        self.handle(Event::Written);
    }

    /// Stops the process in order, and starts another one.
    fn restart(&mut self) {
        self.told("restart");
        self.handle(Event::Stop);
        while !self.dispatcher.is_done() {
            self.work(None);
        }
        // As when a number is released.
        self.ledger.release_lost(self.process, &[], self.now);
        // A health call that is under way is of no use any more.
        let left = |job: &Job| !matches!(job, Job::CheckHealth);
        assert!(!self.jobs.iter().any(left), "{}", self.story);
        self.jobs.clear();
        let paused = self.dispatcher.paused().map(|pause| pause.cause);
        let stored = self.number_state.pause.as_ref().map(|pause| pause.cause);
        assert_eq!(paused, stored, "{}", self.story);
        self.begin();
    }

    /// Kills the process. A request in flight may arrive or not.
    fn crash(&mut self) {
        self.told("crash");
        for job in std::mem::take(&mut self.jobs) {
            if let Job::Request(token) = job
                && self.rng.random_bool(0.5)
            {
                self.apply(token);
            }
        }
        // What was claimed and not recorded is unknown to the next owner.
        let rows = self.ledger.rows.iter();
        let leased: Vec<Uuid> = rows
            .filter(|(_, row)| row.is_leased)
            .map(|(token, _)| *token)
            .collect();
        for token in leased {
            *self.lost.entry(token).or_default() += 1;
        }
        self.begin();
    }

    fn begin(&mut self) {
        self.process = Uuid::from_u128(self.process.as_u128() + 1);
        self.now = after(self.now, Duration::from_secs(20));
        let until = after(self.now, Duration::from_secs(60));
        self.ledger.take_over("501", self.process, until, self.now);
        let attempts = self.ledger.past_attempts("501", self.now);
        let inherited = Inherited {
            number_state: self.number_state.clone(),
            attempts: self.past.iter().cloned().chain(attempts).collect(),
        };
        let settings = two_at_a_time(self.policy, self.throughput);
        self.dispatcher = Dispatcher::new(settings, inherited, self.now);
        let paused = self.dispatcher.paused().is_some();
        assert_eq!(paused, self.number_state.pause.is_some(), "{}", self.story);
        self.handle(Event::Written);
    }

    fn wait(&mut self) {
        if let Some(next) = self.dispatcher.next() {
            self.now = self.now.max(next);
            self.handle(Event::Tick);
        }
    }

    /// Carries out one job, with `answer` to a request, or any answer.
    fn work(&mut self, answer: Option<SendResult>) {
        if self.jobs.is_empty() {
            return;
        }
        let position = self.rng.random_range(0..self.jobs.len());
        match self.jobs.remove(position) {
            Job::Claim(limit, held) => {
                let (process, now) = (self.process, self.now);
                if let Some(held) = held {
                    self.ledger.release_lost(process, &held, now);
                }
                let rows = self.ledger.claim("501", limit, self.policy, process, now);
                for row in &rows {
                    self.told(format_args!("{:?} is claimed", self.id(row.token)));
                    assert!(
                        row.ends_as != Some(ReplyState::Withdrawn) || row.late_failure.is_some(),
                        "withdrawn, and claimed: {}",
                        self.story
                    );
                }
                if answer.is_none() && self.rng.random_bool(0.1) {
                    self.told("the answer of the claim is lost");
                    self.handle(Event::ClaimFailed);
                    return;
                }
                let next = self.ledger.next_due("501", now);
                self.handle(Event::Claimed(rows, next));
            }
            Job::Request(token) => self.request(token, answer),
            Job::Answer(token, answer) => self.handle(Event::SendFinished(token, answer)),
            Job::DeadLetter(token) => {
                self.dead_letters.insert(token);
                self.handle(Event::DeadLettered(token));
            }
            Job::CheckHealth => {
                let health = match (&answer, self.rng.random_range(0..5)) {
                    (Some(_), _) | (None, 0) => Health::Available,
                    (None, 1) => Health::Unreadable,
                    (None, 2) => Health::NoAnswer,
                    (None, 3) => Health::Blocked {
                        code: None,
                        reason: "blocked".into(),
                    },
                    (None, _) => Health::Refused(GraphError {
                        status: Some(401),
                        code: Some(190),
                        ..GraphError::default()
                    }),
                };
                self.told(format_args!("the health is {health:?}"));
                self.handle(Event::HealthChecked(health.into()));
            }
            Job::Store(number_state) => {
                self.number_state = number_state;
                self.handle(Event::Stored);
            }
            Job::Record(outcomes) => {
                self.ledger.record(self.process, &outcomes, self.now);
                self.handle(Event::Recorded);
            }
        }
    }

    fn request(&mut self, token: Uuid, answer: Option<SendResult>) {
        let mut answer = answer.unwrap_or_else(|| match self.rng.random_range(0..9) {
            0 => SendResult::Unknown,
            1 => SendResult::Unreachable,
            2 => refused(131_056),
            3 => refused(130_429),
            4 => refused(131_047),
            5 => refused(100),
            6 => refused(190),
            _ => accepted(),
        });
        match &mut answer {
            SendResult::Accepted(id) => *id = self.apply(token),
            SendResult::Unknown => {
                if self.rng.random_bool(0.5) {
                    self.apply(token);
                }
                *self.lost.entry(token).or_default() += 1;
            }
            _ => {}
        }
        self.told(format_args!("{:?} is answered {answer:?}", self.id(token)));
        // Statuses may be faster.
        self.jobs.push(Job::Answer(token, answer));
    }

    /// WhatsApp accepts the message of a reply. Returns the message's id.
    fn apply(&mut self, token: Uuid) -> String {
        let row = &self.ledger.rows[&token];
        let position = (row.open.revision, row.record.offset);
        let waits = self.ledger.rows.values().find(|earlier| {
            // What failed late waits again, although later replies have gone.
            let fails_late = |(status, _): &(MessageStatus, bool)| {
                status.status == DeliveryStatus::Failed
                    && status.token() == Some(earlier.open.token)
            };
            earlier.open.lead_id == row.open.lead_id
                && earlier.open.state.is_queued()
                && (earlier.open.revision, earlier.record.offset) < position
                && !self.statuses.iter().any(fails_late)
        });
        assert!(waits.is_none(), "out of order: {}", self.story);
        *self.applied.entry(token).or_default() += 1;
        let message = format!("wamid.{}", self.statuses.len());
        let mut post = |what, code: Option<i64>| {
            let mut status = status(token, &message, what, self.now);
            status.errors.extend(code.map(|code| StatusError {
                code,
                title: None,
                details: None,
            }));
            self.statuses.push((status, false));
        };
        if self.rng.random_bool(0.15) {
            let codes = [131_000, 131_026, 131_042, 131_047];
            post(DeliveryStatus::Failed, codes.choose(&mut self.rng).copied());
            if self.rng.random_bool(0.5) {
                post(DeliveryStatus::Sent, None);
            }
        } else {
            *self.reached.entry(token).or_default() += 1;
            post(DeliveryStatus::Sent, None);
            if self.rng.random_bool(0.5) {
                post(DeliveryStatus::Delivered, None);
            }
            if self.rng.random_bool(0.2) {
                post(DeliveryStatus::Read, None);
            }
        }
        message
    }

    /// Reads some statuses, in any order and again.
    fn read_status(&mut self) {
        if self.statuses.is_empty() {
            return;
        }
        let mut batch = Vec::new();
        for _ in 0..self.rng.random_range(1..4) {
            let index = self.rng.random_range(0..self.statuses.len());
            let (status, is_read) = &mut self.statuses[index];
            *is_read = true;
            batch.push(status.clone());
        }
        self.read_statuses(&batch);
    }

    fn read_statuses(&mut self, batch: &[MessageStatus]) {
        for status in batch {
            let id = self.id(status.token().unwrap());
            self.told(format_args!(
                "{id:?} has {:?} of {}",
                status.status, status.id
            ));
        }
        for round in statuses::plan::plan(batch).rounds {
            self.ledger.apply_statuses(&round, self.now);
        }
        self.handle(Event::Written);
    }

    /// Reads what is in the log, so that the time has passed there.
    fn pass(&mut self) {
        let mut batch = Vec::new();
        for (status, is_read) in &mut self.statuses {
            if self.statuses_in_time && !*is_read {
                *is_read = true;
                batch.push(status.clone());
            }
        }
        self.read_statuses(&batch);
        self.told("all statuses are read");
        self.ledger.passed_at = Some(self.now);
    }

    fn id(&self, token: Uuid) -> String {
        self.ledger.rows[&token].reply.id.clone()
    }

    /// Lets everything come to an end: WhatsApp answers, and nothing crashes any more.
    fn finish(&mut self) {
        for _ in 0..5_000 {
            self.pass();
            while !self.jobs.is_empty() {
                self.work(Some(accepted()));
            }
            let is_posted = |(_, is_read): &(MessageStatus, bool)| !is_read;
            let is_queued = |it: &crate::memory_ledger::Row| it.open.state.is_queued();
            let waits = self.statuses_in_time && self.statuses.iter().any(is_posted);
            if !waits && !self.ledger.rows.values().any(is_queued) {
                return;
            }
            // The claims until something is due find nothing.
            let due = self.ledger.next_due("501", self.now);
            let due = due.unwrap_or(after(self.now, Duration::from_secs(10)));
            // A number with a low rate claims what is due later.
            self.now = self.dispatcher.next().map_or(due, |next| next.max(due));
            self.handle(Event::Tick);
        }
        panic!("replies wait for ever: {}", self.story);
    }

    fn check(&self) {
        for (token, row) in &self.ledger.rows {
            let of = |counts: &BTreeMap<Uuid, usize>| counts.get(token).copied().unwrap_or(0);
            let (copies, lost) = (of(&self.reached), of(&self.lost));
            let (id, story) = (&row.reply.id, &self.story);
            assert!(copies <= 2, "{id} goes out {copies} times: {story}");
            // A copy needs a lost answer, no status, and a policy. A restart in order loses none.
            let may_repeat = matches!(
                row.policy,
                Some(UnknownPolicy::Evidence | UnknownPolicy::SendAgain)
            );
            let may_repeat = may_repeat && lost > 0 && !self.statuses_in_time;
            assert!(
                copies <= 1 || may_repeat,
                "{id} repeats without a reason: {story}"
            );
            match row.open.state {
                ReplyState::Accepted | ReplyState::Sent => {
                    assert!(of(&self.applied) > 0, "{id} was never sent: {story}");
                    if self.statuses_in_time {
                        assert_eq!(row.open.state, ReplyState::Sent, "{id}: {story}");
                        assert!(copies > 0, "{id} reached nobody: {story}");
                    }
                }
                ReplyState::Delivered | ReplyState::Read => {
                    assert!(copies > 0, "{id} reached nobody: {story}");
                }
                ReplyState::Failed => {
                    let class = row.class.expect("a class");
                    let is_dead = self.dead_letters.contains(token);
                    // A crash may repeat the attempt, and it may fail otherwise.
                    assert!(is_dead || !class.is_dead_letter(), "{id}: {story}");
                    assert!(row.reason.is_some(), "{id}: {story}");
                }
                ReplyState::HandedOff => {
                    assert!(lost > 0 && row.policy.is_some(), "{id}: {story}");
                    assert!(row.reason.is_some(), "{id}: {story}");
                    let in_time = self.statuses_in_time;
                    assert!(copies == 0 || !in_time, "{id} reached its person: {story}");
                }
                ReplyState::Superseded => assert_eq!(
                    row.reply.kind,
                    Some(ReplyKind::Prompt),
                    "{id} is superseded: {story}"
                ),
                ReplyState::Expired => assert!(row.reply.expires_at.is_some(), "{id}: {story}"),
                ReplyState::Withdrawn => {}
                state => panic!("{id} is {state:?}: {story}"),
            }
        }
        let known = self.log.iter().filter(|it| !it.reply.is_withdrawal());
        for arrival in known {
            let token = token(&arrival.reply.id);
            assert!(self.ledger.rows.contains_key(&token), "{}", self.story);
        }
    }
}

#[test]
fn any_interleaving_sends_each_reply_once_in_order_or_says_why_not() {
    let number = |name, otherwise: u64| -> u64 {
        let set = std::env::var(name).ok();
        set.map_or(otherwise, |it| it.parse().expect("a number"))
    };
    let (cases, seed) = (number("MODEL_CASES", 3_000), number("MODEL_SEED", 1));
    for case in 0..cases {
        let mut world = World::new(seed.wrapping_add(case));
        world.told(format_args!(
            "MODEL_SEED={} MODEL_CASES=1",
            seed.wrapping_add(case)
        ));
        for _ in 0..STEPS {
            world.step();
        }
        world.finish();
        world.check();
    }
}
