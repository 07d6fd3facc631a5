//! Compares the journal with the pure fold of its inputs in order (invariants 2 and 3).

mod attribution;
mod evaluate;

use std::collections::{BTreeMap, HashSet};

use leadstream_schemas::input::MediaType;
use leadstream_schemas::{
    Content, InputId, Platform, ReplyContent, Sender, Timestamp, UndeliveredClass,
};
use proptest::prelude::*;

use super::{Admission, Amendment, Input, Journal, Lead, OrderKey, fold};
use crate::flow::{Conversation, DEFAULT_FLOW, Flow, MERGED, Referral, TurnInput, Undelivered};
use crate::flows::Flows;

fn flows() -> Flows {
    Flows::new(Flow::parse("default", DEFAULT_FLOW).unwrap(), Vec::new())
}

fn input(id: &str, at: i64, answer: TurnInput) -> Input {
    received(id, at, at + 500, answer)
}

fn received(id: &str, sent_at: i64, received_at: i64, answer: TurnInput) -> Input {
    Input {
        order: OrderKey {
            at: Timestamp::from_millis(sent_at.min(received_at)),
            received_at: Timestamp::from_millis(received_at),
            item: 0,
            id: id.into(),
        },
        sent_at: Timestamp::from_millis(sent_at),
        platform: Platform::WhatsappCloud,
        number: "1".to_owned(),
        sender: Sender::default(),
        answer,
        amends: None,
        becomes: None,
        other_notations: Vec::new(),
        referral: None,
    }
}

/// A reply to the question of the time `asked_at` did not arrive.
fn undelivered(class: UndeliveredClass, asked_at: i64) -> TurnInput {
    TurnInput::Undelivered(Undelivered {
        class,
        code: None,
        asked_at: Some(Timestamp::from_millis(asked_at)),
    })
}

fn text(body: &str) -> TurnInput {
    TurnInput::Text(body.to_owned())
}

/// Returns the fold of the inputs in order; of duplicates, the smallest in order counts.
fn oracle(flows: &Flows, inputs: &[Input]) -> Option<Conversation> {
    let mut smallest: BTreeMap<&InputId, &Input> = BTreeMap::new();
    for input in inputs {
        let kept = smallest.entry(&input.order.id).or_insert(input);
        if input.order < kept.order {
            *kept = input;
        }
    }
    let mut ordered: Vec<&Input> = smallest.into_values().collect();
    ordered.sort_by(|a, b| a.order.cmp(&b.order));
    let mut conversation = None;
    for input in ordered {
        if conversation.is_none() && !input.answer.is_from_provider() {
            continue;
        }
        let (next, _) = fold(flows, conversation.as_ref(), &input.order, &input.answer).unwrap();
        conversation = Some(next);
    }
    conversation
}

fn admit(journal: &mut Journal, input: &Input, capacity: usize) -> Admission {
    admit_with(&flows(), journal, input, capacity)
}

fn admit_with(flows: &Flows, journal: &mut Journal, input: &Input, capacity: usize) -> Admission {
    journal.admit(flows, input, capacity, || false).unwrap()
}

#[test]
fn the_article_s_conversation_completes_with_its_score() {
    let mut journal = Journal::default();
    for (id, body) in [("a", "Hi"), ("b", "John Doe"), ("c", "$7,500 a month")] {
        let at = i64::from(id.as_bytes()[0]) * 1000;
        let admission = admit(&mut journal, &input(id, at, text(body)), 32);
        assert!(matches!(
            admission,
            Admission::Folded {
                change: Some(_),
                prompt: Some(_),
                ..
            }
        ));
    }
    let conversation = journal.conversation().unwrap();
    assert_eq!(conversation.state, "COMPLETED");
    assert_eq!((conversation.score, conversation.is_completed), (100, true));
    assert_eq!(conversation.data["budget"], 7500);
}

#[test]
fn a_copy_has_no_effect() {
    let mut journal = Journal::default();
    let hello = input("a", 1000, text("Hi"));
    admit(&mut journal, &hello, 32);
    let before = journal.clone();
    assert_eq!(admit(&mut journal, &hello, 32), Admission::Duplicate);
    let later_copy = received("a", 1000, 900_000, text("Hi"));
    assert_eq!(admit(&mut journal, &later_copy, 32), Admission::Duplicate);
    assert_eq!(journal, before);
}

#[test]
fn a_late_input_goes_where_it_belongs_and_the_prompt_that_is_now_right_goes_out_once() {
    let mut journal = Journal::default();
    admit(&mut journal, &input("a", 1000, text("Hi")), 32);
    admit(&mut journal, &input("c", 3000, text("$9,000")), 32);
    assert_eq!(journal.conversation().unwrap().state, "AWAITING_NAME");
    let late = admit(&mut journal, &input("b", 2000, text("John")), 32);
    let Admission::Folded {
        change: Some(change),
        prompt: Some(_),
        ..
    } = late
    else {
        panic!("{late:?}");
    };
    assert!(change.late);
    assert_eq!(journal.conversation().unwrap().state, "COMPLETED");
    assert_eq!(journal.conversation().unwrap().data["name"], "John");
}

#[test]
fn what_is_older_than_the_journal_is_known_by_its_id_or_too_late() {
    let mut journal = Journal::default();
    for n in 0..4 {
        admit(
            &mut journal,
            &input(&format!("id{n}"), 1000 * n, text("Hi")),
            2,
        );
    }
    let copy = input("id0", 0, text("Hi"));
    assert!(journal.needs_dedup_lookup(&copy));
    let known = journal.clone().admit(&flows(), &copy, 2, || true).unwrap();
    assert_eq!(known, Admission::Duplicate);
    let stranger = input("id00", 500, text("Hi"));
    assert_eq!(admit(&mut journal, &stranger, 2), Admission::TooLate);
    assert!(!journal.needs_dedup_lookup(&input("id9", 9000, text("Hi"))));
}

fn about(id: &str, at: i64, message_id: &str, text: Option<&str>) -> Input {
    Input {
        amends: Some(Box::new(Amendment {
            message_id: message_id.into(),
            text: text.map(ToOwned::to_owned),
        })),
        ..input(id, at, TurnInput::Ignored)
    }
}

#[test]
fn an_edit_that_comes_before_its_message_counts_and_one_of_a_message_that_left_does_not() {
    let mut journal = Journal::default();
    admit(&mut journal, &input("a", 1000, text("Hi")), 3);
    let early = about("e", 3000, "b", Some("Jane"));
    assert!(!journal.out_of_reach(&early));
    admit(&mut journal, &early, 3);
    admit(&mut journal, &input("b", 2000, text("John")), 3);
    assert_eq!(journal.conversation().unwrap().data["name"], "Jane");
    for n in 4..8 {
        admit(
            &mut journal,
            &input(&n.to_string(), 1000 * n, TurnInput::Ignored),
            3,
        );
    }
    // The effect stays, though the message and its edit are evicted.
    assert_eq!(journal.conversation().unwrap().data["name"], "Jane");
    let before = journal.conversation().cloned();
    let late = about("r", 9000, "b", None);
    assert!(journal.out_of_reach(&late));
    admit(&mut journal, &late, 3);
    assert_eq!(journal.conversation().cloned(), before);
}

#[test]
fn a_late_or_edited_opt_out_counts_as_one_that_came_in_order() {
    let state = |inputs: &[Input]| {
        let mut journal = Journal::default();
        for input in inputs {
            admit(&mut journal, input, 32);
        }
        journal.conversation().unwrap().state.clone()
    };
    let hi = || input("a", 1000, text("Hi"));
    let late = [
        hi(),
        input("c", 3000, text("Ann")),
        input("b", 2000, text("Stop!")),
    ];
    assert_eq!(state(&late), "OPTED_OUT");
    let image = |caption: Option<&str>| {
        TurnInput::from(&Content::Media {
            media: MediaType::Image,
            id: Some("1013".into()),
            url: None,
            mime_type: None,
            sha256: None,
            caption: caption.map(ToOwned::to_owned),
            filename: None,
            size: None,
        })
    };
    for said in [
        text("Stp"),
        TurnInput::Captioned("Stp".into()),
        image(Some("Stp")),
        image(None),
    ] {
        let edited = about("e", 3000, "b", Some("*STOP*"));
        assert_eq!(state(&[hi(), input("b", 2000, said), edited]), "OPTED_OUT");
    }
}

#[test]
fn what_edits_or_revokes_a_message_counts_until_that_leaves_though_it_left_before() {
    let hi = || input("a", 5000, text("Hi"));
    let john = || input("b", 6000, text("John"));
    for (change, name) in [(Some("Jane"), Some("Jane")), (None, None)] {
        let mut journal = Journal::default();
        admit(&mut journal, &hi(), 2);
        admit(&mut journal, &john(), 2);
        // A slow clock dates this input before the message that it amends.
        admit(&mut journal, &about("c1", 2000, "b", Some("Joan")), 2);
        admit(&mut journal, &about("c2", 3000, "b", change), 2);
        let expected = journal.conversation().cloned();
        assert_eq!(
            expected
                .as_ref()
                .unwrap()
                .data
                .get("name")
                .map(|it| it.as_str().unwrap()),
            name
        );
        // The journal is folded again: after a late input, an earlier duplicate and another lead's
        // journal.
        admit(&mut journal, &input("d", 4000, TurnInput::Ignored), 2);
        assert_eq!(journal.conversation().cloned(), expected);
        admit(&mut journal, &received("b", 6000, 5900, text("John")), 2);
        let state = |journal: &Journal| journal.conversation().unwrap().state.clone();
        assert_eq!(state(&journal), expected.as_ref().unwrap().state);
        let mut other = Journal::default();
        admit(&mut other, &input("o", 1000, TurnInput::Ignored), 2);
        other.join(&flows(), journal.clone(), 2).unwrap();
        assert_eq!(state(&other), state(&journal));
        for n in 7..10 {
            admit(
                &mut journal,
                &input(&n.to_string(), 1000 * n, TurnInput::Ignored),
                2,
            );
        }
        assert_eq!(state(&journal), expected.unwrap().state);
        let kept = serde_json::to_string(&journal).unwrap();
        assert!(!kept.contains("Joan") && !kept.contains("\"b\""), "{kept}");
    }
}

#[test]
fn of_two_leads_with_snapshots_the_elder_s_answers_stay_and_the_other_s_fill_what_it_lacks() {
    let flows = flows();
    let mut elder = Lead::new(&input("a", 1000, text("Hi")));
    for (n, body) in ["Hi", "John"].into_iter().enumerate() {
        let at = 1000 * i64::try_from(n).unwrap();
        admit(
            &mut elder.journal,
            &input(&format!("a{n}"), at, text(body)),
            1,
        );
    }
    let mut other = Lead::new(&input("b", 5000, text("Hi")));
    for (n, body) in ["Hi", "Jane", "$9,000", "?"].into_iter().enumerate() {
        let at = 5000 + 1000 * i64::try_from(n).unwrap();
        admit(
            &mut other.journal,
            &input(&format!("b{n}"), at, text(body)),
            1,
        );
    }
    let handed_over = other.close(&"elder".into());
    assert_eq!(other.state(), Some(MERGED));
    elder
        .absorb(&flows, &"other".into(), handed_over, 32)
        .unwrap();
    let data = &elder.journal.conversation().unwrap().data;
    // The elder's snapshot had no answer yet, so its own entry "John" is folded on top of both.
    assert_eq!(data["name"], "John");
    assert_eq!(data["budget"], 9000);
    assert_eq!(elder.merged, ["other"]);
}

#[test]
fn the_first_message_s_ad_chooses_the_flow_also_when_it_comes_late() {
    let ad = DEFAULT_FLOW
        .replace("name: qualification", "name: ad")
        .replace("start: A", "chosen_by: {referrals: ['77']}\nstart: A");
    let ad = Flow::parse("ad", &ad).unwrap();
    let flows = Flows::new(
        Flow::parse("default", DEFAULT_FLOW).unwrap(),
        vec![(Timestamp::from_millis(0), ad)],
    );
    let second = input("b", 2000, text("John"));
    let mut first = input("a", 1000, text("Hi"));
    first.referral = Some(Box::new(Referral {
        source_id: Some("77".to_owned()),
        ..Referral::default()
    }));
    let mut journal = Journal::default();
    let flow_of = |journal: &Journal| journal.conversation().unwrap().flow.name.clone();
    journal.admit(&flows, &second, 32, || false).unwrap();
    assert_eq!(flow_of(&journal), "qualification");
    journal.admit(&flows, &first, 32, || false).unwrap();
    assert_eq!(flow_of(&journal), "ad");
    assert_eq!(journal.conversation().unwrap().data["name"], "John");
}

#[test]
fn the_first_referral_in_order_counts_and_a_restart_keeps_it() {
    let referred = |id: &str, at: i64, said: &str, ad: Option<&str>| {
        let mut input = input(id, at, text(said));
        input.referral = ad.map(|ad| {
            Box::new(Referral {
                at: Timestamp::from_millis(at),
                source_id: Some(ad.to_owned()),
                ..Referral::default()
            })
        });
        input
    };
    let all = [
        referred("a", 1_000, "Hi", None),
        referred("b", 2_000, "John", Some("77")),
        referred("c", 3_000, "RESTART", Some("78")),
        referred("d", 4_000, "Ana", None),
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        for capacity in [1, 2, 32] {
            let mut journal = Journal::default();
            for at in order {
                // A short journal has no place for a late input.
                let capacity = if order == [0, 1, 2, 3] { capacity } else { 32 };
                admit(&mut journal, &all[at], capacity);
            }
            let conversation = journal.conversation().unwrap();
            let referral = conversation.referral.as_ref().unwrap();
            assert_eq!(referral.source_id.as_deref(), Some("77"));
            assert_eq!(referral.at, Timestamp::from_millis(2_000));
            assert_eq!(conversation.data["name"], "Ana");
        }
    }
}

#[test]
fn time_without_an_input_is_folded_and_a_late_input_corrects_it() {
    let day = 24 * 3_600_000;
    let flows = flows();
    let mut journal = Journal::default();
    admit(&mut journal, &input("a", 0, text("Hi")), 32);
    assert_eq!(
        journal.next_due(&flows).unwrap(),
        Some(Timestamp::from_millis(day - 3_600_000 + 500))
    );
    let fired = journal
        .fire_due_timers(&flows, Timestamp::from_millis(2 * day))
        .unwrap();
    assert_eq!(fired.len(), 2);
    assert_eq!(journal.conversation().unwrap().state, "COLD");
    // The input was sent before the lead went cold, and came after that.
    let late = received("b", day - 1000, day - 500, text("John"));
    let admission = admit(&mut journal, &late, 32);
    assert!(
        matches!(&admission, Admission::Folded { change: Some(change), .. } if change.late),
        "{admission:?}"
    );
    assert_eq!(journal.conversation().unwrap().state, "AWAITING_BUDGET");
    let fired = journal
        .fire_due_timers(&flows, Timestamp::from_millis(3 * day))
        .unwrap();
    assert_eq!(fired.len(), 2);
    assert_eq!(journal.conversation().unwrap().state, "COLD");
}

#[test]
fn a_stored_lead_reads_back() {
    let hello = input("a", 1000, text("Hi"));
    let mut lead = Lead::new(&hello);
    admit(&mut lead.journal, &hello, 32);
    lead.observe(&hello, |_| true);
    let bytes = lead.to_bytes().unwrap();
    assert_eq!(Lead::from_bytes(&bytes).unwrap(), lead);
    assert!(Lead::from_bytes(&[9]).is_err() && Lead::from_bytes(&[]).is_err());
}

fn answers() -> impl Strategy<Value = TurnInput> {
    prop_oneof![
        4 => prop::sample::select(vec!["Hi", "John Doe", "$7,500 a month", "300", "RESTART", "?"]).prop_map(text),
        1 => Just(TurnInput::Other),
        1 => Just(TurnInput::Ignored),
        1 => (prop::sample::select(&UndeliveredClass::ALL[..]), 0..8_000i64)
            .prop_map(|(class, after)| undelivered(class, 1_000_000 + after)),
    ]
}

/// Generates inputs with duplicates, clock skew and equal seconds, and an order of delivery.
fn deliveries() -> impl Strategy<Value = Vec<Input>> {
    let one = (0..6i64, -2..3i64, answers(), 0..3usize);
    prop::collection::vec(one, 1..12).prop_flat_map(|drawn| {
        let mut inputs = Vec::new();
        for (index, (second, skew, answer, copies)) in drawn.into_iter().enumerate() {
            let sent = 1_000_000 + second * 1000;
            for copy in 0..=copies {
                let received_at = sent + skew * 700 + i64::try_from(copy).unwrap() * 300;
                inputs.push(received(
                    &format!("id{index}"),
                    sent,
                    received_at,
                    answer.clone(),
                ));
            }
        }
        Just(inputs).prop_shuffle()
    })
}

proptest! {
    #[test]
    fn every_delivery_within_the_journal_s_reach_gives_the_fold_in_order(inputs in deliveries()) {
        let flows = flows();
        let mut journal = Journal::default();
        for input in &inputs {
            journal.admit(&flows, input, 64, || false).unwrap();
        }
        prop_assert_eq!(journal.conversation().cloned(), oracle(&flows, &inputs));
    }

    #[test]
    fn a_short_journal_hands_over_each_id_once_and_knows_every_copy(inputs in deliveries()) {
        let flows = flows();
        let mut journal = Journal::default();
        let mut gone: HashSet<InputId> = HashSet::new();
        let mut admitted: HashSet<InputId> = HashSet::new();
        for input in &inputs {
            let known = gone.contains(&input.order.id);
            let asked = journal.needs_dedup_lookup(input);
            prop_assert!(!known || asked, "a copy of what left was not looked up");
            match journal.admit(&flows, input, 3, || known).unwrap() {
                Admission::Folded { evicted, .. } => {
                    admitted.insert(input.order.id.clone());
                    for (id, _) in evicted {
                        prop_assert!(gone.insert(id), "an id left twice");
                    }
                }
                Admission::Duplicate => prop_assert!(admitted.contains(&input.order.id)),
                Admission::TooLate => prop_assert!(!admitted.contains(&input.order.id)),
            }
        }
    }
}

/// Returns the state, data and prompts of a journal that admits these messages.
fn without_replies(said: &[(&str, Platform)]) -> (String, usize, usize) {
    let mut journal = Journal::default();
    let mut prompts = 0;
    for (index, (body, platform)) in said.iter().enumerate() {
        let at = 1_000_000 + 60_000 * i64::try_from(index).unwrap();
        let input = Input {
            platform: *platform,
            ..input(&index.to_string(), at, text(body))
        };
        if let Admission::Folded { prompt, .. } = admit(&mut journal, &input, 32) {
            prompts += usize::from(prompt.is_some());
        }
    }
    let conversation = journal.conversation().unwrap();
    (conversation.state.clone(), conversation.data.len(), prompts)
}

#[test]
fn nobody_answers_a_question_that_version_0_1_0_could_not_send() {
    use Platform::{Wasender, WhatsappCloud};
    let said = |texts: &[&'static str]| -> Vec<(&'static str, Platform)> {
        texts.iter().map(|text| (*text, Wasender)).collect()
    };
    let handed_over = || ("HUMAN_HANDOFF".to_owned(), 0, 0);
    let question = [
        "hi",
        "how much is it?",
        "are you there? I can pay 7000",
        "7000",
    ];
    assert_eq!(without_replies(&said(&question)), handed_over());
    assert_eq!(
        without_replies(&said(&["hi", "RESTART", "Ada"])),
        handed_over()
    );
    assert_eq!(without_replies(&said(&["hi", "STOP"])).0, "OPTED_OUT");
    // A lead that comes back gets a person.
    assert_eq!(without_replies(&said(&["STOP", "START"])).2, 0);
    // A conversation that began where replies are sent keeps its answers, and waits for a person.
    let moved = [
        ("hi", WhatsappCloud),
        ("Ada", WhatsappCloud),
        ("7000", Wasender),
    ];
    assert_eq!(without_replies(&moved), ("HUMAN_HANDOFF".to_owned(), 1, 2));
    let done = [
        ("hi", WhatsappCloud),
        ("Ada", WhatsappCloud),
        ("7000", WhatsappCloud),
        ("thanks", Wasender),
    ];
    assert_eq!(without_replies(&done), ("COMPLETED".to_owned(), 2, 3));
}

#[test]
fn a_lead_of_wasenderapi_is_asked_and_gets_commands_like_any_other() {
    let mut journal = Journal::default();
    let at = |id: &str, at, answer: TurnInput| {
        let jid = (!answer.is_command()).then(|| "15550100001@s.whatsapp.net".to_owned());
        Input {
            platform: Platform::Wasender,
            sender: Sender {
                jid,
                ..Sender::default()
            },
            ..input(id, at, answer)
        }
    };
    let say = TurnInput::Say {
        body: "Hello".to_owned(),
        has_window: false,
        template: None,
    };
    for (id, said) in [
        ("a", text("hi")),
        ("b", text("Ada")),
        ("c", text("7000")),
        ("d", TurnInput::Restart),
        ("e", say),
        ("f", TurnInput::Release),
    ] {
        let millis = 1000 * i64::from(id.as_bytes()[0]);
        let Admission::Folded {
            rejection, prompt, ..
        } = admit(&mut journal, &at(id, millis, said), 32)
        else {
            panic!("{id} is no input");
        };
        assert_eq!((rejection, prompt.is_some()), (None, true), "{id}");
        if id == "c" {
            assert_eq!(journal.conversation().unwrap().state, "COMPLETED");
        }
    }
}

#[test]
fn a_lead_of_wasenderapi_who_would_get_a_form_gets_a_person() {
    let form = "expect: { form: { id: '1', button: Open, fields: [{ member: company }] } }";
    let document = format!(
        "name: demo\nversion: 1\nlanguage: en\nstart: ASK\nmessages: {{ handoff: A person comes. }}\nsteps:\n  ASK:\n    prompt: Hello\n    {form}\n    next: DONE\n  DONE:\n    prompt: Thanks\n    completes: true\n"
    );
    let flows = Flows::new(Flow::parse("demo", &document).unwrap(), Vec::new());
    for (platform, state) in [
        (Platform::WhatsappCloud, "ASK"),
        (Platform::Wasender, "HUMAN_HANDOFF"),
    ] {
        let input = Input {
            platform,
            sender: Sender {
                jid: Some("1@lid".to_owned()),
                ..Sender::default()
            },
            ..input("a", 1000, text("hi"))
        };
        let mut journal = Journal::default();
        let admitted = journal.admit(&flows, &input, 32, || false).unwrap();
        let Admission::Folded { prompt, .. } = admitted else {
            panic!("no input");
        };
        assert_eq!(journal.conversation().unwrap().state, state);
        let is_form = matches!(prompt, Some(ReplyContent::Form { .. }));
        assert_eq!(is_form, platform == Platform::WhatsappCloud);
        if !is_form {
            assert_eq!(prompt, Some(ReplyContent::text("A person comes.".into())));
        }
    }
}

#[test]
fn a_question_that_did_not_arrive_is_not_sent_again_by_a_refold() {
    let hello = input("a", 1000, text("Hi"));
    let lost = input("d", 9000, undelivered(UndeliveredClass::Unreachable, 1500));
    let mut journal = Journal::default();
    admit(&mut journal, &hello, 32);
    admit(&mut journal, &lost, 32);
    assert_eq!(journal.conversation().unwrap().state, "COLD");
    // Sent before the question was asked, and received after it was lost.
    let late = received("b", 500, 20_000, text("Good morning"));
    let Admission::Folded { change, prompt, .. } = admit(&mut journal, &late, 32) else {
        panic!("it is folded");
    };
    assert_eq!(prompt, None);
    let before = change.and_then(|it| it.previous).unwrap();
    let after = journal.conversation().unwrap();
    assert_eq!((&*before.state, &*after.state), ("COLD", "COLD"));
    let first = after.first_message.as_ref().unwrap();
    assert_eq!(first.text.as_deref(), Some("Good morning"));
}

#[test]
fn a_late_message_that_follows_the_question_keeps_the_conversation() {
    let hello = input("a", 1000, text("Hi"));
    let lost = input(
        "d",
        9000,
        undelivered(UndeliveredClass::UnknownOutcome, 1500),
    );
    let mut journal = Journal::default();
    admit(&mut journal, &hello, 32);
    admit(&mut journal, &lost, 32);
    assert_eq!(journal.conversation().unwrap().state, "HUMAN_HANDOFF");
    let late = received("b", 5000, 20_000, text("John Doe"));
    let Admission::Folded { change, prompt, .. } = admit(&mut journal, &late, 32) else {
        panic!("it is folded");
    };
    assert!(change.is_some_and(|it| it.late) && prompt.is_some());
    assert_eq!(journal.conversation().unwrap().state, "AWAITING_BUDGET");
}

#[test]
fn a_delivery_in_a_journal_is_stored_and_cannot_be_revoked() {
    let hello = input("a", 1000, text("Hi"));
    let mut lead = Lead::new(&hello);
    admit(&mut lead.journal, &hello, 32);
    let lost = input("d", 9000, undelivered(UndeliveredClass::WindowClosed, 1500));
    admit(&mut lead.journal, &lost, 32);
    let revoked = Input {
        amends: Some(Box::new(Amendment {
            message_id: "d".into(),
            text: None,
        })),
        ..input("r", 10_000, TurnInput::Ignored)
    };
    admit(&mut lead.journal, &revoked, 32);
    assert_eq!(lead.state(), Some("COLD"));
    let bytes = lead.to_bytes().unwrap();
    assert_eq!(Lead::from_bytes(&bytes).unwrap(), lead);
}
