//! Tests the dispatcher with a ledger in memory.

use std::time::Duration;

use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_schemas::reply::TemplateCategory;
use leadstream_schemas::{
    DeliveryStatus, MessageStatus, Platform, Reply, ReplyContent, ReplyKind, ReplyTemplate,
    StatusError, Timestamp,
};
use uuid::Uuid;

use super::unknown::UnknownPolicy;
use super::{Count, Dispatcher, Effect, Event, Inherited, Limits, Outcome, POLL, Settings};
use crate::health::{Health, HealthReport};
use crate::memory_ledger::{MemoryLedger, arrival, prompt, status};
use crate::number_state::NumberState;
use crate::reply_row::{ReplyState, token};
use crate::send_result::session::SessionAnswer;
use crate::send_result::{Class, GraphError, SendResult, WAIT_OF_TEMPLATE};
use crate::statuses;
use crate::time::after;

mod model;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const PROCESS: Uuid = Uuid::from_u128(1);

fn settings() -> Settings {
    Settings {
        topic: "lead.replies".into(),
        dead_letters: "lead.replies.dead-letters".into(),
        limits: Limits {
            concurrency: 8,
            poison: PoisonLimit {
                run: 3,
                ..PoisonLimit::default()
            },
            throughput: Some(100_000),
            resolve_timeout: Duration::from_secs(60),
        },
        policy: UnknownPolicy::Evidence,
        draw: || 1.0,
    }
}

fn refused(code: i64) -> SendResult {
    SendResult::Refused(GraphError {
        status: Some(400),
        code: Some(code),
        ..GraphError::default()
    })
}

fn accepted() -> SendResult {
    SendResult::Accepted("wamid.1".into())
}

/// A dispatcher of number 501 whose claims and outcomes are carried out at once.
struct Fixture {
    ledger: MemoryLedger,
    policy: UnknownPolicy,
    dispatcher: Dispatcher,
    now: Timestamp,
    offset: i64,
    sent: Vec<Uuid>,
    counts: Vec<Count>,
    dead_letters: usize,
    /// What health calls answer, and how many there were.
    health: HealthReport,
    checks: usize,
    /// What is stored of the number.
    number_state: NumberState,
}

impl Fixture {
    fn new() -> Self {
        Self::with(UnknownPolicy::Evidence)
    }

    fn with(policy: UnknownPolicy) -> Self {
        Self {
            ledger: MemoryLedger::default(),
            policy,
            dispatcher: Dispatcher::new(
                Settings {
                    policy,
                    ..settings()
                },
                Inherited::default(),
                NOW,
            ),
            now: NOW,
            offset: 0,
            sent: Vec::new(),
            counts: Vec::new(),
            dead_letters: 0,
            health: Health::Available.into(),
            checks: 0,
            number_state: NumberState::default(),
        }
    }

    /// Another process takes the number over.
    fn take_over(&mut self) -> Vec<Uuid> {
        let inherited = Inherited {
            number_state: self.number_state.clone(),
            attempts: self.ledger.past_attempts("501", self.now),
        };
        self.dispatcher = Dispatcher::new(settings(), inherited, self.now);
        self.handle(Event::Written)
    }

    /// Writes replies, and returns the ids of those that are sent.
    fn read(&mut self, replies: &[Reply]) -> Vec<Uuid> {
        for reply in replies {
            self.ledger
                .write(&[arrival(self.offset, reply.clone())], self.now);
            self.offset += 1;
        }
        self.handle(Event::Written)
    }

    fn answer(&mut self, id: &str, result: SendResult) -> Vec<Uuid> {
        self.handle(Event::SendFinished(token(id), result))
    }

    /// Lets `time` pass, and returns what is sent meanwhile.
    fn wait(&mut self, time: Duration) -> Vec<Uuid> {
        let (end, mut sent) = (after(self.now, time), Vec::new());
        while let Some(next) = self.dispatcher.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            sent.extend(self.handle(Event::Tick));
        }
        self.now = end;
        sent
    }

    fn handle(&mut self, event: Event) -> Vec<Uuid> {
        let mut sent = Vec::new();
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in self.dispatcher.handle(event, self.now) {
                match effect {
                    Effect::Claim { limit, held } => {
                        let now = self.now;
                        let ledger = &mut self.ledger;
                        if let Some(held) = held {
                            ledger.release_lost(PROCESS, &held, now);
                        }
                        let rows = ledger.claim("501", limit, self.policy, PROCESS, now);
                        let next = ledger.next_due("501", now);
                        events.push(Event::Claimed(rows, next));
                    }
                    Effect::Send(token, _) => sent.push(token),
                    Effect::DeadLetter(token, _) => {
                        self.dead_letters += 1;
                        events.push(Event::DeadLettered(token));
                    }
                    Effect::Record(outcomes) => {
                        self.ledger.record(PROCESS, &outcomes, self.now);
                        events.push(Event::Recorded);
                    }
                    Effect::CheckHealth => {
                        self.checks += 1;
                        events.push(Event::HealthChecked(self.health.clone()));
                    }
                    Effect::Store(number_state) => {
                        self.number_state = number_state;
                        events.push(Event::Stored);
                    }
                    Effect::Count(count) => self.counts.push(count),
                }
            }
        }
        self.sent.extend(&sent);
        sent
    }

    /// Reads a status of the message `wamid.1`, which carries the token of `id`.
    fn status(&mut self, id: &str, what: DeliveryStatus) -> Vec<Uuid> {
        self.read_status(status(token(id), "wamid.1", what, self.now))
    }

    /// Reads a status `failed` with `code`.
    fn fails(&mut self, id: &str, code: i64) -> Vec<Uuid> {
        let mut failed = status(token(id), "wamid.1", DeliveryStatus::Failed, self.now);
        failed.errors.push(StatusError {
            code,
            title: None,
            details: None,
        });
        self.read_status(failed)
    }

    fn read_status(&mut self, status: MessageStatus) -> Vec<Uuid> {
        for round in statuses::plan::plan(&[status]).rounds {
            self.ledger.apply_statuses(&round, self.now);
        }
        self.handle(Event::Written)
    }

    /// Reads the statuses up to now.
    fn pass(&mut self) {
        self.ledger.passed_at = Some(self.now);
    }

    fn state(&self, id: &str) -> ReplyState {
        self.ledger.rows[&token(id)].open.state
    }
}

fn ids(ids: &[&str]) -> Vec<Uuid> {
    ids.iter().map(|id| token(id)).collect()
}

fn sorted(mut ids: Vec<Uuid>) -> Vec<Uuid> {
    ids.sort_unstable();
    ids
}

/// The words of a person, which nothing supersedes.
fn words(id: &str, lead: &str) -> Reply {
    Reply {
        kind: None,
        ..prompt(id, lead)
    }
}

#[test]
fn a_lead_s_replies_go_one_by_one_and_other_leads_do_not_wait() {
    let mut fixture = Fixture::new();
    let sent = fixture.read(&[words("a", "ann"), words("b", "ann"), words("c", "bea")]);
    assert_eq!(sorted(sent), sorted(ids(&["a", "c"])));
    assert!(fixture.answer("a", accepted()).is_empty());
    assert_eq!(fixture.state("a"), ReplyState::Accepted);
    assert_eq!(fixture.status("a", DeliveryStatus::Sent), ids(&["b"]));
}

#[test]
fn the_next_reply_of_a_lead_waits_two_seconds_at_most_for_the_status_sent() {
    let held = SendResult::Held("wamid.1".into());
    for (answer, state) in [(accepted(), ReplyState::Accepted), (held, ReplyState::Held)] {
        let mut fixture = Fixture::new();
        fixture.read(&[words("a", "ann"), words("b", "ann")]);
        fixture.answer("a", answer);
        assert_eq!(fixture.state("a"), state);
        assert!(fixture.wait(Duration::from_millis(1_999)).is_empty());
        assert_eq!(fixture.wait(POLL), ids(&["b"]));
    }
}

#[test]
fn at_most_so_many_requests_are_in_flight() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.read(&prompts(20)).len(), 8);
    let first = fixture.sent[0];
    let next = fixture.handle(Event::SendFinished(first, accepted()));
    assert_eq!(next.len(), 1);
    assert_eq!(fixture.dispatcher.sending(), 8);
}

#[test]
fn a_reply_is_sent_when_it_is_due_and_not_after_it_expired() {
    let mut fixture = Fixture::new();
    let mut later = prompt("a", "ann");
    later.not_before = Some(after(NOW, Duration::from_secs(3)));
    let mut expired = prompt("b", "bea");
    expired.expires_at = Some(NOW);
    assert!(fixture.read(&[later, expired]).is_empty());
    assert_eq!(fixture.state("b"), ReplyState::Expired);
    assert_eq!(fixture.ledger.rows[&token("b")].attempts.made, 0);
    assert!(fixture.wait(Duration::from_millis(2_990)).is_empty());
    assert_eq!(fixture.wait(Duration::from_millis(10)), ids(&["a"]));
}

/// A prompt whose window closes `seconds` from now.
fn windowed(id: &str, seconds: u64, has_fallback: bool) -> Reply {
    let until = after(NOW, Duration::from_secs(seconds));
    Reply {
        window_until: Some(until),
        expires_at: Some(until).filter(|_| !has_fallback),
        fallback: has_fallback.then(ReplyTemplate::default),
        ..prompt(id, id)
    }
}

#[test]
fn outside_the_window_a_template_goes_out_and_words_without_one_are_given_up() {
    let mut fixture = Fixture::new();
    let replies = [windowed("a", 0, true), windowed("b", 0, false)];
    assert_eq!(fixture.read(&replies), ids(&["a"]));
    assert_eq!(fixture.state("b"), ReplyState::Failed);
    let given_up = Count::Failed(Class::WindowClosed);
    assert_eq!(fixture.counts, [given_up]);
    assert_eq!(fixture.ledger.rows[&token("b")].attempts.made, 0);
    fixture.answer("a", accepted());
    assert_eq!(fixture.state("a"), ReplyState::Accepted);
}

#[test]
fn a_window_that_whatsapp_calls_closed_twice_counts_as_closed() {
    let mut fixture = Fixture::new();
    fixture.read(&[windowed("a", 3_600, true), windowed("b", 3_600, false)]);
    let second = Duration::from_secs(1);
    for id in ["a", "b"] {
        fixture.answer(id, refused(131_047));
    }
    assert_eq!(sorted(fixture.wait(second)), sorted(ids(&["a", "b"])));
    for id in ["a", "b"] {
        fixture.answer(id, refused(131_047));
    }
    assert_eq!(fixture.state("b"), ReplyState::Failed);
    // The third request sends the template.
    assert_eq!(fixture.wait(second), ids(&["a"]));
    fixture.answer("a", refused(131_047));
    assert_eq!(fixture.state("a"), ReplyState::Failed);
    let given_up = Count::Failed(Class::WindowClosed);
    assert_eq!(
        fixture.counts.iter().filter(|it| **it == given_up).count(),
        2
    );
}

/// A reply of which neither an answer nor a status came until the wait ended, and a later one that was
/// answered. Returns what is sent at the end.
fn unknown(fixture: &mut Fixture, is_disproved: bool, platform: Platform) -> Vec<Uuid> {
    fixture.read(&[Reply {
        platform,
        ..prompt("a", "ann")
    }]);
    fixture.answer("a", SendResult::Unknown);
    assert_eq!(fixture.state("a"), ReplyState::Unknown);
    fixture.wait(Duration::from_secs(1));
    fixture.read(&[prompt("b", "bea")]);
    fixture.answer("b", accepted());
    if is_disproved {
        fixture.status("b", DeliveryStatus::Delivered);
    }
    assert!(fixture.wait(Duration::from_secs(600)).is_empty());
    assert_eq!(
        fixture.state("a"),
        ReplyState::Unknown,
        "lag is not absence"
    );
    fixture.pass();
    fixture.wait(POLL)
}

#[test]
fn missing_webhooks_of_a_session_prove_nothing() {
    let mut fixture = Fixture::new();
    assert!(unknown(&mut fixture, true, Platform::Wasender).is_empty());
    assert_eq!(fixture.state("a"), ReplyState::HandedOff);
    assert!(fixture.counts.contains(&Count::HandedOff));
}

#[test]
fn without_proof_the_policy_decides_once_all_statuses_are_read() {
    use UnknownPolicy::{Drop, Evidence, HandOff, SendAgain};
    for policy in [Evidence, HandOff, SendAgain, Drop] {
        for is_disproved in [false, true] {
            let mut fixture = Fixture::with(policy);
            let sent = unknown(&mut fixture, is_disproved, Platform::WhatsappCloud);
            assert_eq!(fixture.ledger.rows[&token("a")].policy, Some(policy));
            if policy == SendAgain || policy == Evidence && is_disproved {
                assert_eq!(sent, ids(&["a"]), "{policy:?}");
                assert!(fixture.counts.contains(&Count::SentAgain(policy)));
                // A second unknown outcome is for a person.
                fixture.answer("a", SendResult::Unknown);
                fixture.wait(Duration::from_secs(60));
                fixture.pass();
                assert!(fixture.wait(POLL).is_empty());
                assert_eq!(fixture.state("a"), ReplyState::HandedOff);
            } else {
                assert!(sent.is_empty(), "{policy:?}");
                let (state, count) = match policy {
                    Drop => (ReplyState::Failed, Count::Failed(Class::UnknownOutcome)),
                    _ => (ReplyState::HandedOff, Count::HandedOff),
                };
                assert_eq!(fixture.state("a"), state);
                assert!(fixture.counts.contains(&count));
            }
            let reason = fixture.ledger.rows[&token("a")].reason.as_deref().unwrap();
            assert!(reason.contains("unknown_outcome"), "{reason}");
        }
    }
}

#[test]
fn a_status_resolves_an_unknown_outcome_and_a_late_answer_adds_what_it_knows() {
    for what in [
        DeliveryStatus::Sent,
        DeliveryStatus::Delivered,
        DeliveryStatus::Read,
    ] {
        let mut fixture = Fixture::with(UnknownPolicy::SendAgain);
        fixture.read(&[words("a", "ann"), words("b", "ann")]);
        fixture.answer("a", SendResult::Unknown);
        assert_eq!(fixture.status("a", what), ids(&["b"]));
        fixture.pass();
        assert!(fixture.wait(Duration::from_secs(300)).is_empty());
        let state = fixture.state("a");
        assert_eq!(state.as_str(), serde_json::to_value(what).unwrap());
    }
    // A status that is faster than the answer.
    for answer in [accepted(), SendResult::Unknown, refused(131_000)] {
        let mut fixture = Fixture::new();
        fixture.read(&[words("a", "ann")]);
        fixture.status("a", DeliveryStatus::Delivered);
        fixture.answer("a", answer);
        assert_eq!(fixture.state("a"), ReplyState::Delivered);
        assert!(fixture.wait(Duration::from_secs(300)).is_empty());
    }
}

#[test]
fn a_late_failure_has_the_classes_of_an_answer_and_counts_once() {
    let fixture = |code| {
        let mut fixture = Fixture::new();
        fixture.read(&[prompt("a", "ann")]);
        fixture.answer("a", accepted());
        fixture.status("a", DeliveryStatus::Sent);
        fixture.fails("a", code);
        fixture
    };
    let mut again = fixture(131_000);
    assert_eq!(again.state("a"), ReplyState::Waiting);
    again.fails("a", 131_000);
    again.status("a", DeliveryStatus::Sent);
    assert_eq!(again.wait(Duration::from_secs(60)), ids(&["a"]));
    again.fails("a", 131_000);
    again.answer("a", SendResult::Accepted("wamid.2".into()));
    assert_eq!(again.state("a"), ReplyState::Accepted);
    let given_up = fixture(131_026);
    assert_eq!(given_up.state("a"), ReplyState::Failed);
    let class = Count::Failed(Class::Unreachable);
    assert!(given_up.counts.contains(&class));
    let mut paused = fixture(131_042);
    assert_eq!(paused.state("a"), ReplyState::Waiting);
    assert!(paused.dispatcher.paused().is_some());
    assert!(paused.wait(Duration::from_millis(29_999)).is_empty());
    assert_eq!(paused.wait(Duration::from_millis(1)), ids(&["a"]));
}

#[test]
fn a_failure_before_the_answer_counts_and_one_after_the_delivery_does_not() {
    let mut early = Fixture::new();
    early.read(&[prompt("a", "ann")]);
    early.fails("a", 131_026);
    assert_eq!(early.state("a"), ReplyState::Sending);
    early.answer("a", accepted());
    assert_eq!(early.state("a"), ReplyState::Failed);
    let mut delivered = Fixture::new();
    delivered.read(&[prompt("a", "ann")]);
    delivered.answer("a", accepted());
    delivered.status("a", DeliveryStatus::Delivered);
    delivered.fails("a", 131_026);
    assert_eq!(delivered.state("a"), ReplyState::Delivered);
}

#[test]
fn a_prompt_that_failed_late_gives_way_to_the_newer_one() {
    for later in [prompt("b", "ann"), words("b", "ann")] {
        let mut fixture = Fixture::new();
        fixture.read(&[prompt("a", "ann")]);
        fixture.answer("a", accepted());
        fixture.read(&[later]);
        fixture.fails("a", 131_000);
        assert_eq!(fixture.state("a"), ReplyState::Superseded);
        fixture.wait(Duration::from_secs(300));
        assert_eq!(fixture.sent, ids(&["a", "b"]));
    }
}

#[test]
fn a_stopped_number_still_decides_what_becomes_of_its_replies() {
    let mut fixture = Fixture::with(UnknownPolicy::HandOff);
    fixture.read(&[prompt("a", "ann")]);
    fixture.answer("a", SendResult::Unknown);
    fixture.read(&[prompt("b", "bea")]);
    fixture.wait(Duration::from_secs(59));
    fixture.answer("b", refused(190));
    fixture.pass();
    fixture.wait(Duration::from_secs(1));
    fixture.pass();
    fixture.wait(Duration::from_secs(2));
    assert!(fixture.dispatcher.paused().is_some());
    assert_eq!(fixture.state("a"), ReplyState::HandedOff);
}

#[test]
fn a_newer_prompt_ends_the_wait_for_proof_and_no_copy_is_sent() {
    let mut fixture = Fixture::new();
    fixture.read(&[prompt("a", "ann")]);
    fixture.answer("a", SendResult::Unknown);
    assert!(fixture.read(&[prompt("b", "ann")]).is_empty());
    assert_eq!(fixture.wait(Duration::from_secs(10)), ids(&["b"]));
    assert_eq!(fixture.state("a"), ReplyState::Superseded);
}

#[test]
fn a_prompt_that_was_superseded_in_flight_is_not_tried_again() {
    for result in [
        SendResult::Unreachable,
        refused(131_056),
        refused(130_429),
        refused(190),
    ] {
        let mut fixture = Fixture::new();
        fixture.read(&[prompt("a", "ann")]);
        fixture.read(&[prompt("b", "ann")]);
        fixture.answer("a", result);
        fixture.wait(Duration::from_secs(120));
        assert_eq!(fixture.state("a"), ReplyState::Superseded);
        let copies = fixture.sent.iter().filter(|it| **it == token("a")).count();
        assert_eq!(copies, 1);
        assert!(fixture.sent.contains(&token("b")));
    }
}

#[test]
fn a_reply_that_whatsapp_throttles_waits_four_to_the_n_seconds_until_it_expires() {
    let mut fixture = Fixture::new();
    let mut reply = prompt("a", "ann");
    reply.expires_at = Some(after(NOW, Duration::from_secs(3 * 3600)));
    fixture.read(&[reply]);
    for wait in [1, 4, 16, 64, 256, 1024, 3600, 3600] {
        fixture.answer("a", refused(131_056));
        let wait = Duration::from_secs(wait);
        assert!(fixture.wait(wait - Duration::from_millis(1)).is_empty());
        assert_eq!(fixture.wait(Duration::from_millis(1)), ids(&["a"]));
    }
    fixture.answer("a", refused(131_056));
    assert!(fixture.wait(Duration::from_secs(3600)).is_empty());
    assert_eq!(fixture.state("a"), ReplyState::Expired);
    assert_eq!(fixture.dead_letters, 0);
}

fn of_template(id: &str, name: &str) -> Reply {
    Reply {
        content: ReplyContent::Template(ReplyTemplate {
            name: name.into(),
            language: "de".into(),
            ..ReplyTemplate::default()
        }),
        ..prompt(id, id)
    }
}

#[test]
fn a_faulty_template_waits_and_everything_else_goes() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.read(&[of_template("a", "late")]), ids(&["a"]));
    fixture.answer("a", refused(200));
    assert_eq!(fixture.dispatcher.paused(), None, "not the number's fault");
    let sent = fixture.read(&[
        of_template("b", "late"),
        of_template("c", "other"),
        prompt("d", "d"),
    ]);
    assert_eq!(sorted(sent), sorted(ids(&["c", "d"])));
    assert_eq!(fixture.dispatcher.stopped_contents().len(), 1);
    let class = |fixture: &Fixture, id| fixture.ledger.rows[&token(id)].class;
    assert_eq!(class(&fixture, "b"), Some(Class::StopTemplate));
    assert_eq!(fixture.ledger.rows[&token("b")].attempts.made, 0);
    let probe = fixture.wait(Duration::from_secs(30));
    assert_eq!(probe.len(), 1, "one reply probes the template");
    fixture.handle(Event::SendFinished(probe[0], accepted()));
    assert_eq!(fixture.wait(Duration::from_secs(10)).len(), 1);
    assert!(fixture.dispatcher.stopped_contents().is_empty());
}

#[test]
fn a_template_with_code_134101_waits_ten_minutes() {
    let mut fixture = Fixture::new();
    fixture.read(&[of_template("a", "new")]);
    fixture.answer("a", refused(WAIT_OF_TEMPLATE));
    assert!(fixture.wait(Duration::from_millis(599_999)).is_empty());
    assert_eq!(fixture.wait(Duration::from_millis(1)), ids(&["a"]));
}

#[test]
fn a_marketing_limit_ends_the_reply_and_delays_no_later_one_of_the_lead() {
    let mut fixture = Fixture::new();
    fixture.read(&[of_template("a", "sale")]);
    assert!(fixture.read(&[words("b", "a")]).is_empty());
    assert_eq!(fixture.answer("a", refused(131_049)), ids(&["b"]));
    assert_eq!(fixture.state("a"), ReplyState::Failed);
    assert_eq!(fixture.dead_letters, 0);
}

/// Returns a marketing template to a lead.
fn marketing(id: &str, lead: &str) -> Reply {
    let mut reply = of_template(id, "sale");
    if let ReplyContent::Template(template) = &mut reply.content {
        template.category = Some(TemplateCategory::Marketing);
    }
    reply.lead_id = lead.into();
    reply.recipient.wa_id = Some(lead.into());
    reply.kind = Some(ReplyKind::AgentMessage);
    reply
}

#[test]
fn who_wants_no_marketing_gets_no_further_marketing_template() {
    for is_late in [false, true] {
        let mut fixture = Fixture::new();
        fixture.read(&[marketing("a", "4915112345678")]);
        if is_late {
            fixture.answer("a", accepted());
            fixture.fails("a", 131_050);
        } else {
            fixture.answer("a", refused(131_050));
        }
        assert_eq!(fixture.state("a"), ReplyState::Failed);
        assert!(fixture.read(&[marketing("b", "4915112345678")]).is_empty());
        let refused = &fixture.ledger.rows[&token("b")];
        assert_eq!(refused.open.state, ReplyState::Failed);
        assert_eq!(refused.class, Some(Class::MarketingOptOut));
        assert_eq!(refused.attempts.made, 0);
        let utility = of_template("c", "info");
        let utility = Reply {
            lead_id: "4915112345678".into(),
            ..utility
        };
        let other = marketing("d", "4915112345679");
        assert_eq!(
            sorted(fixture.read(&[utility, other])),
            sorted(ids(&["c", "d"]))
        );
        assert_eq!(fixture.dead_letters, 0);
    }
}

#[test]
fn no_marketing_template_goes_to_the_usa_and_none_instead_of_words() {
    let mut fixture = Fixture::new();
    assert!(fixture.read(&[marketing("a", "12125550123")]).is_empty());
    let row = &fixture.ledger.rows[&token("a")];
    assert_eq!(row.class, Some(Class::MarketingCountry));
    assert!(row.reason.as_ref().unwrap().contains("template sale"));
    let template = |reply: Reply| match reply.content {
        ReplyContent::Template(template) => template,
        other => panic!("{other:?}"),
    };
    let inside = Reply {
        fallback: Some(template(marketing("", "12125550123"))),
        window_until: Some(after(NOW, Duration::from_secs(10))),
        ..words("b", "12125550123")
    };
    let outside = Reply {
        window_until: Some(NOW),
        ..inside.clone()
    };
    let outside = Reply {
        id: "c".into(),
        ..outside
    };
    assert_eq!(fixture.read(&[inside]), ids(&["b"]));
    fixture.answer("b", accepted());
    fixture.status("b", DeliveryStatus::Sent);
    assert!(fixture.read(&[outside]).is_empty());
    assert_eq!(fixture.state("c"), ReplyState::Failed);
    let given_up = Count::Failed(Class::MarketingCountry);
    assert_eq!(
        fixture.counts.iter().filter(|it| **it == given_up).count(),
        2
    );
}

#[test]
fn a_late_failure_stops_the_template_that_went_out_instead_of_words() {
    let mut fixture = Fixture::new();
    let mut reply = windowed("a", 0, true);
    reply.fallback = Some(ReplyTemplate {
        name: "go_on".into(),
        language: "de".into(),
        ..ReplyTemplate::default()
    });
    fixture.read(&[reply, of_template("b", "other")]);
    fixture.answer("a", accepted());
    fixture.answer("b", accepted());
    fixture.fails("a", 132_015);
    let stopped: Vec<String> = fixture
        .dispatcher
        .stopped_contents()
        .keys()
        .map(ToString::to_string)
        .collect();
    assert_eq!(stopped, ["template go_on in de"]);
    assert_eq!(fixture.state("a"), ReplyState::Waiting);
    assert_eq!(fixture.dead_letters, 0);
}

#[test]
fn what_is_nobody_s_mistake_fails_without_a_dead_letter() {
    for (code, class) in [
        (131_026, Class::Unreachable),
        (131_050, Class::MarketingOptOut),
        (130_472, Class::Experiment),
        (139_999, Class::UnknownCode),
    ] {
        let mut fixture = Fixture::new();
        fixture.read(&[prompt("a", "ann")]);
        fixture.answer("a", refused(code));
        assert_eq!(fixture.state("a"), ReplyState::Failed, "{code}");
        assert_eq!(fixture.ledger.rows[&token("a")].class, Some(class));
        assert_eq!(fixture.counts, [Count::Failed(class)]);
        assert_eq!(fixture.dead_letters, 0, "{code}");
    }
}

#[test]
fn five_unknown_codes_in_a_row_stop_the_number_and_the_fifth_reply_waits() {
    let mut fixture = Fixture::new();
    for id in ["a", "b", "c", "d"] {
        fixture.read(&[prompt(id, id)]);
        fixture.answer(id, refused(139_999));
        assert_eq!(fixture.state(id), ReplyState::Failed);
    }
    assert_eq!(fixture.dispatcher.paused(), None);
    fixture.read(&[prompt("e", "e")]);
    fixture.answer("e", refused(139_999));
    assert_eq!(fixture.state("e"), ReplyState::Waiting);
    assert!(fixture.dispatcher.paused().is_some());
}

#[test]
fn a_closed_window_is_believed_the_second_time() {
    let mut fixture = Fixture::new();
    fixture.read(&[prompt("a", "ann")]);
    fixture.answer("a", refused(131_047));
    assert_eq!(fixture.wait(Duration::from_secs(1)), ids(&["a"]));
    fixture.answer("a", refused(131_047));
    assert_eq!(fixture.state("a"), ReplyState::Failed);
    let row = &fixture.ledger.rows[&token("a")];
    let reason = row.reason.as_deref().unwrap();
    assert_eq!(reason, "window_closed (HTTP 400, error 131047)");
}

#[test]
fn a_reply_that_fails_alone_is_given_up_and_an_outage_gives_up_nothing() {
    for others_pass in [true, false] {
        let mut fixture = Fixture::new();
        fixture.read(&[prompt("a", "ann")]);
        for attempt in 0..40 {
            fixture.answer("a", refused(131_000));
            if others_pass {
                let id = format!("b{attempt}");
                fixture.read(&[prompt(&id, &id)]);
                fixture.answer(&id, accepted());
            }
            fixture.wait(Duration::from_secs(60));
        }
        let expected = match others_pass {
            true => ReplyState::Failed,
            false => ReplyState::Sending,
        };
        assert_eq!(fixture.state("a"), expected);
    }
}

fn prompts(count: usize) -> Vec<Reply> {
    let prompts = 0..count;
    prompts
        .map(|n| prompt(&n.to_string(), &format!("lead{n}")))
        .collect()
}

#[test]
fn a_paused_number_sends_nothing_until_its_health_is_good_and_then_one_reply_first() {
    let mut fixture = Fixture::new();
    fixture.health = Health::NoAnswer.into();
    let replies = prompts(3);
    assert_eq!(fixture.read(&replies[..1]), ids(&["0"]));
    fixture.answer("0", refused(190));
    let pause = fixture.dispatcher.paused().unwrap();
    assert!(pause.reason.contains("error 190"), "{pause:?}");
    assert_eq!(fixture.number_state.pause.as_ref(), Some(pause));
    assert!(fixture.read(&replies[1..]).is_empty());
    let before = fixture.checks;
    assert!(fixture.wait(Duration::from_secs(600)).is_empty());
    assert_eq!(fixture.checks, before + 4, "after 30, 90, 210 and 450 s");
    fixture.health = Health::Available.into();
    let alone = fixture.wait(Duration::from_secs(600));
    assert_eq!(alone.len(), 1, "one goes alone");
    assert_eq!(fixture.dispatcher.paused(), None);
    assert_eq!(fixture.number_state.pause, None);
    let sent = fixture.handle(Event::SendFinished(alone[0], accepted()));
    assert_eq!(sent.len(), 2);
}

#[test]
fn a_new_owner_of_a_paused_number_asks_for_its_health_and_sends_nothing() {
    let mut fixture = Fixture::new();
    fixture.health = Health::NoAnswer.into();
    fixture.read(&prompts(1));
    fixture.answer("0", refused(190));
    let before = fixture.checks;
    assert!(fixture.take_over().is_empty());
    assert_eq!(fixture.checks, before + 1);
    assert!(fixture.dispatcher.paused().is_some());
    fixture.health = Health::Available.into();
    assert_eq!(fixture.take_over(), ids(&["0"]));
}

#[test]
fn one_reply_probes_a_number_whose_health_the_token_may_not_read() {
    let mut fixture = Fixture::new();
    fixture.health = Health::Unreadable.into();
    fixture.read(&prompts(1));
    fixture.answer("0", refused(131_031));
    assert!(fixture.read(&prompts(3)[1..]).is_empty());
    let probe = fixture.wait(Duration::from_secs(30));
    assert_eq!(probe.len(), 1);
    fixture.handle(Event::SendFinished(probe[0], refused(131_031)));
    assert!(fixture.wait(Duration::from_secs(59)).is_empty());
    let probe = fixture.wait(Duration::from_secs(1));
    assert_eq!(probe.len(), 1, "the next one after twice the time");
    let sent = fixture.handle(Event::SendFinished(probe[0], accepted()));
    assert_eq!(sent.len(), 2);
}

#[test]
fn a_blocked_account_pauses_a_number_before_it_sends_and_a_notice_asks_again() {
    let mut fixture = Fixture::new();
    fixture.health = Health::Blocked {
        code: Some(141_006),
        reason: "no payment method".into(),
    }
    .into();
    fixture.handle(Event::Tick);
    assert!(fixture.read(&prompts(1)).is_empty());
    fixture.health = Health::Available.into();
    assert_eq!(fixture.handle(Event::Reported), ids(&["0"]));
}

#[test]
fn a_reply_that_was_claimed_when_the_number_paused_is_not_sent() {
    let mut fixture = Fixture::new();
    fixture.ledger.write(&[arrival(0, prompt("a", "ann"))], NOW);
    let dispatcher = &mut fixture.dispatcher;
    dispatcher.handle(Event::Written, NOW);
    let blocked = Health::Blocked {
        code: Some(141_006),
        reason: "no payment method".into(),
    };
    dispatcher.handle(Event::HealthChecked(blocked.into()), NOW);
    let claimed = {
        let policy = UnknownPolicy::Evidence;
        fixture.ledger.claim("501", 8, policy, PROCESS, NOW)
    };
    assert_eq!(claimed.len(), 1);
    assert!(fixture.handle(Event::Claimed(claimed, None)).is_empty());
    assert_eq!(fixture.state("a"), ReplyState::Waiting);
    assert_eq!(fixture.ledger.rows[&token("a")].attempts.made, 0);
}

#[test]
fn what_a_lost_claim_leased_is_sent_once() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.read(&[prompt("a", "ann")]), ids(&["a"]));
    let commit = |fixture: &mut Fixture, offset, id, lead| {
        let batch = [arrival(offset, prompt(id, lead))];
        fixture.ledger.write(&batch, fixture.now);
        let (policy, now) = (UnknownPolicy::Evidence, fixture.now);
        let claimed = fixture.ledger.claim("501", 8, policy, PROCESS, now);
        assert_eq!(claimed.len(), 1);
    };
    fixture.dispatcher.handle(Event::Written, NOW);
    commit(&mut fixture, 1, "b", "bea");
    assert_eq!(fixture.handle(Event::ClaimFailed), ids(&["b"]));
    // PostgreSQL may also commit a lost claim after the next one.
    commit(&mut fixture, 2, "c", "cid");
    assert_eq!(fixture.wait(crate::dispatch::RELEASE), ids(&["c"]));
    for id in ["a", "b", "c"] {
        assert_eq!(fixture.state(id), ReplyState::Sending, "{id}");
        assert_eq!(fixture.ledger.rows[&token(id)].attempts.made, 1, "{id}");
    }
}

#[test]
fn a_late_failure_of_the_number_pauses_it() {
    let mut fixture = Fixture::new();
    fixture.read(&prompts(1));
    fixture.answer("0", accepted());
    fixture.fails("0", 131_042);
    assert_eq!(fixture.dispatcher.paused().unwrap().code, Some(131_042));
    assert_eq!(fixture.state("0"), ReplyState::Waiting);
    assert!(fixture.read(&prompts(2)[1..]).is_empty());
}

#[test]
fn a_lead_gets_45_messages_in_270_seconds_whoever_owns_the_number() {
    let mut fixture = Fixture::new();
    for n in 0..30 {
        let id = format!("a{n}");
        assert_eq!(fixture.read(&[words(&id, "ann")]), ids(&[&id]));
        fixture.answer(&id, accepted());
        fixture.status(&id, DeliveryStatus::Sent);
    }
    fixture.take_over();
    for n in 30..45 {
        let id = format!("a{n}");
        assert_eq!(fixture.read(&[words(&id, "ann")]), ids(&[&id]));
        fixture.answer(&id, accepted());
        fixture.status(&id, DeliveryStatus::Sent);
    }
    assert!(fixture.read(&[words("late", "ann")]).is_empty());
    assert_eq!(fixture.ledger.rows[&token("late")].attempts.made, 0);
    let class = fixture.ledger.rows[&token("late")].class;
    assert_eq!(class, Some(Class::ThrottlePair));
    assert_eq!(fixture.read(&[words("b", "bea")]), ids(&["b"]));
    assert!(fixture.wait(Duration::from_millis(269_999)).is_empty());
    assert_eq!(fixture.wait(Duration::from_millis(1)), ids(&["late"]));
}

#[test]
fn a_number_sends_as_fast_as_meta_allows_and_slower_when_it_is_throttled() {
    let rate = |throughput: Option<u32>, throttled: bool| {
        let mut settings = settings();
        settings.limits.throughput = None;
        settings.limits.concurrency = 5_000;
        let mut fixture = Fixture::new();
        fixture.dispatcher = Dispatcher::new(settings, Inherited::default(), NOW);
        fixture.health = HealthReport {
            health: Health::Available,
            throughput,
        };
        let mut sent = fixture.read(&prompts(100));
        if throttled {
            fixture.handle(Event::SendFinished(sent[0], refused(130_429)));
            fixture.wait(Duration::from_secs(2));
            sent.clear();
        }
        sent.extend(fixture.wait(Duration::from_secs(1)));
        sent.len()
    };
    let default = rate(None, false);
    assert!((64..=82).contains(&default), "{default}");
    let halved = rate(None, true);
    assert!((30..=44).contains(&halved), "{halved}");
    // Sixteen go before the answer of the health call.
    let coexistence = rate(Some(20), false);
    assert!((24..=36).contains(&coexistence), "{coexistence}");
}

#[test]
fn a_number_without_answers_sends_no_copy() {
    for policy in [UnknownPolicy::Evidence, UnknownPolicy::HandOff] {
        let mut fixture = Fixture::with(policy);
        let replies: Vec<Reply> = (0..30)
            .map(|n| prompt(&n.to_string(), &format!("lead{n}")))
            .collect();
        let mut in_flight = fixture.read(&replies);
        for _ in 0..200 {
            let mut next = Vec::new();
            for token in std::mem::take(&mut in_flight) {
                next.extend(fixture.handle(Event::SendFinished(token, SendResult::Unknown)));
            }
            fixture.pass();
            next.extend(fixture.wait(Duration::from_secs(300)));
            in_flight = next;
        }
        // Before it stops, at most as many as are in flight go out, and then one per probe.
        assert!(fixture.sent.len() <= 30, "{}", fixture.sent.len());
        let mut once = fixture.sent.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), fixture.sent.len());
        assert_eq!(fixture.state("0"), ReplyState::HandedOff);
    }
}

#[test]
fn a_record_that_the_cloud_api_cannot_take_is_a_dead_letter_without_a_request() {
    let mut fixture = Fixture::new();
    let mut empty = prompt("a", "ann");
    empty.content = ReplyContent::text(String::new());
    assert!(fixture.read(&[empty]).is_empty());
    assert_eq!(fixture.state("a"), ReplyState::Failed);
    assert_eq!(fixture.dead_letters, 1);
    let given_up = Count::Failed(Class::Unsendable);
    assert_eq!(fixture.counts, [given_up]);
}

#[test]
fn a_stop_waits_for_the_outcomes_of_requests_and_claims_nothing_more() {
    let mut fixture = Fixture::new();
    fixture.read(&[prompt("a", "ann")]);
    fixture.handle(Event::Stop);
    assert!(fixture.read(&[prompt("b", "bea")]).is_empty());
    assert!(!fixture.dispatcher.is_done());
    fixture.answer("a", accepted());
    assert!(fixture.dispatcher.is_done());
    assert_eq!(fixture.state("a"), ReplyState::Accepted);
    assert_eq!(fixture.state("b"), ReplyState::Waiting);
}

#[test]
fn an_outcome_names_what_whatsapp_said() {
    let mut fixture = Fixture::new();
    fixture.read(&[prompt("a", "ann")]);
    let effects = fixture.dispatcher.handle(
        Event::SendFinished(token("a"), accepted()),
        after(NOW, Duration::from_secs(1)),
    );
    let outcomes: Vec<&Outcome> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Record(outcomes) => outcomes.first(),
            _ => None,
        })
        .collect();
    assert_eq!(outcomes[0].provider_id.as_deref(), Some("wamid.1"));
    assert_eq!(outcomes[0].attempts.made, 1);
}

#[test]
fn a_session_sends_one_reply_after_the_other_and_waits_for_its_limit() {
    let mut fixture = Fixture::new();
    fixture.dispatcher.limit(1);
    let first = fixture.read(&[prompt("a", "ann"), prompt("b", "bea")]);
    assert_eq!(first.len(), 1);
    let (first, second) = if first == ids(&["a"]) {
        ("a", "b")
    } else {
        ("b", "a")
    };
    let answer = SessionAnswer {
        status: 200,
        success: Some(true),
        send_id: Some("7".into()),
        pause: Some(Duration::from_secs(5)),
        ..SessionAnswer::default()
    };
    let next = fixture.answer(first, SendResult::Session(answer));
    assert!(next.is_empty(), "the limit is used up");
    assert_eq!(fixture.state(first), ReplyState::Accepted);
    assert!(fixture.wait(Duration::from_millis(4_900)).is_empty());
    assert_eq!(fixture.wait(Duration::from_millis(200)), ids(&[second]));
    let throttled = SessionAnswer {
        status: 429,
        pause: Some(Duration::from_secs(60)),
        ..SessionAnswer::default()
    };
    fixture.answer(second, SendResult::Session(throttled));
    assert!(fixture.wait(Duration::from_secs(59)).is_empty());
    assert_eq!(fixture.wait(Duration::from_secs(2)), ids(&[second]));
}

#[test]
fn replies_of_a_number_without_a_credential_wait_and_go_once_it_has_one() {
    let mut fixture = Fixture::new();
    let sent = fixture.read(&[prompt("a", "ann"), prompt("b", "bea")]);
    assert_eq!(sent.len(), 2);
    fixture.health = Health::NoAnswer.into();
    for id in ["a", "b"] {
        fixture.answer(id, SendResult::Unconfigured(Platform::Wasender));
        assert_eq!(fixture.state(id), ReplyState::Waiting);
        assert_eq!(fixture.ledger.rows[&token(id)].attempts.made, 0, "{id}");
    }
    let reason = fixture.dispatcher.paused().unwrap().reason.clone();
    assert!(reason.contains("WASENDER_API_KEY"), "{reason}");
    assert!(fixture.wait(Duration::from_secs(60)).is_empty());
    fixture.health = Health::Available.into();
    let probe = fixture.handle(Event::CredentialChanged);
    assert_eq!(probe.len(), 1, "one probes at once");
    let id = if probe == ids(&["a"]) { "a" } else { "b" };
    assert_eq!(fixture.answer(id, accepted()).len(), 1);
    assert!(fixture.dispatcher.paused().is_none());
    assert_eq!(fixture.dead_letters, 0);
}
