use leadstream_schemas::{Content, InputKind, LeadInput, Platform, Sender, Timestamp};

use super::*;
use crate::engine::command::CommandStatus;
use crate::lead::{Accounts, Inbound, Lead, scoped};

const KEY: &str = "request-7";
const ERASE: Content = Content::Erase { of: None };

fn address(account: &str, id: &str) -> Address {
    let accounts: Accounts = "eu=200".parse().unwrap();
    Address::of(account, id, Some(&accounts)).unwrap()
}

/// A lead whose first key is its `wa_id`.
fn lead(account: &str, wa_id: &str, user_id: Option<&str>, merged: &[&str]) -> Found {
    let sender = Sender {
        wa_id: Some(wa_id.to_owned()),
        user_id: user_id.map(ToOwned::to_owned),
        ..Sender::default()
    };
    let input = LeadInput {
        id: "wamid.1".to_owned(),
        kind: InputKind::Message,
        platform: Platform::WhatsappCloud,
        number: "100".to_owned(),
        sender: sender.clone(),
        sent_at: Timestamp::default(),
        received_at: Timestamp::default(),
        item: 0,
        content: Content::Text { body: "Hi".into() },
        referral: None,
        raw: None,
    };
    let Ok(Inbound::Message(input)) = Inbound::try_from(input) else {
        panic!("it is a message");
    };
    let mut lead = Lead::new(&input);
    lead.identities.adopt(&sender, |_| true, |_| false);
    lead.merged = merged.iter().map(ToString::to_string).collect();
    Found::of(scoped(account, wa_id), account, lead)
}

fn asked(at: &Address, found: Option<&Found>, content: &Content) -> Asked {
    Asked::new(KEY, at, found, content)
}

/// The claim of an erasure that was given to 1555 by its number.
fn claimed() -> Claim {
    let found = lead("", "1555", Some("US.1"), &[]);
    asked(&address("", "1555"), Some(&found), &ERASE).claim
}

fn decided(content: &Content, lead_id: Option<&str>) -> CommandResult {
    CommandResult {
        id: KEY.to_owned(),
        command: "erase".to_owned(),
        status: CommandStatus::Applied { revision: 2 },
        decided_at: Timestamp::default(),
        content_sha256: Command::content_sha256(content),
        lead_id: lead_id.map(ToOwned::to_owned),
    }
}

fn known(claim: Option<Claim>, result: Option<CommandResult>) -> KnownCommand {
    KnownCommand {
        claim,
        result,
        account: None,
    }
}

#[test]
fn an_id_that_was_given_for_one_lead_is_taken_for_every_other() {
    let other = lead("", "1556", None, &[]);
    let in_eu = lead("eu", "1555", Some("US.1"), &[]);
    for (at, found) in [
        (address("", "1556"), Some(&other)),
        // Nobody has the number, or the same one writes to another account.
        (address("", "1557"), None),
        (address("eu", "1555"), Some(&in_eu)),
        (address("eu", "1555"), None),
        (address("eu", "US.1"), None),
    ] {
        let asked = asked(&at, found, &ERASE);
        for outcome in [None, Some(decided(&ERASE, None))] {
            let known = known(Some(claimed()), outcome);
            assert_eq!(asked.outcome(known), Err(Taken), "{at:?}");
        }
    }
}

#[test]
fn an_id_is_the_same_lead_s_under_each_of_its_ids() {
    let found = lead("", "1555", Some("US.1"), &[]);
    for id in ["1555", "US.1"] {
        let asked = asked(&address("", id), Some(&found), &ERASE);
        let known = known(Some(claimed()), None);
        assert_eq!(asked.outcome(known), Ok(None), "{id}");
    }
    let another = Content::Release;
    let asked = asked(&address("", "1555"), Some(&found), &another);
    assert_eq!(asked.outcome(known(Some(claimed()), None)), Err(Taken));
}

#[test]
fn a_repeat_for_an_erased_lead_is_answered_as_before() {
    let outcome = decided(&ERASE, None);
    for id in ["1555", "US.1"] {
        let asked = asked(&address("", id), None, &ERASE);
        let known = known(Some(claimed()), Some(outcome.clone()));
        assert_eq!(asked.outcome(known), Ok(Some(outcome.clone())), "{id}");
    }
    // Also when the person has written since, under another id first.
    let anew = lead("", "1558", Some("US.1"), &[]);
    let asked = asked(&address("", "1558"), Some(&anew), &ERASE);
    let known = known(Some(claimed()), Some(outcome.clone()));
    assert_eq!(asked.outcome(known), Ok(Some(outcome)));
}

#[test]
fn a_merged_lead_s_id_is_its_survivor_s() {
    let survivor = lead("", "1550", None, &["1555"]);
    let mut to_be = lead("", "1550", None, &[]);
    to_be.closed = vec!["1555".to_owned()];
    let outcome = decided(&ERASE, Some("1555"));
    for (found, id) in [(&survivor, "1555"), (&survivor, "1550"), (&to_be, "1555")] {
        let asked = asked(&address("", id), Some(found), &ERASE);
        let known = known(Some(claimed()), Some(outcome.clone()));
        assert_eq!(asked.outcome(known), Ok(Some(outcome.clone())), "{id}");
    }
}

#[test]
fn an_outcome_without_a_claim_answers_for_its_own_lead_alone() {
    let (own, other) = (lead("", "1555", None, &[]), lead("", "1556", None, &[]));
    let assign = Content::Assign { assignee: None };
    let outcome = decided(&assign, Some("1555"));
    let ask = |found: &Found, content: &Content, outcome: &CommandResult| {
        let asked = asked(&address("", &found.lead_id), Some(found), content);
        asked.outcome(known(None, Some(outcome.clone())))
    };
    assert_eq!(ask(&own, &assign, &outcome), Ok(Some(outcome.clone())));
    assert_eq!(ask(&other, &assign, &outcome), Err(Taken));
    assert_eq!(ask(&own, &ERASE, &outcome), Err(Taken));
    // Of an erased lead nothing tells whose it was.
    let outcome = decided(&ERASE, None);
    assert_eq!(ask(&own, &ERASE, &outcome), Err(Taken));
    let asked = asked(&address("", "1555"), None, &ERASE);
    assert_eq!(asked.outcome(known(None, Some(outcome))), Err(Taken));
}

#[test]
fn an_outcome_of_another_lead_does_not_answer_for_the_one_that_claimed_the_id() {
    let found = lead("", "1555", Some("US.1"), &[]);
    let asked = asked(&address("", "1555"), Some(&found), &ERASE);
    let known = known(Some(claimed()), Some(decided(&ERASE, Some("1556"))));
    assert_eq!(asked.outcome(known), Err(Taken));
}

#[test]
fn a_claim_holds_no_id_of_the_person() {
    let claim = claimed();
    assert_eq!(claim.identity_hashes.len(), 2);
    let others = asked(&address("", "1555"), None, &ERASE).claim;
    assert_eq!(others.identity_hashes.len(), 1);
    let elsewhere = Asked::new("request-8", &address("", "1555"), None, &ERASE).claim;
    assert_ne!(others.identity_hashes, elsewhere.identity_hashes);
}

#[test]
fn no_command_goes_to_a_lead_whose_number_is_in_another_account_by_now() {
    let (default, in_eu) = (lead("", "1555", None, &[]), lead("eu", "1555", None, &[]));
    for (accounts, expected) in [("", [true, false]), ("eu=100", [false, true])] {
        let accounts = accounts.parse().unwrap();
        let found = [&default, &in_eu].map(|it| it.is_within(Some(&accounts)));
        assert_eq!(found, expected);
    }
    assert!(default.is_within(None) && in_eu.is_within(None));
}
