//! Tests expiring tokens, searches, queries and deployed metadata.

use std::collections::BTreeMap;
use std::time::Duration;

use leadstream_sandbox::{HubspotConfig, OAuthApp, SandboxConfig, Vendor};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{World, lead, send};

const SEARCH: &str = "/crm/objects/2026-09/contacts/search";

fn search(values: &[&str]) -> Value {
    let filter = json!({
        "propertyName": "hs_searchable_calculated_phone_number", "operator": "IN", "values": values,
    });
    json!({"filterGroups": [{"filters": [filter]}], "properties": ["phone"], "limit": 1})
}

#[tokio::test]
async fn contacts_are_found_by_their_number_in_any_notation_page_by_page() {
    let world = World::new().await;
    for phone in ["(415) 555-2671", "+1 415 555 2671", "+1 415 555 0000"] {
        let values = serde_json::from_value(json!({ "phone": phone })).unwrap();
        world
            .sandbox
            .write_record(Vendor::Hubspot, None, values)
            .unwrap();
    }
    let mut body = search(&["4155552671"]);
    let first = send(world.hubspot(Method::POST, SEARCH).json(&body)).await;
    assert_eq!((first.status, &first.body["total"]), (200, &json!(2)));
    assert_eq!(
        first.body["results"][0]["properties"]["phone"],
        "(415) 555-2671"
    );
    assert!(
        first.headers.get("x-hubspot-ratelimit-max").is_none(),
        "a search reports no limit"
    );
    body["after"] = first.body["paging"]["next"]["after"].clone();
    let second = send(world.hubspot(Method::POST, SEARCH).json(&body)).await;
    assert_eq!(
        second.body["results"][0]["properties"]["phone"],
        "+1 415 555 2671"
    );
    assert!(second.body.get("paging").is_none());
    let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = send(world.hubspot(Method::POST, SEARCH).json(&search(&many))).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_sixth_search_within_a_second_is_one_too_many_and_the_index_lags_behind() {
    let hubspot = HubspotConfig {
        search_delay: Duration::from_secs(3600),
        ..HubspotConfig::default()
    };
    let world = World::with(SandboxConfig {
        hubspot,
        ..SandboxConfig::default()
    })
    .await;
    let values = serde_json::from_value(json!({"phone": "(415) 555-2671"})).unwrap();
    world
        .sandbox
        .write_record(Vendor::Hubspot, None, values)
        .unwrap();
    let requests = (0..6).map(|_| {
        world
            .hubspot(Method::POST, SEARCH)
            .json(&search(&["4155552671"]))
    });
    let mut statuses = Vec::new();
    for request in requests {
        let answer = send(request).await;
        if answer.status == 200 {
            assert_eq!(answer.body["total"], 0, "not in the index yet");
        } else {
            assert_eq!(answer.body["policyName"], "SECONDLY");
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
}

#[tokio::test]
async fn a_refresh_token_gives_tokens_that_end() {
    let world = World::new().await;
    world.sandbox.change_credentials(|taken| {
        taken.hubspot_app = Some(OAuthApp {
            client_id: "id".into(),
            client_secret: "secret".into(),
            refresh_token: "refresh".into(),
            lifetime: Duration::ZERO,
            rotates: true,
        });
    });
    let url = format!("{}/oauth/v1/token", world.sandbox.hubspot_url());
    let ask = async |secret: &str, refresh: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", "id"),
            ("client_secret", secret),
            ("refresh_token", refresh),
        ];
        send(world.http.post(&url).form(&form)).await
    };
    let wrong = ask("wrong", "refresh").await;
    assert_eq!(
        (wrong.status, &wrong.body["status"]),
        (400, &json!("BAD_CLIENT_SECRET"))
    );
    let given = ask("secret", "refresh").await;
    assert_eq!((given.status, &given.body["expires_in"]), (200, &json!(0)));
    let used = ask("secret", "refresh").await;
    assert_eq!(used.body["status"], "BAD_REFRESH_TOKEN", "it holds once");
    let token = given.body["access_token"].as_str().unwrap();
    let url = format!("{}{SEARCH}", world.sandbox.hubspot_url());
    let late = send(
        world
            .http
            .post(url)
            .bearer_auth(token)
            .json(&search(&["1"])),
    )
    .await;
    assert_eq!(
        (late.status, &late.body["category"]),
        (401, &json!("EXPIRED_AUTHENTICATION"))
    );
}

#[tokio::test]
async fn a_package_is_deployed_as_a_whole_and_its_rule_refuses_a_smaller_number() {
    let world = World::new().await;
    let head = "<?xml version=\"1.0\"?>";
    let field = "<fields><fullName>Rev__c</fullName><label>Rev</label><type>Number</type><precision>18</precision><scale>0</scale></fields>";
    let rule = "<validationRules><fullName>R</fullName><active>true</active><errorConditionFormula>AND(NOT(ISNEW()), NOT(ISBLANK(PRIORVALUE(Rev__c))), Rev__c &lt; PRIORVALUE(Rev__c))</errorConditionFormula><errorMessage>STALE</errorMessage></validationRules>";
    let mut files = BTreeMap::from([
        (
            "package.xml".to_owned(),
            format!(
                "{head}<Package><types><members>Lead.Rev__c</members><name>CustomField</name></types><types><members>P</members><name>PermissionSet</name></types><types><members>Lead.R</members><name>ValidationRule</name></types></Package>"
            ),
        ),
        (
            "objects/Lead.object".to_owned(),
            format!("{head}<CustomObject>{field}{rule}</CustomObject>"),
        ),
    ]);
    let error = world.sandbox.deploy(&files).unwrap_err();
    assert!(error.contains("permissionsets/P.permissionset"), "{error}");
    files.insert(
        "permissionsets/P.permissionset".into(),
        format!("{head}<PermissionSet><fieldPermissions><editable>true</editable><field>Lead.Rev__c</field></fieldPermissions></PermissionSet>"),
    );
    world.sandbox.deploy(&files).unwrap();
    let token = world.token().await;
    let mut record = lead("1", "Lee");
    let mut codes = Vec::new();
    for revision in [2, 1, 2, 3] {
        record["Rev__c"] = json!(revision);
        let answer = send(world.upsert_leads(&token, &json!([record]))).await;
        codes.push(answer.body[0]["errors"][0]["statusCode"].clone());
    }
    let refused = json!("FIELD_CUSTOM_VALIDATION_EXCEPTION");
    assert_eq!(codes, [Value::Null, refused, Value::Null, Value::Null]);
    let soql = "SELECT Id, Rev__c FROM Lead WHERE WA_Id__c = '1'";
    let path = "/services/data/v66.0/query";
    let found = send(
        world
            .salesforce(&token, Method::GET, path)
            .query(&[("q", soql)]),
    )
    .await;
    assert_eq!(found.body["records"][0]["Rev__c"], 3);
    let wrong = world
        .salesforce(&token, Method::GET, path)
        .query(&[("q", "SELECT Id FROM Contact")]);
    assert_eq!(send(wrong).await.body[0]["errorCode"], "MALFORMED_QUERY");
}
