use leadstream_schemas::{
    Account, Content, InputKind, LeadInput, Platform, Revision, Sender, Timestamp,
};

use super::*;
use crate::engine::command::CommandStatus;
use crate::lead::{Accounts, Inbound, Lead, scoped};

const KEY: &str = "request-7";
const ERASE: Content = Content::Erase { of: None };

fn address(account: &str, id: &str) -> Address {
    let accounts: Accounts = "eu=200".parse().unwrap();
    Address::of(&account.into(), id, Some(&accounts)).unwrap()
}

/// A lead whose first key is its `wa_id`.
fn lead(account: &str, wa_id: &str, user_id: Option<&str>, merged: &[&str]) -> LeadRef {
    let sender = Sender {
        wa_id: Some(wa_id.to_owned()),
        user_id: user_id.map(ToOwned::to_owned),
        ..Sender::default()
    };
    let input = LeadInput {
        id: "wamid.1".into(),
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
    lead.merged = merged.iter().map(|id| LeadId::from(*id)).collect();
    let account = Account::from(account);
    LeadRef::of(scoped(&account, wa_id).into(), &account, lead)
}

fn request(at: &Address, found: Option<&LeadRef>, content: &Content) -> ClaimRequest {
    ClaimRequest::new(&KEY.into(), at, found, content)
}

/// Returns the claim of an erasure of 1555, which was named by its number.
fn claimed() -> Claim {
    let found = lead("", "1555", Some("US.1"), &[]);
    request(&address("", "1555"), Some(&found), &ERASE).claim
}

fn result(content: &Content, lead_id: Option<&LeadId>) -> CommandResult {
    CommandResult {
        id: KEY.into(),
        command: "erase".to_owned(),
        status: CommandStatus::Applied {
            revision: Revision(2),
        },
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
fn an_id_claimed_for_one_lead_is_taken_for_every_other() {
    let other = lead("", "1556", None, &[]);
    let in_eu = lead("eu", "1555", Some("US.1"), &[]);
    for (at, found) in [
        (address("", "1556"), Some(&other)),
        // No lead has the number, or a lead with the same number has another account.
        (address("", "1557"), None),
        (address("eu", "1555"), Some(&in_eu)),
        (address("eu", "1555"), None),
        (address("eu", "US.1"), None),
    ] {
        let request = request(&at, found, &ERASE);
        for expected in [None, Some(result(&ERASE, None))] {
            let known = known(Some(claimed()), expected);
            assert_eq!(request.result(known), Err(Taken), "{at:?}");
        }
    }
}

#[test]
fn an_id_is_the_same_lead_s_under_each_of_its_ids() {
    let found = lead("", "1555", Some("US.1"), &[]);
    for id in ["1555", "US.1"] {
        let request = request(&address("", id), Some(&found), &ERASE);
        let known = known(Some(claimed()), None);
        assert_eq!(request.result(known), Ok(None), "{id}");
    }
    let another = Content::Release;
    let request = request(&address("", "1555"), Some(&found), &another);
    assert_eq!(request.result(known(Some(claimed()), None)), Err(Taken));
}

#[test]
fn a_repeat_for_an_erased_lead_has_the_same_result() {
    let expected = result(&ERASE, None);
    for id in ["1555", "US.1"] {
        let request = request(&address("", id), None, &ERASE);
        let known = known(Some(claimed()), Some(expected.clone()));
        assert_eq!(request.result(known), Ok(Some(expected.clone())), "{id}");
    }
    // Also after the person wrote again, under another id first.
    let new = lead("", "1558", Some("US.1"), &[]);
    let request = request(&address("", "1558"), Some(&new), &ERASE);
    let known = known(Some(claimed()), Some(expected.clone()));
    assert_eq!(request.result(known), Ok(Some(expected)));
}

#[test]
fn a_merged_lead_s_id_is_its_survivor_s() {
    let survivor = lead("", "1550", None, &["1555"]);
    let mut to_be = lead("", "1550", None, &[]);
    to_be.closed = vec!["1555".into()];
    let expected = result(&ERASE, Some(&"1555".into()));
    for (found, id) in [(&survivor, "1555"), (&survivor, "1550"), (&to_be, "1555")] {
        let request = request(&address("", id), Some(found), &ERASE);
        let known = known(Some(claimed()), Some(expected.clone()));
        assert_eq!(request.result(known), Ok(Some(expected.clone())), "{id}");
    }
}

#[test]
fn a_result_without_a_claim_belongs_to_its_own_lead_only() {
    let (own, other) = (lead("", "1555", None, &[]), lead("", "1556", None, &[]));
    let assign = Content::Assign { assignee: None };
    let expected = result(&assign, Some(&"1555".into()));
    let ask = |found: &LeadRef, content: &Content, expected: &CommandResult| {
        let request = request(&address("", found.lead_id.as_str()), Some(found), content);
        request.result(known(None, Some(expected.clone())))
    };
    assert_eq!(ask(&own, &assign, &expected), Ok(Some(expected.clone())));
    assert_eq!(ask(&other, &assign, &expected), Err(Taken));
    assert_eq!(ask(&own, &ERASE, &expected), Err(Taken));
    // The result of an erased lead does not name the lead.
    let expected = result(&ERASE, None);
    assert_eq!(ask(&own, &ERASE, &expected), Err(Taken));
    let request = request(&address("", "1555"), None, &ERASE);
    assert_eq!(request.result(known(None, Some(expected))), Err(Taken));
}

#[test]
fn a_result_of_another_lead_is_not_returned_for_the_one_that_claimed_the_id() {
    let found = lead("", "1555", Some("US.1"), &[]);
    let request = request(&address("", "1555"), Some(&found), &ERASE);
    let known = known(Some(claimed()), Some(result(&ERASE, Some(&"1556".into()))));
    assert_eq!(request.result(known), Err(Taken));
}

#[test]
fn a_claim_holds_no_id_of_the_person() {
    let claim = claimed();
    assert_eq!(claim.identity_hashes.len(), 2);
    let others = request(&address("", "1555"), None, &ERASE).claim;
    assert_eq!(others.identity_hashes.len(), 1);
    let elsewhere =
        ClaimRequest::new(&"request-8".into(), &address("", "1555"), None, &ERASE).claim;
    assert_ne!(others.identity_hashes, elsewhere.identity_hashes);
}

#[test]
fn no_command_reaches_a_lead_whose_number_moved_to_another_account() {
    let (default, in_eu) = (lead("", "1555", None, &[]), lead("eu", "1555", None, &[]));
    for (accounts, expected) in [("", [true, false]), ("eu=100", [false, true])] {
        let accounts = accounts.parse().unwrap();
        let found = [&default, &in_eu].map(|it| it.is_within(Some(&accounts)));
        assert_eq!(found, expected);
    }
    assert!(default.is_within(None) && in_eu.is_within(None));
}
