//! Runs the clients of the CRMs against the sandbox, which behaves as the vendors do: records of sales,
//! merged, converted and deleted ones.

use clap::{Args as _, Command, FromArgMatches as _};
use leadstream_sandbox::{
    CrmRecord, Field, Property, Sandbox, SandboxConfig, Secret, Values, Vendor,
};
use leadstream_schemas::LeadId;
use serde_json::{Value, json};

use crate::config::{CrmArgs, Crms};
use crate::crm::{Adoption, Crm, Known, Lost, Prepared};
use crate::hubspot::Hubspot;
use crate::mapping::{MatchBy, OnMultipleMatches};
use crate::matching::{Match, UnmatchedLead, assign};
use crate::number::Number;
use crate::outcome::RecordOutcome;
use crate::person::tests::{completed, of};
use crate::salesforce::Salesforce;

const ANN: &str = "14155552671";

/// A sandbox whose CRMs have the fields of the default mapping.
async fn sandbox(fields_of_contacts: bool) -> Sandbox {
    let mut config = SandboxConfig::default();
    for (name, kind) in [
        ("leadstream_state", "string"),
        ("leadstream_score", "number"),
        ("leadstream_revision", "number"),
        ("leadstream_budget", "number"),
        ("leadstream_merged_into", "string"),
    ] {
        config.hubspot.properties.push(Property::new(name, kind));
    }
    let own = || {
        [
            Field::text("Leadstream_State__c", 50),
            Field::new("Leadstream_Score__c", "double", 0),
            Field::new("Leadstream_Revision__c", "double", 0),
            Field::new("Leadstream_Budget__c", "double", 0),
            Field::text("Leadstream_Merged_Into__c", 255),
        ]
    };
    config.salesforce.fields.extend(own());
    if fields_of_contacts {
        config.salesforce.contact_fields.extend(own());
        let person = own().map(|field| Field {
            name: field.name.replace("__c", "__pc"),
            ..field
        });
        config.salesforce.account_fields.extend(person);
    }
    Sandbox::start(config).await.unwrap()
}

fn crms(sandbox: &Sandbox, flags: &[&str]) -> Crms {
    let config = sandbox.config();
    let expose = |secret: &Secret| secret.expose().to_owned();
    let given = [
        "sink-crm".to_owned(),
        format!("--hubspot-api-url={}", sandbox.hubspot_url()),
        format!(
            "--hubspot-access-token={}",
            expose(&config.hubspot.access_token)
        ),
        format!("--salesforce-login-url={}", sandbox.salesforce_url()),
        format!(
            "--salesforce-client-id={}",
            expose(&config.salesforce.client_id)
        ),
        format!(
            "--salesforce-client-secret={}",
            expose(&config.salesforce.client_secret)
        ),
        "--sink-crm-allowed-hosts=127.0.0.1".to_owned(),
    ];
    let flags = given
        .into_iter()
        .chain(flags.iter().map(ToString::to_string));
    let command = CrmArgs::augment_args(Command::new("sink-crm"));
    let matches = command.try_get_matches_from(flags).unwrap();
    CrmArgs::from_arg_matches(&matches).unwrap().crms().unwrap()
}

fn http() -> reqwest::Client {
    crate::http::client(std::time::Duration::from_secs(10)).unwrap()
}

async fn salesforce(sandbox: &Sandbox, flags: &[&str]) -> Salesforce {
    let mut settings = crms(sandbox, flags).salesforce.unwrap();
    settings.target.match_existing = Some(MatchBy::PhoneThenEmail);
    let salesforce = Salesforce::new(http(), settings);
    salesforce.check().await.unwrap();
    salesforce
}

fn hubspot(sandbox: &Sandbox) -> Hubspot {
    let mut settings = crms(sandbox, &[]).hubspot.unwrap();
    settings.target.match_existing = Some(MatchBy::PhoneThenEmail);
    Hubspot::new(http(), settings)
}

fn values(values: Value) -> Values {
    serde_json::from_value(values).unwrap()
}

fn lead(wa_id: &str, email: Option<&str>) -> UnmatchedLead {
    UnmatchedLead {
        lead_id: wa_id.into(),
        number: Number::new(wa_id),
        email: email.map(Into::into),
    }
}

/// Returns the record that a lead gets.
async fn matched<C: Crm>(crm: &C, lead: UnmatchedLead) -> Match {
    let leads = [lead];
    let candidates = crm.find_candidates(&leads).await.unwrap();
    let mut found = assign(&leads, &candidates, OnMultipleMatches::Park);
    found.remove(0)
}

fn prepared<C: Crm>(crm: &C, lead_id: &str, record_id: Option<&str>) -> Prepared {
    let mut event = completed();
    event.lead_id = lead_id.into();
    event.wa_id = Some(lead_id.to_owned());
    Prepared {
        record_id: record_id.map(Into::into),
        is_new: record_id.is_none(),
        ..crm.prepare(&of(event))
    }
}

async fn upsert<C: Crm>(crm: &C, leads: &[Prepared]) -> Vec<RecordOutcome> {
    let leads: Vec<&Prepared> = leads.iter().collect();
    crm.upsert(&leads).await.result.unwrap()
}

fn synced(id: &str) -> RecordOutcome {
    RecordOutcome::Synced {
        crm_record_id: Some(id.to_owned()),
    }
}

async fn records(sandbox: &Sandbox, path: &str) -> Vec<CrmRecord> {
    let url = format!("{}/sandbox/{path}", sandbox.url());
    http().get(url).send().await.unwrap().json().await.unwrap()
}

/// Numbers as people write them, with the number of WhatsApp: all of one person.
const NOTATIONS: [(&str, &[&str]); 8] = [
    (ANN, &["(415) 555-2671", "+1 415-555-2671", "14155552671"]),
    ("4915112345678", &["+49 151 12345678", "+4915112345678"]),
    ("551187654321", &["+5511987654321", "(11) 98765-4321"]),
    ("5511987654321", &["+551187654321", "+55 11 8765-4321"]),
    ("5215512345678", &["+525512345678", "+52 55 1234 5678"]),
    ("5491123456789", &["+541123456789", "+5491123456789"]),
    ("447911123456", &["+44 7911 123456", "+447911123456"]),
    ("919876543210", &["+91 98765 43210", "+919876543210"]),
];

#[tokio::test]
async fn hubspot_s_contacts_are_found_in_every_notation_and_property() {
    for (wa_id, notations) in NOTATIONS {
        for name in ["phone", "mobilephone", "hs_whatsapp_phone_number"] {
            for text in notations {
                // The sandbox's portal reads the notations of the United States.
                let is_full = text.starts_with('+') && !text.contains(' ');
                let is_own = wa_id.starts_with('1') && name != "hs_whatsapp_phone_number";
                if !is_full && !is_own {
                    continue;
                }
                let sandbox = sandbox(false).await;
                let record = values(json!({ name: text }));
                let id = sandbox.write_record(Vendor::Hubspot, None, record).unwrap();
                let other = values(json!({ name: "+1 212 555 0000" }));
                sandbox.write_record(Vendor::Hubspot, None, other).unwrap();
                let found = matched(&hubspot(&sandbox), lead(wa_id, None)).await;
                assert_eq!(found, Match::Record(id), "{wa_id} as {text} in {name}");
            }
        }
    }
}

#[tokio::test]
async fn salesforce_s_records_are_found_in_the_notations_of_crms() {
    for (wa_id, notations) in NOTATIONS {
        let sandbox = sandbox(true).await;
        let salesforce = salesforce(&sandbox, &[]).await;
        // Salesforce compares texts, so only the usual notations are found.
        let usual = |text: &&&str| text.starts_with('+') && !text.contains(' ');
        let text = notations.iter().find(usual).unwrap_or(&notations[0]);
        let record = values(json!({ "LastName": "Of Sales", "MobilePhone": text }));
        let id = sandbox
            .write_record(Vendor::Salesforce, None, record)
            .unwrap();
        let found = matched(&salesforce, lead(wa_id, None)).await;
        assert_eq!(found, Match::Record(id), "{wa_id} as {text}");
        for name in ["Phone", "MobilePhone", "HomePhone", "OtherPhone"] {
            let contact = values(json!({ "LastName": "Customer", name: text }));
            let contact = sandbox.write_contact(contact, false).unwrap();
            let found = matched(&salesforce, lead(wa_id, None)).await;
            assert_eq!(
                found,
                Match::Record(contact.clone()),
                "{name}: before the Lead"
            );
            sandbox.delete_contact(&contact).unwrap();
        }
    }
}

#[tokio::test]
async fn an_address_counts_where_no_number_does() {
    let email = Some("ann@example.com");
    let sandbox = sandbox(true).await;
    let hubspot = hubspot(&sandbox);
    let contact = values(json!({ "email": "Ann@Example.com" }));
    let by_email = sandbox
        .write_record(Vendor::Hubspot, None, contact)
        .unwrap();
    assert_eq!(
        matched(&hubspot, lead(ANN, email)).await,
        Match::Record(by_email)
    );
    assert_eq!(matched(&hubspot, lead(ANN, None)).await, Match::None);
    let contact = values(json!({ "phone": "(415) 555-2671" }));
    let by_number = sandbox
        .write_record(Vendor::Hubspot, None, contact)
        .unwrap();
    assert_eq!(
        matched(&hubspot, lead(ANN, email)).await,
        Match::Record(by_number)
    );

    let salesforce = salesforce(&sandbox, &[]).await;
    let record = values(json!({ "LastName": "Lead", "Email": "ann@example.com" }));
    let by_email = sandbox
        .write_record(Vendor::Salesforce, None, record)
        .unwrap();
    assert_eq!(
        matched(&salesforce, lead(ANN, email)).await,
        Match::Record(by_email)
    );
    let person = values(json!({ "LastName": "Person", "Email": "ann@example.com" }));
    let person = sandbox.write_contact(person, true).unwrap();
    let account = records(&sandbox, &format!("salesforce/contacts?id={person}")).await;
    let account = account[0].text("AccountId").unwrap().to_owned();
    assert_eq!(
        matched(&salesforce, lead(ANN, email)).await,
        Match::Record(account)
    );
}

#[tokio::test]
async fn salesforce_finds_a_number_in_notations_that_no_list_has() {
    for (wa_id, written) in [
        ("4915112345678", "+49 151 123 456 78"),
        ("4915112345678", "0151/123 456 78"),
        ("4915112345678", "0151-12 34 56 78"),
        ("14155552671", "415.555.2671"),
        ("14155552671", "+1 (415) 555 26 71"),
        ("5511987654321", "(11) 98765 43 21"),
        ("5511987654321", "+55 11 8765 4321"),
    ] {
        for contacts in [false, true] {
            let sandbox = sandbox(contacts).await;
            let salesforce = salesforce(&sandbox, &[]).await;
            let record = values(json!({ "LastName": "Sales", "Phone": written }));
            let id = if contacts {
                sandbox.write_contact(record, false).unwrap()
            } else {
                sandbox
                    .write_record(Vendor::Salesforce, None, record)
                    .unwrap()
            };
            let found = matched(&salesforce, lead(wa_id, None)).await;
            assert_eq!(found, Match::Record(id), "{wa_id} as {written}");
            let other = matched(&salesforce, lead("4915112345679", None)).await;
            assert_eq!(other, Match::None);
        }
    }
}

#[tokio::test]
async fn a_converted_lead_is_written_to_its_contact_or_person_account() {
    for person_account in [false, true] {
        let sandbox = sandbox(true).await;
        let salesforce = salesforce(&sandbox, &[]).await;
        let created = upsert(&salesforce, &[prepared(&salesforce, ANN, None)]).await;
        let id = created[0].crm_record_id().unwrap().to_owned();
        let contact = sandbox.convert(&id, person_account).unwrap();
        let known = records(&sandbox, &format!("salesforce/contacts?id={contact}")).await;
        let target = if person_account {
            known[0].text("AccountId").unwrap().to_owned()
        } else {
            contact.clone()
        };
        // The first request finds it, later ones know it. A lead beside it is not disturbed.
        let beside = prepared(&salesforce, "4915112345678", None);
        for record_id in [None, Some(target.as_str())] {
            let lead = prepared(&salesforce, ANN, record_id);
            let outcomes = upsert(&salesforce, &[lead, beside.clone()]).await;
            assert_eq!(outcomes[0], synced(&target), "{person_account}");
            assert!(matches!(&outcomes[1], RecordOutcome::Synced { .. }));
        }
        let (kind, name) = if person_account {
            ("accounts", "Leadstream_Revision__pc")
        } else {
            ("contacts", "Leadstream_Revision__c")
        };
        let written = records(&sandbox, &format!("salesforce/{kind}?id={target}")).await;
        assert_eq!(written[0].values[name], 3);
        assert_eq!(written[0].values.get("Company"), None);
        let last = written[0].history.back().unwrap();
        assert!(
            !last.values.contains_key("LastName"),
            "names belong to sales"
        );
    }
}

#[tokio::test]
async fn without_own_fields_of_contacts_a_converted_lead_is_parked() {
    let sandbox = sandbox(false).await;
    let salesforce = salesforce(&sandbox, &[]).await;
    let created = upsert(&salesforce, &[prepared(&salesforce, ANN, None)]).await;
    sandbox
        .convert(created[0].crm_record_id().unwrap(), false)
        .unwrap();
    let outcomes = upsert(&salesforce, &[prepared(&salesforce, ANN, None)]).await;
    assert!(
        matches!(&outcomes[0], RecordOutcome::Parked(reason) if reason.contains("CONVERTED")),
        "{outcomes:?}"
    );
    let contact = values(json!({ "LastName": "Customer", "Phone": "+14155552671" }));
    sandbox.write_contact(contact, false).unwrap();
    assert_eq!(
        matched(&salesforce, lead("14155552671", None)).await,
        Match::None
    );
}

#[tokio::test]
async fn assignment_rules_run_for_new_leads_only_where_they_are_chosen() {
    for (flags, assignments) in [
        (&[][..], 0),
        (&["--salesforce-assignment-rules=on-creation"][..], 1),
    ] {
        let sandbox = sandbox(false).await;
        let salesforce = salesforce(&sandbox, flags).await;
        let fresh = prepared(&salesforce, ANN, None);
        upsert(&salesforce, std::slice::from_ref(&fresh)).await;
        let known = Prepared {
            is_new: false,
            ..fresh
        };
        upsert(&salesforce, &[known]).await;
        let leads = records(&sandbox, "salesforce/leads").await;
        assert_eq!((leads[0].writes, leads[0].assignments), (2, assignments));
    }
}

async fn lost<C: Crm>(crm: &C, lead_id: &LeadId, record_id: &str) -> Option<Lost> {
    let known = [Known { lead_id, record_id }];
    crm.find_lost(&known).await.unwrap().pop()
}

fn survivor(lost: Option<Lost>) -> Option<Option<(String, Option<LeadId>)>> {
    lost.map(|lost| lost.survivor.map(|it| (it.id, it.key)))
}

/// Merges and deletes the records of a lead as sales do, and follows each.
async fn follow<C: Crm>(crm: &C, sandbox: &Sandbox, vendor: Vendor, name: &str) {
    let lead_id = LeadId::from(ANN);
    let created = upsert(crm, &[prepared(crm, ANN, None)]).await;
    let id = created[0].crm_record_id().unwrap().to_owned();
    assert_eq!(lost(crm, &lead_id, &id).await, None, "as it was");

    // Merged into a record of sales, which has no key: it becomes the lead's.
    let other = values(json!({ name: "Of Sales" }));
    let other = sandbox.write_record(vendor, None, other).unwrap();
    let merged = sandbox.merge(vendor, &other, &id).unwrap();
    let found = lost(crm, &lead_id, &id).await;
    let key = match vendor {
        // Of HubSpot's contacts, values of the second fill those that the first lacks.
        Vendor::Hubspot => {
            assert_eq!(found, None, "the survivor took over the key");
            let again = upsert(crm, &[prepared(crm, ANN, None)]).await;
            assert_eq!(again, [synced(&merged)], "it is updated by the key");
            merged
        }
        _ => {
            assert_eq!(survivor(found), Some(Some((merged.clone(), None))));
            let adoption = Adoption {
                record_id: &merged,
                lead_id: &lead_id,
            };
            let adopted = crm.adopt(&[adoption]).await.result.unwrap();
            assert_eq!(adopted, [synced(&merged)]);
            let again = upsert(crm, &[prepared(crm, ANN, None)]).await;
            assert_eq!(again, [synced(&merged)], "no second record");
            merged
        }
    };

    // Merged into the record of another lead.
    let other = upsert(crm, &[prepared(crm, "4915112345678", None)]).await;
    let other = other[0].crm_record_id().unwrap().to_owned();
    let merged = sandbox.merge(vendor, &other, &key).unwrap();
    let found = survivor(lost(crm, &lead_id, &key).await);
    assert_eq!(
        found,
        Some(Some((merged.clone(), Some("4915112345678".into()))))
    );

    // Deleted.
    sandbox.delete(vendor, &merged).unwrap();
    assert_eq!(survivor(lost(crm, &lead_id, &key).await), Some(None));
}

#[tokio::test]
async fn a_merged_or_deleted_contact_of_hubspot_is_followed() {
    let sandbox = sandbox(false).await;
    follow(&hubspot(&sandbox), &sandbox, Vendor::Hubspot, "lastname").await;
}

#[tokio::test]
async fn a_merged_or_deleted_lead_of_salesforce_is_followed() {
    let sandbox = sandbox(false).await;
    let salesforce = salesforce(&sandbox, &[]).await;
    follow(&salesforce, &sandbox, Vendor::Salesforce, "LastName").await;
}
