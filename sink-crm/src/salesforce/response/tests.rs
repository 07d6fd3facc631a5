use proptest::prelude::*;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::{Daily, classify_collection, classify_failure, login_refused, parse_quota};
use crate::crm::{Class, SingleFailure};
use crate::outcome::{Cause, RecordOutcome};
use crate::tests::recordings;

fn record(result: &Value) -> RecordOutcome {
    let body = json!([result]).to_string();
    let mut outcomes = classify_collection(200, body.as_bytes(), None, 1, "WA_Id__c").unwrap();
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

fn code(status_code: &str) -> RecordOutcome {
    record(&json!({"success": false, "errors": [{"statusCode": status_code, "fields": []}]}))
}

#[test]
fn results_stand_in_the_order_of_the_records() {
    let body = json!([
        {"id": "00Q1", "success": true, "created": true, "errors": []},
        {"success": false, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW"}]},
    ])
    .to_string();
    let outcomes = classify_collection(200, body.as_bytes(), None, 2, "WA_Id__c").unwrap();
    let done = RecordOutcome::Synced {
        crm_record_id: Some("00Q1".into()),
    };
    assert_eq!(outcomes[0], done);
    assert!(matches!(outcomes[1], RecordOutcome::Retry(_)));
    let failure = classify_collection(200, body.as_bytes(), None, 3, "WA_Id__c").unwrap_err();
    assert_eq!(failure.class, Class::Retry, "the counts differ");
}

#[test]
fn record_codes_have_their_class() {
    for retry in [
        "UNABLE_TO_LOCK_ROW",
        "QUERY_TIMEOUT",
        "REQUEST_RUNNING_TOO_LONG",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "SERVICE_UNAVAILABLE",
        "SERVER_UNAVAILABLE",
        "API_CURRENTLY_DISABLED",
        "API_TEMPORARILY_UNAVAILABLE",
        "PROCESSING_HALTED",
        "TXN_SECURITY_METERING_ERROR",
        "LIMIT_EXCEEDED",
        "UNKNOWN_EXCEPTION",
    ] {
        assert!(matches!(code(retry), RecordOutcome::Retry(_)), "{retry}");
    }
    for dead in [
        "STRING_TOO_LONG",
        "INVALID_EMAIL_ADDRESS",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "NUMBER_OUTSIDE_VALID_RANGE",
        "FIELD_INTEGRITY_EXCEPTION",
        "DUPLICATE_VALUE",
        "MISSING_ARGUMENT",
    ] {
        assert!(matches!(code(dead), RecordOutcome::DeadLetter(_)), "{dead}");
    }
    for park in [
        "CANNOT_UPDATE_CONVERTED_LEAD",
        "DUPLICATES_DETECTED",
        "ENTITY_IS_LOCKED",
        "ENTITY_IS_DELETED",
    ] {
        assert!(matches!(code(park), RecordOutcome::Parked(_)), "{park}");
    }
    for halt in [
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "STORAGE_LIMIT_EXCEEDED",
        "LICENSE_LIMIT_EXCEEDED",
    ] {
        assert!(matches!(code(halt), RecordOutcome::Halt(_)), "{halt}");
    }
    let throttled = code("REQUEST_LIMIT_EXCEEDED");
    assert!(matches!(throttled, RecordOutcome::Throttle(_)));
    for unknown in ["A_CODE_OF_NEXT_YEAR", "CANNOT_DO_THIS", ""] {
        assert!(
            matches!(code(unknown), RecordOutcome::Uncertain(_)),
            "{unknown}"
        );
    }
}

#[test]
fn a_refusal_names_its_fields_and_whether_the_set_up_is_at_fault() {
    let refusals = |code: &str, message: &str, fields: &[&str]| {
        let error = json!({"statusCode": code, "message": message, "fields": fields});
        match record(&json!({"success": false, "errors": [error]})) {
            RecordOutcome::Refused { reason, refusals } => {
                assert!(refusals.iter().all(|refusal| refusal.code == code));
                let fields = refusals.iter().map(|it| (it.field.clone(), it.cause));
                (reason, fields.collect::<Vec<_>>())
            }
            outcome => panic!("{code}: {outcome:?}"),
        }
    };
    use Cause::{Option, Setup, Value};
    for (code, message, fields, expected, remedy) in [
        (
            "INVALID_EMAIL_ADDRESS",
            "",
            &["Email"][..],
            &[("Email", Value)][..],
            "",
        ),
        (
            "STRING_TOO_LONG",
            "",
            &["City", "Street"],
            &[("City", Value), ("Street", Value)],
            "",
        ),
        (
            "NUMBER_OUTSIDE_VALID_RANGE",
            "",
            &["Budget__c"],
            &[("Budget__c", Value)],
            "",
        ),
        (
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "",
            &["Budget__c"],
            &[("Budget__c", Value)],
            "",
        ),
        (
            "FIELD_INTEGRITY_EXCEPTION",
            "field integrity exception: Country (a problem)",
            &[],
            &[("Country", Value)],
            "",
        ),
        (
            "DUPLICATE_VALUE",
            "",
            &["Tax_Id__c"],
            &[("Tax_Id__c", Value)],
            "",
        ),
        (
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "",
            &["Status"],
            &[("Status", Option)],
            "pick list",
        ),
        (
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "",
            &[],
            &[("", Option)],
            "pick list",
        ),
        (
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [City, Fax]",
            &[],
            &[("City", Setup), ("Fax", Setup)],
            "have the mapping write",
        ),
        (
            "REQUIRED_FIELD_MISSING",
            "",
            &[],
            &[("", Setup)],
            "have the mapping write",
        ),
        (
            "INACTIVE_OWNER_OR_USER",
            "operation performed with inactive user",
            &["OwnerId"],
            &[("OwnerId", Setup)],
            "activate the owner",
        ),
        (
            "INACTIVE_OWNER_OR_USER",
            "",
            &[],
            &[("", Setup)],
            "activate the owner",
        ),
        (
            "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            "",
            &[],
            &[("", Setup)],
            "activate the owner",
        ),
        (
            "TRANSFER_REQUIRES_READ",
            "",
            &[],
            &[("", Setup)],
            "activate the owner",
        ),
        (
            "OP_WITH_INVALID_USER_TYPE_EXCEPTION",
            "",
            &[],
            &[("", Setup)],
            "activate the owner",
        ),
        (
            "INVALID_CROSS_REFERENCE_KEY",
            "",
            &["OwnerId"],
            &[("OwnerId", Setup)],
            "activate the owner",
        ),
    ] {
        let (reason, found) = refusals(code, message, fields);
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, cause)| ((*name).to_owned(), *cause))
            .collect();
        assert_eq!(found, expected, "{code}");
        assert!(reason.contains(code) && reason.contains(remedy), "{reason}");
    }
}

#[test]
fn all_errors_of_a_record_count_and_the_gravest_decides() {
    let errors = |codes: &[(&str, &[&str])]| {
        let errors: Vec<Value> = codes
            .iter()
            .map(|(code, fields)| json!({"statusCode": code, "fields": fields}))
            .collect();
        record(&json!({"success": false, "errors": errors}))
    };
    let both = errors(&[
        ("INVALID_EMAIL_ADDRESS", &["Email"]),
        ("STRING_TOO_LONG", &["City"]),
    ]);
    let RecordOutcome::Refused { reason, refusals } = both else {
        panic!("{both:?}");
    };
    let fields: Vec<&str> = refusals.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, ["Email", "City"]);
    assert!(
        reason.contains("(Email)") && reason.contains("(City)"),
        "{reason}"
    );
    let one_unknown = errors(&[
        ("INVALID_EMAIL_ADDRESS", &["Email"]),
        ("STRING_TOO_LONG", &[]),
    ]);
    assert!(matches!(one_unknown, RecordOutcome::DeadLetter(_)));
    let parked = errors(&[
        ("INVALID_EMAIL_ADDRESS", &["Email"]),
        ("DUPLICATES_DETECTED", &[]),
    ]);
    assert!(matches!(parked, RecordOutcome::Parked(_)));
}

#[test]
fn what_fails_in_triggers_and_flows_may_be_the_request_s_fault() {
    let says = |code: &str, message: &str| {
        record(&json!({"success": false, "errors": [{"statusCode": code, "message": message}]}))
    };
    let automation = [
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "CANNOT_EXECUTE_FLOW_TRIGGER",
    ];
    let limits = [
        "LeadTrigger: System.LimitException: Apex CPU time limit exceeded",
        "LeadTrigger: System.LimitException: Too many SOQL queries: 101",
        "This error occurred: Too many DML statements: 151.",
        "Too many future calls: 51",
        "Apex heap size too large: 6000001",
        "Too many batch retries in the presence of Apex triggers and partial failures.",
    ];
    for message in limits {
        for code in [
            automation[0],
            automation[1],
            "UNKNOWN_EXCEPTION",
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        ] {
            let outcome = says(code, message);
            assert!(
                matches!(&outcome, RecordOutcome::Split(reason) if reason.contains("limit")),
                "{code}: {outcome:?}"
            );
        }
    }
    for code in automation {
        assert!(matches!(
            says(code, "LeadTrigger: System.NullPointerException"),
            RecordOutcome::Split(_)
        ));
        let lock = "process failed. This error occurred: UNABLE_TO_LOCK_ROW: unable to obtain";
        assert!(matches!(says(code, lock), RecordOutcome::Retry(_)));
    }
}

#[test]
fn a_lock_hides_what_comes_after_it_and_reasons_hold_no_values() {
    let outcome = record(&json!({"success": false, "errors": [
        {"statusCode": "STRING_TOO_LONG", "fields": ["LastName"], "message": "John Doe"},
        {"statusCode": "UNABLE_TO_LOCK_ROW", "fields": []},
    ]}));
    assert!(matches!(outcome, RecordOutcome::Retry(_)));
    let outcome = record(&json!({"success": false, "errors": [
        {"statusCode": "DUPLICATE_VALUE", "message": "Duplicate external id specified: 5511999990000",
         "fields": ["WA_Id__c"]},
    ]}));
    let reason = "Salesforce refused the record: DUPLICATE_VALUE (WA_Id__c)";
    assert_eq!(outcome, RecordOutcome::RetryOnce(reason.into()));
}

#[test]
fn requests_are_classified_by_status_and_code() {
    let one = |code: &str| json!([{"errorCode": code, "message": ""}]).to_string();
    let suspect = Class::Split(SingleFailure::Unknown);
    let table = [
        (401, one("INVALID_SESSION_ID"), Class::Auth),
        (403, one("REQUEST_LIMIT_EXCEEDED"), Class::Throttle),
        (403, one("API_DISABLED_FOR_ORG"), suspect),
        (404, one("NOT_FOUND"), suspect),
        (400, one("INVALID_FIELD"), suspect),
        (400, one("UNABLE_TO_LOCK_ROW"), Class::Retry),
        (420, String::new(), Class::Retry),
        (429, String::new(), Class::Throttle),
        (
            503,
            json!({"errorCode": "SERVER_UNAVAILABLE"}).to_string(),
            Class::Retry,
        ),
        (500, "<html></html>".to_owned(), Class::Retry),
        (302, String::new(), Class::Halt),
    ];
    for (status, body, class) in table {
        assert_eq!(
            classify_failure(status, body.as_bytes()).class,
            class,
            "{status} {body}"
        );
    }
}

#[test]
fn recorded_answers_are_classified() {
    let Some(fixtures) = recordings::read("salesforce_error_fixtures.json") else {
        return;
    };
    for request in fixtures["request_level"].as_array().unwrap() {
        let status = u16::try_from(request["status"].as_u64().unwrap()).unwrap();
        let body = request["body"].to_string();
        let failure = if request["endpoint"].is_string() {
            login_refused(status, body.as_bytes(), None)
        } else {
            classify_failure(status, body.as_bytes())
        };
        let expected = match status {
            401 => Class::Auth,
            403 => Class::Throttle,
            300 => Class::Halt,
            404 => Class::Split(SingleFailure::Unknown),
            500..=599 => Class::Retry,
            _ if body.contains("LOCK_ROW") || body.contains("already being") => Class::Retry,
            _ if body.contains("invalid_grant") => Class::Halt,
            _ => Class::Split(SingleFailure::Unknown),
        };
        assert_eq!(failure.class, expected, "{status} {body}");
    }
    for result in fixtures["collection_level_200"].as_array().unwrap() {
        let text = result.to_string();
        let outcome = record(result);
        let fits = match outcome {
            RecordOutcome::Synced { .. } => text.contains("\"success\":true"),
            RecordOutcome::Stale => text.contains("STALE_VERSION"),
            RecordOutcome::Retry(_) => text.contains("LOCK_ROW") || text.contains("ROLLED_BACK"),
            RecordOutcome::RetryOnce(_) => text.contains("DUPLICATE_VALUE"),
            RecordOutcome::Parked(_) => ["CONVERTED", "DUPLICATES_DETECTED", "IS_DELETED"]
                .iter()
                .any(|c| text.contains(c)),
            RecordOutcome::Halt(_) => {
                text.contains("FOR_INSERT_UPDATE") || text.contains("STORAGE")
            }
            RecordOutcome::DeadLetter(_) | RecordOutcome::Refused { .. } => {
                ["REQUIRED", "TOO_LONG", "PICKLIST"]
                    .iter()
                    .any(|code| text.contains(code))
            }
            RecordOutcome::Split(_)
            | RecordOutcome::Recreated { .. }
            | RecordOutcome::Deferred(_)
            | RecordOutcome::Uncertain(_)
            | RecordOutcome::Throttle(_)
            | RecordOutcome::Unchanged
            | RecordOutcome::Filtered
            | RecordOutcome::Released => false,
        };
        assert!(fits, "{text}");
    }
}

proptest! {
    #[test]
    fn any_answer_gives_each_record_one_outcome_or_the_request_a_failure(
        status in 0u16..1000, body in ".{0,200}", records in 1usize..5
    ) {
        match classify_collection(status, body.as_bytes(), None, records, "WA_Id__c") {
            Ok(outcomes) => prop_assert_eq!(outcomes.len(), records),
            Err(failure) => prop_assert!(!failure.reason.is_empty()),
        }
        prop_assert!(!login_refused(status, body.as_bytes(), None).reason.is_empty());
    }

    #[test]
    fn any_code_has_a_class(status_code in "[A-Z_]{0,40}", message in ".{0,40}") {
        let outcome = record(&json!({
            "success": false, "errors": [{"statusCode": status_code, "message": message}],
        }));
        let done = matches!(outcome, RecordOutcome::Synced { .. });
        prop_assert!(!done, "a refusal is never taken for success");
    }
}

#[test]
fn the_header_tells_of_the_day() {
    let daily = |text: &'static str| {
        let header = (
            "sforce-limit-info".parse().unwrap(),
            HeaderValue::from_static(text),
        );
        parse_quota(&HeaderMap::from_iter([header])).daily
    };
    let expected = Some(Daily {
        max: 5000,
        remaining: 4975,
    });
    assert_eq!(daily("api-usage=25/5000"), expected);
    let both = "api-usage=25/5000; per-app-api-usage=17/250(appName=sample-app)";
    assert_eq!(daily(both), expected);
    assert_eq!(daily("nonsense"), None);
}
