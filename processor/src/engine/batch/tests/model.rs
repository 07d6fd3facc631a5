//! The whole pure engine against a model (invariants 2, 3, 4 and 7): people write under several
//! ids, with copies, disorder, edits, revocations, changed numbers and equal seconds; partitions
//! are read in any interleaving, in batches of any size. Whatever the delivery, each person ends
//! as one lead, whose conversation is the fold of all that they sent, in order, and the funnel counts
//! what they did at each step. Where the journal is
//! too short for that, it still is one lead, its events explain it, and no message has two effects.
//! Results of replies come in any order, too, about questions that are open or not.
//! So it is when time is folded at any moments in between. Of people who are erased nothing is left,
//! nor comes back, and what they write later begins again.
//!
//! `MODEL_CASES` says how many cases are drawn, `MODEL_SEED` repeats a run.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use foldhash::{HashMap, HashSet};
use leadstream_kafka::partitioner::partition_of;
use leadstream_kafka::{Outgoing, Record};
use leadstream_schemas::codec::{decode, encode};
use leadstream_schemas::notation::other_notation;
use leadstream_schemas::{
    Content, Identity, InputId, InputKind, LeadEvent, LeadId, LeadInput, Offset, Partition,
    Platform, Reply, Revision, Sender, Timestamp, UndeliveredClass,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

mod commands;
mod erase;
mod progress;
mod time;
mod world;

use super::Fixture;
use crate::engine::batch::{BatchResult, CommandDecision, DedupId, LoadedState};
use crate::flow::{Conversation, ERASED, MERGED, TurnInput, fire_due_timers};
use crate::flows::Flows;
use crate::lead::{HoldReason, Lead, OrderKey, fold};
use crate::metrics::Counts;
use progress::Observed;
use world::World;

const PARTITIONS: usize = 3;
/// A journal length that no case reaches.
const LONG: usize = 32;
const SHORT: usize = 2;

/// The drawn properties of one act of a person.
#[derive(Clone, Debug)]
struct Act {
    person: u8,
    second: i64,
    /// Milliseconds from sending to receipt; negative where the sender's clock is ahead.
    delay: i64,
    /// Which of the person's ids its record shows: bits for number, user id, LID, and the number in
    /// its other notation.
    shows: u8,
    what: What,
    copies: u8,
}

#[derive(Clone, Debug)]
enum What {
    Says(&'static str),
    Sticker,
    Reaction,
    /// An edit of the act at this index, by any person.
    Edit(usize, &'static str),
    Revoke(usize),
    /// The change of the person's number to the second one, as the provider reports it.
    ChangedNumber,
    /// A command of a person of the business.
    Command(Content),
    /// A reply to the question of this time did not arrive.
    Undelivered(UndeliveredClass, i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    const WORDS: [&str; 6] = ["Hi", "John Doe", "$7,500 a month", "300", "RESTART", "?"];
    let words = || prop::sample::select(&WORDS[..]);
    let what = prop_oneof![
        8 => words().prop_map(What::Says),
        1 => Just(What::Sticker),
        1 => Just(What::Reaction),
        1 => (0..10usize, words()).prop_map(|(of, text)| What::Edit(of, text)),
        1 => (0..10usize).prop_map(What::Revoke),
        1 => Just(What::ChangedNumber),
        2 => commands::drawn().prop_map(What::Command),
        1 => Just(What::Command(Content::Erase { of: None })),
        2 => (prop::sample::select(&UndeliveredClass::ALL[..]), 0..8_000i64)
            .prop_map(|(class, after)| What::Undelivered(class, 1_000_000 + after)),
    ];
    let act = (0..2u8, 0..6i64, -700..1500i64, 1..16u8, what, 0..2u8).prop_map(
        |(person, second, delay, shows, what, copies)| Act {
            person,
            second,
            delay,
            shows,
            what,
            copies,
        },
    );
    prop::collection::vec(act, 1..10)
}

/// Returns a person's number. The second number is the one after a change. The numbers of the
/// second person have two notations.
fn number(person: u8, changed: bool) -> String {
    let country = if person == 0 { "49170" } else { "5511876500" };
    format!("{country}{person}{}", u8::from(changed))
}

/// Returns the number with its other notation, if it has two.
fn notations(number: &str) -> impl Iterator<Item = String> {
    std::iter::once(number.to_owned()).chain(other_notation(number))
}

fn inputs(acts: &[Act]) -> Vec<LeadInput> {
    let mut changed = BTreeSet::new();
    let mut inputs = Vec::new();
    for (index, act) in acts.iter().enumerate() {
        let shows = match &act.what {
            What::Command(_) | What::Undelivered(..) => commands::shown(act.shows),
            _ => act.shows,
        };
        let has = |bit: u8| shows & bit != 0;
        let sender = Sender {
            wa_id: (has(1) || has(8)).then(|| {
                let number = number(act.person, changed.contains(&act.person));
                let other = other_notation(&number).filter(|_| has(8));
                other.unwrap_or(number)
            }),
            user_id: has(2).then(|| format!("DE.{}", act.person)),
            lid: has(4).then(|| format!("999{}", act.person)),
            ..Sender::default()
        };
        let content = match &act.what {
            What::Says(body) => Content::Text {
                body: (*body).into(),
            },
            What::Sticker => Content::Unsupported {
                provider_type: None,
            },
            What::Reaction => Content::Reaction {
                message_id: "x".into(),
                emoji: None,
            },
            What::Edit(of, body) => Content::Edit {
                message_id: format!("id{of}").into(),
                body: (*body).into(),
            },
            What::Revoke(of) => Content::Revoke {
                message_id: format!("id{of}").into(),
            },
            What::Command(content) => content.clone(),
            What::Undelivered(class, asked_at) => Content::Undelivered {
                reply_id: format!("id{index}"),
                class: *class,
                code: None,
                asked_at: Some(Timestamp::from_millis(*asked_at)),
            },
            What::ChangedNumber => {
                changed.insert(act.person);
                Content::System {
                    event: "user_changed_number".into(),
                    wa_id: Some(number(act.person, true)),
                    user_id: None,
                }
            }
        };
        let sent = 1_000_000 + act.second * 1000;
        let (kind, apart) = match &act.what {
            // Only Kafka duplicates a command or a delivery.
            What::Command(_) => (InputKind::Command, 0),
            What::Undelivered(..) => (InputKind::Delivery, 0),
            _ => (InputKind::Message, 300),
        };
        for copy in 0..=i64::from(act.copies) {
            inputs.push(LeadInput {
                id: format!("id{index}").into(),
                kind: kind.clone(),
                platform: Platform::WhatsappCloud,
                number: "100".into(),
                sender: sender.clone(),
                sent_at: Timestamp::from_millis(sent),
                received_at: Timestamp::from_millis(sent + act.delay + copy * apart),
                item: 0,
                content: content.clone(),
                referral: None,
                raw: None,
            });
        }
    }
    inputs
}

/// Folds naively: the first delivery of each input, in order, and each message as last edited.
/// Returns what it observes at the steps as well.
fn oracle(flows: &Flows, inputs: &[&LeadInput]) -> (Option<Conversation>, Observed) {
    let order = |it: &LeadInput| OrderKey {
        at: it.sent_at.min(it.received_at),
        received_at: it.received_at,
        item: it.item,
        id: it.id.clone(),
    };
    let mut smallest: BTreeMap<&str, &LeadInput> = BTreeMap::new();
    for input in inputs {
        let kept = smallest.entry(input.id.as_str()).or_insert(input);
        if order(input) < order(kept) {
            *kept = input;
        }
    }
    let mut ordered: Vec<&LeadInput> = smallest.into_values().collect();
    ordered.sort_by_key(|input| order(input));
    let mut conversation = None;
    let mut observed = Observed::default();
    for input in &ordered {
        let Some(mut answer) = commands::answer(input, conversation.is_some()) else {
            continue;
        };
        let amendable = answer.is_from_provider();
        for later in ordered.iter().filter(|_| amendable) {
            match &later.content {
                Content::Edit { message_id, body }
                    if *message_id == input.id && matches!(answer, TurnInput::Text(_)) =>
                {
                    answer = TurnInput::from(&Content::Text { body: body.clone() });
                }
                Content::Revoke { message_id } if *message_id == input.id => {
                    answer = TurnInput::Ignored;
                }
                _ => {}
            }
        }
        let (next, _) = fold(flows, conversation.as_ref(), &order(input), &answer).unwrap();
        let at = order(input).at;
        observed.observe(flows, conversation.as_ref(), &next, at, &answer);
        conversation = Some(next);
    }
    (conversation, observed)
}

/// Returns the ids that `input` assigns to one person.
fn ids(input: &LeadInput) -> Vec<String> {
    let mut ids: Vec<String> = input.sender.identities().map(Into::into).collect();
    if let Content::System { wa_id, .. } = &input.content {
        ids.extend(wa_id.clone());
    }
    let others: Vec<String> = ids.iter().filter_map(|id| other_notation(id)).collect();
    ids.extend(others);
    ids
}

/// Returns the sets of ids that records connect.
fn people(inputs: &[LeadInput]) -> Vec<BTreeSet<String>> {
    let mut people: Vec<BTreeSet<String>> = Vec::new();
    for input in inputs.iter().filter(|it| it.kind == InputKind::Message) {
        let mut joined: BTreeSet<String> = ids(input).into_iter().collect();
        people.retain(|person| {
            let same = !person.is_disjoint(&joined);
            if same {
                joined.extend(person.iter().cloned());
            }
            !same
        });
        people.push(joined);
    }
    people
}

fn case(
    fixture: &Fixture,
    acts: &[Act],
    order: &[usize],
    choices: &[(usize, usize)],
    timed: bool,
) -> Result<Counts, TestCaseError> {
    let mut inputs = inputs(acts);
    let mut world = World::new(fixture);
    // A permutation of the records, drawn as sort keys.
    let mut delivery: Vec<usize> = (0..inputs.len()).collect();
    delivery.sort_by_key(|index| (order[*index % order.len()], *index));
    for index in delivery {
        world.deliver(&inputs[index]);
    }
    world.come_to_rest(choices, timed)?;
    if world.is_anybody_erased() {
        let held = world.held();
        let last = erase::afterwards(acts);
        last.iter().for_each(|input| world.deliver(input));
        world.come_to_rest(choices, timed)?;
        let kept = world.held();
        let is_kept = fixture.journal < LONG || held.keys().all(|id| kept.contains_key(id));
        prop_assert!(is_kept, "a message erases: {:?}, then {:?}", held, kept);
        inputs.extend(last);
    }
    if timed {
        world.fire_to_the_end()?;
    }
    world.publish()?;
    let held = world.held();
    for person in people(&inputs) {
        if world.is_touched(&person) {
            continue;
        }
        let survivors: BTreeSet<Option<&LeadId>> = person
            .iter()
            .map(|id| world.lead_of(id).map(|(lead_id, _)| lead_id))
            .collect();
        prop_assert_eq!(survivors.len(), 1, "{:?} is one lead", &person);
        if fixture.journal < LONG {
            continue;
        }
        let (_, lead) = world.lead_of(person.first().unwrap()).unwrap();
        let theirs: Vec<&LeadInput> = inputs
            .iter()
            .filter(|input| ids(input).iter().any(|id| person.contains(id)))
            .filter(|input| commands::counts(&world.decided, &held, input))
            .collect();
        let flows = &world.fixture.flows;
        let (mut expected, observed) = oracle(flows, &theirs);
        if timed {
            time::pass_to_the_end(flows, &mut expected);
        }
        let conversation = lead.journal.conversation();
        prop_assert_eq!(conversation, expected.as_ref());
        let marked = conversation.map(|it| Observed::marked(flows, it));
        prop_assert_eq!(marked.unwrap_or_default(), observed);
    }
    world.journals_agree()?;
    world.replays_differ_nowhere(timed)?;
    explained(&world)?;
    commands::explained(&world, &inputs)?;
    world.timers_are_entered()?;
    world.rows_are_of_leads()?;
    world.the_erased_stay_so(&inputs)?;
    Ok(world.counts)
}

/// Checks that the events explain every step, and that no cause has two replies.
fn explained(world: &World<'_>) -> Result<(), TestCaseError> {
    let mut last: HashMap<&str, &LeadEvent> = HashMap::default();
    for event in &world.events {
        let data = &event.data;
        let before = last
            .insert(data.lead_id.as_str(), event)
            .map(|event| &event.data);
        let next = before.map_or(Revision(0), |it| it.revision).next();
        // Events about the person before may be unpublished.
        if data.current_state == ERASED && data.revision > Revision(next.0) {
            continue;
        }
        prop_assert_eq!(data.revision, next);
        let state = before.map_or("START", |it| it.current_state.as_str());
        let state = if state == ERASED { "START" } else { state };
        prop_assert_eq!(&data.previous_state, state);
    }
    for (lead_id, lead) in &world.leads {
        prop_assert_eq!(
            lead.revision,
            last.get(lead_id.as_str())
                .map_or(Revision(0), |it| it.data.revision)
        );
        let told = last.get(lead_id.as_str());
        let Some(event) = told.filter(|it| it.data.current_state != ERASED) else {
            prop_assert_eq!(lead.state(), Some("START"));
            continue;
        };
        let conversation = lead.journal.conversation().unwrap();
        prop_assert_eq!(Some(event.data.current_state.as_str()), lead.state());
        prop_assert_eq!(&event.data.lead_data, &conversation.data);
        prop_assert_eq!(&event.data.assignee, &conversation.assignee);
        prop_assert_eq!(event.data.qualification_score, conversation.score);
        prop_assert_eq!(event.data.is_completed, conversation.is_completed);
        let closed = event.data.current_state == MERGED;
        prop_assert_eq!(closed, event.data.merged_into.is_some());
    }
    let causes: HashSet<&str> = world
        .replies
        .iter()
        .map(|reply| reply.id.as_str())
        .collect();
    prop_assert_eq!(causes.len(), world.replies.len(), "a cause has one reply");
    Ok(())
}

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => default,
    }
}

#[test]
fn whatever_the_delivery_each_person_is_one_lead_with_the_fold_of_all_they_sent() {
    let cases = setting("MODEL_CASES", 4_000);
    let clock = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let seed = setting("MODEL_SEED", u64::from(clock.subsec_nanos()));
    println!("MODEL_SEED={seed} MODEL_CASES={cases}");
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let share = u32::try_from(cases / threads + 1).unwrap();
    let seen: Vec<[u64; 7]> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || run(seed, thread, share)))
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for (index, what) in [
        "late",
        "duplicate",
        "forwarded",
        "merged",
        "fired",
        "erased",
        "undelivered",
    ]
    .into_iter()
    .enumerate()
    {
        let count: u64 = seen.iter().map(|counts| counts[index]).sum();
        println!("{what}: {count}");
        assert!(count > cases / 100, "too few were {what}: {count}");
    }
}

/// Runs `cases` and returns the numbers of late inputs, duplicates, forwarded inputs, merged leads,
/// fired timers, erased leads and questions that did not arrive.
fn run(seed: u64, thread: u64, cases: u32) -> [u64; 7] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&thread.to_le_bytes());
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let drawn = (
        acts(),
        prop::collection::vec(0..1000usize, 1..20),
        prop::collection::vec((0..6usize, 1..6usize), 1..20),
    );
    let fixtures = [LONG, SHORT].map(|journal| Fixture {
        journal,
        partitions: Some(PARTITIONS),
        flows: commands::published(),
        erasure: erase::keys(),
        ..Fixture::new()
    });
    let [timed, timed_short] = [LONG, SHORT].map(time::fixture);
    let seen = Cell::new([0; 7]);
    TestRunner::new_with_rng(config, rng)
        .run(&drawn, |(acts, order, choices)| {
            let [long, short] = &fixtures;
            // Only in some cases, to save time.
            if order.len() % 4 == 0 {
                case(short, &acts, &order, &choices, false)?;
            }
            let counts = match order.len() % 16 {
                1 | 9 => case(&timed, &acts, &order, &choices, true)?,
                2 => case(&timed_short, &acts, &order, &choices, true)?,
                _ => case(long, &acts, &order, &choices, false)?,
            };
            let these = [
                counts.late,
                counts.duplicates,
                counts.forwarded,
                counts.merges,
                counts.timers,
                counts.erasures,
                counts.deliveries_applied,
            ];
            seen.update(|all| std::array::from_fn(|index| all[index] + these[index]));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("MODEL_SEED={seed}: {failure}"));
    seen.get()
}
