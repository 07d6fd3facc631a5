//! Tests tokens, upserts of leads, description, limits.

use leadstream_sandbox::{Endpoint, SalesforceConfig, SandboxConfig};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{World, lead, send};

#[tokio::test]
async fn a_token_is_given_for_the_right_credentials_only() {
    let world = World::new().await;
    let given = send(world.token_request("sandbox-salesforce-secret")).await;
    assert_eq!(given.status, 200, "{}", given.body);
    assert_eq!(given.body["token_type"], "Bearer");
    assert_eq!(given.body["instance_url"], world.sandbox.salesforce_url());
    assert!(given.body.get("expires_in").is_none());
    let wrong = send(world.token_request("wrong & secret=1")).await;
    assert_eq!(wrong.status, 400);
    assert_eq!(wrong.body["error"], "invalid_client");
    let url = format!("{}/services/oauth2/token", world.sandbox.salesforce_url());
    let other = send(world.http.post(&url).form(&[("grant_type", "password")])).await;
    assert_eq!(other.body["error"], "unsupported_grant_type");
    let none = send(world.http.post(&url)).await;
    assert_eq!(
        (none.status, &none.body["error"]),
        (400, &json!("invalid_request"))
    );

    let refused = send(world.upsert_leads("wrong", &json!([lead("1", "Lee")]))).await;
    assert_eq!(refused.status, 401);
    let expected =
        json!([{ "message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID" }]);
    assert_eq!(refused.body, expected);
}

#[tokio::test]
async fn leads_are_created_then_updated_in_the_order_of_the_records() {
    let world = World::new().await;
    let token = world.token().await;
    let created =
        send(world.upsert_leads(&token, &json!([lead("1", "Lee"), lead("2", "Silva")]))).await;
    assert_eq!(created.status, 200, "{}", created.body);
    assert!(
        created.headers["sforce-limit-info"]
            .to_str()
            .unwrap()
            .starts_with("api-usage=1/")
    );
    let id = created.body[0]["id"].as_str().unwrap();
    assert_eq!((id.len(), &id[..3]), (18, "00Q"));
    let expected = json!({ "id": id, "success": true, "errors": [], "created": true });
    assert_eq!(created.body[0], expected);

    let update = json!({
        "attributes": { "type": "Lead" }, "WA_Id__c": "1", "Rating": "Hot", "AnnualRevenue": 7500,
    });
    let mixed = send(world.upsert_leads(&token, &json!([lead("3", "Cy"), update]))).await;
    assert_eq!(mixed.body[0]["created"], true);
    assert_eq!(
        mixed.body[1],
        json!({ "id": id, "success": true, "errors": [], "created": false })
    );

    let lee = world.client.lead("1").await.unwrap().expect("the lead");
    assert_eq!(lee.text("LastName"), Some("Lee"));
    assert_eq!(lee.text("Rating"), Some("Hot"));
    assert_eq!(lee.history.len(), 2);
    assert!(!lee.values.contains_key("attributes"));
    assert_eq!(lee.assignments, 0, "Sforce-Auto-Assign was FALSE");
    assert_eq!(world.client.leads().await.unwrap().len(), 3);
}

#[tokio::test]
async fn without_the_header_every_write_runs_the_assignment_rules() {
    let world = World::new().await;
    let token = world.token().await;
    let path = crate::support::UPSERT_LEADS;
    let body = json!({ "allOrNone": false, "records": [lead("1", "Lee")] });
    for _ in 0..2 {
        let request = world.salesforce(&token, Method::PATCH, path).json(&body);
        assert_eq!(send(request).await.status, 200);
    }
    assert_eq!(
        world.client.lead("1").await.unwrap().unwrap().assignments,
        2
    );
}

fn code(result: &Value) -> &str {
    assert_eq!(result["success"], false, "{result}");
    assert!(result.get("id").is_none());
    result["errors"][0]["statusCode"].as_str().unwrap()
}

#[tokio::test]
async fn bad_records_fail_alone() {
    let world = World::new().await;
    let token = world.token().await;
    let with = |key: &str, field: &str, value: Value| {
        let mut record = lead(key, "Lee");
        record[field] = value;
        record
    };
    let nameless =
        json!({ "attributes": { "type": "Lead" }, "WA_Id__c": "2", "LastName": "", "Title": "x" });
    let records = json!([
        lead("1", "Lee"),
        nameless,
        with("3", "Company", json!("x".repeat(256))),
        with("4", "Rating", json!("Lukewarm")),
        lead("5", "One"),
        lead("5", "Two"),
        with("6", "IsConverted", json!(true)),
        with("", "Title", json!("x")),
        with("7", "Email", json!("nobody")),
    ]);
    let mixed = send(world.upsert_leads(&token, &records)).await;
    assert_eq!(mixed.status, 200);
    assert_eq!(mixed.body[0]["success"], true);
    let codes: Vec<&str> = mixed.body.as_array().unwrap()[1..]
        .iter()
        .map(code)
        .collect();
    let expected = [
        "REQUIRED_FIELD_MISSING",
        "STRING_TOO_LONG",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "DUPLICATE_VALUE",
        "DUPLICATE_VALUE",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "MISSING_ARGUMENT",
        "INVALID_EMAIL_ADDRESS",
    ];
    assert_eq!(codes, expected);
    assert_eq!(
        mixed.body[1]["errors"][0]["fields"],
        json!(["LastName", "Company"])
    );
    assert_eq!(world.client.leads().await.unwrap().len(), 1);
}

#[tokio::test]
async fn all_or_none_rolls_back() {
    let world = World::new().await;
    let token = world.token().await;
    let mut bad = lead("2", "Lee");
    bad["Rating"] = json!("Lukewarm");
    let body = json!({ "allOrNone": true, "records": [lead("1", "Lee"), bad] });
    let path = crate::support::UPSERT_LEADS;
    let rolled = send(world.salesforce(&token, Method::PATCH, path).json(&body)).await;
    assert_eq!(code(&rolled.body[0]), "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert!(world.client.leads().await.unwrap().is_empty());
}

#[tokio::test]
async fn requests_that_break_a_rule_are_refused_whole() {
    let world = World::new().await;
    let token = world.token().await;
    let many: Vec<Value> = (0..201).map(|n| lead(&n.to_string(), "Lee")).collect();
    let mut unknown = lead("1", "Lee");
    unknown["Foo__c"] = json!("x");
    let mut contact = lead("1", "Lee");
    contact["attributes"] = json!({ "type": "Contact" });
    let cases = [
        (json!(many), "EXCEEDED_ID_LIMIT"),
        (json!([lead("1", "Lee"), unknown]), "INVALID_FIELD"),
        (json!([contact]), "INVALID_INPUT"),
        (json!("x"), "JSON_PARSER_ERROR"),
    ];
    for (records, code) in cases {
        let refused = send(world.upsert_leads(&token, &records)).await;
        assert_eq!(
            (refused.status, &refused.body[0]["errorCode"]),
            (400, &json!(code))
        );
    }
    let path = "/services/data/v66.0/composite/sobjects/Lead/Nope__c";
    let body = json!({ "allOrNone": false, "records": [lead("1", "Lee")] });
    let refused = send(world.salesforce(&token, Method::PATCH, path).json(&body)).await;
    assert_eq!(
        (refused.status, &refused.body[0]["errorCode"]),
        (404, &json!("NOT_FOUND"))
    );
    assert!(world.client.leads().await.unwrap().is_empty());
    let most = send(world.upsert_leads(&token, &json!(many[..200]))).await;
    assert_eq!(most.body.as_array().map(Vec::len), Some(200));
    let stats = world.client.stats().await.unwrap();
    assert_eq!(
        stats.endpoint(Endpoint::SalesforceUpsert).largest_batch,
        201
    );
}

#[tokio::test]
async fn a_lead_is_read_by_its_external_id() {
    let world = World::new().await;
    let token = world.token().await;
    send(world.upsert_leads(&token, &json!([lead("a/b +1", "Lee")]))).await;
    let path = "/services/data/v66.0/sobjects/Lead/WA_Id__c";
    let read = send(world.salesforce(&token, Method::GET, &format!("{path}/a%2Fb%20%2B1"))).await;
    assert_eq!(read.status, 200, "{}", read.body);
    assert_eq!(
        (&read.body["LastName"], &read.body["attributes"]["type"]),
        (&json!("Lee"), &json!("Lead"))
    );
    let none = send(world.salesforce(&token, Method::GET, &format!("{path}/2"))).await;
    assert_eq!(
        (none.status, &none.body[0]["errorCode"]),
        (404, &json!("NOT_FOUND"))
    );
    let version = "/services/data/66/sobjects/Lead/WA_Id__c/2";
    assert_eq!(
        send(world.salesforce(&token, Method::GET, version))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn the_lead_object_is_described() {
    let world = World::new().await;
    let token = world.token().await;
    let path = "/services/data/v66.0/sobjects/Lead/describe";
    let described = send(world.salesforce(&token, Method::GET, path)).await;
    assert_eq!(described.body["name"], "Lead");
    let fields = described.body["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap();
    let key = field("WA_Id__c");
    assert_eq!(
        (&key["externalId"], &key["unique"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(field("Company")["nillable"], false);
    assert_eq!(field("Company")["length"], 255);
    assert_eq!(field("IsConverted")["updateable"], false);
    assert_eq!(field("Rating")["picklistValues"][0]["value"], "Hot");
}

#[tokio::test]
async fn the_daily_limit_ends_requests() {
    let salesforce = SalesforceConfig {
        daily_requests: 1,
        ..SalesforceConfig::default()
    };
    let world = World::with(SandboxConfig {
        salesforce,
        ..SandboxConfig::default()
    })
    .await;
    let token = world.token().await;
    let records = json!([lead("1", "Lee")]);
    assert_eq!(send(world.upsert_leads(&token, &records)).await.status, 200);
    let over = send(world.upsert_leads(&token, &records)).await;
    assert_eq!(over.status, 403);
    assert_eq!(over.body[0]["errorCode"], "REQUEST_LIMIT_EXCEEDED");
    assert_eq!(over.headers["sforce-limit-info"], "api-usage=1/1");
}
