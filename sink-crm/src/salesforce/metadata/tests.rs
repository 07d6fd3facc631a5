use std::collections::BTreeSet;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::package;
use crate::mapping::{DEFAULT, Mapping, Target};

fn target() -> Target {
    let more = "    Leadstream_Score__c: { from: score, type: number }\n    Notes__c: { from: data.notes, max_length: 2000 }\n    Tier__c: { from: data.tier, values: { a: \"Gold & Co\", b: <Silver> } }\n    Vip__c: { from: data.vip, type: boolean }\n    Since__c: { from: timestamp, type: datetime }";
    let old = "    Leadstream_Score__c: { from: score, type: number }";
    DEFAULT
        .replacen(old, more, 1)
        .parse::<Mapping>()
        .unwrap()
        .salesforce
}

/// The texts of a document's elements, by the names of the elements; each is closed.
fn texts(document: &str, element: &str) -> Vec<String> {
    let mut reader = Reader::from_str(document);
    let (mut path, mut found) = (Vec::new(), Vec::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                path.push(String::from_utf8(start.name().as_ref().to_vec()).unwrap());
            }
            Event::End(_) => drop(path.pop().unwrap()),
            Event::Text(text) if path.last().is_some_and(|name| name == element) => {
                found.push(text.decode().unwrap().into_owned());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(path.is_empty(), "{path:?} are not closed");
    found
}

#[test]
fn the_package_names_each_custom_field_that_the_mapping_writes() {
    let files = package(&target(), "WA_Id__c", "v66.0", &BTreeSet::new()).unwrap();
    let package = &files["package.xml"];
    assert_eq!(texts(package, "version"), ["66.0"]);
    let lead = &files["objects/Lead.object"];
    let rights = texts(&files["permissionsets/Leadstream.permissionset"], "field");
    for name in [
        "WA_Id__c",
        "Leadstream_Revision__c",
        "Leadstream_Merged_Into__c",
        "Leadstream_State__c",
        "Leadstream_Score__c",
        "Leadstream_Budget__c",
        "Notes__c",
        "Tier__c",
        "Vip__c",
        "Since__c",
    ] {
        let member = format!("Lead.{name}");
        assert!(texts(package, "members").contains(&member), "{name}");
        assert!(
            texts(lead, "fullName").iter().any(|known| known == name),
            "{name}"
        );
        assert!(rights.contains(&member), "{name}");
    }
    assert!(
        !texts(lead, "fullName")
            .iter()
            .any(|name| name == "LastName")
    );
    for kind in [
        "Text",
        "LongTextArea",
        "Number",
        "Picklist",
        "Checkbox",
        "DateTime",
    ] {
        assert!(
            texts(lead, "type").iter().any(|known| known == kind),
            "{kind}"
        );
    }
    assert!(
        lead.contains("Gold &amp; Co") && lead.contains("&lt;Silver&gt;"),
        "{lead}"
    );
    assert!(
        lead.contains("Leadstream_Revision__c &lt; PRIORVALUE(Leadstream_Revision__c)"),
        "{lead}"
    );
    assert!(texts(lead, "errorMessage")[0].starts_with("STALE_VERSION"));
}

#[test]
fn fields_that_the_organisation_has_stay_as_they_are() {
    let existing = BTreeSet::from(["Tier__c".to_owned(), "WA_Id__c".to_owned()]);
    let files = package(&target(), "WA_Id__c", "v66.0", &existing).unwrap();
    let members = texts(&files["package.xml"], "members");
    assert!(!members.contains(&"Lead.Tier__c".to_owned()));
    assert!(members.contains(&"Lead.Vip__c".to_owned()));
    let rights = texts(&files["permissionsets/Leadstream.permissionset"], "field");
    assert!(
        rights.contains(&"Lead.Tier__c".to_owned()),
        "it is written nevertheless"
    );
}
