use std::time::Duration;

use leadstream_schemas::LeadId;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::classify_batch;
use crate::crm::{Class, SingleFailure};
use crate::outcome::{Cause, RecordOutcome, Refusal};
use crate::tests::recordings;

fn result(status: u16, body: &Value, ids: &[&str]) -> super::BatchResult {
    let lead_ids: Vec<LeadId> = ids.iter().map(|id| LeadId::from(*id)).collect();
    let lead_ids: Vec<&LeadId> = lead_ids.iter().collect();
    classify_batch(
        status,
        body.to_string().as_bytes(),
        None,
        &lead_ids,
        "wa_id",
    )
}

fn done(id: &str) -> RecordOutcome {
    RecordOutcome::Synced {
        crm_record_id: Some(id.into()),
    }
}

#[test]
fn results_are_matched_by_trace_id_by_key_or_by_count() {
    let body = json!({"results": [
        {"id": "12", "objectWriteTraceId": "1"},
        {"id": "11", "properties": {"wa_id": "a"}},
    ]});
    let outcomes = result(200, &body, &["a", "b"]).unwrap();
    assert_eq!(outcomes, [done("11"), done("12")]);
    let unnamed = json!({"results": [{"id": "11"}, {"id": "12"}]});
    let outcomes = result(200, &unnamed, &["a", "b"]).unwrap();
    assert_eq!(
        outcomes,
        vec![
            RecordOutcome::Synced {
                crm_record_id: None
            };
            2
        ]
    );
}

#[test]
fn a_bad_record_with_a_trace_id_fails_alone() {
    let body = json!({
        "results": [{"id": "11", "objectWriteTraceId": "0"}],
        "numErrors": 1,
        "errors": [{
            "category": "VALIDATION_ERROR",
            "message": "Property values were not valid: [{\"error\":\"INVALID_OPTION\",\"name\":\"hs_lead_status\",\"message\":\"4917\"}]",
            "context": {"objectWriteTraceId": ["1"]},
        }],
    });
    for status in [200, 207] {
        let outcomes = result(status, &body, &["a", "b"]).unwrap();
        let reason = "HubSpot refused the record: VALIDATION_ERROR (INVALID_OPTION hs_lead_status); add the option to the property, or map another value";
        let refusals = vec![Refusal {
            field: "hs_lead_status".into(),
            code: "INVALID_OPTION".into(),
            cause: Cause::Option,
        }];
        let refused = RecordOutcome::Refused {
            reason: reason.into(),
            refusals,
        };
        assert_eq!(outcomes, [done("11"), refused]);
    }
}

#[test]
fn what_neither_a_result_nor_an_error_names_is_asked_again_in_smaller_requests() {
    let silent = json!({"status": "COMPLETE", "results": []});
    let outcomes = result(200, &silent, &["a", "b"]).unwrap();
    assert!(
        outcomes
            .iter()
            .all(|o| matches!(o, RecordOutcome::Split(_)))
    );
    let outcomes = result(200, &silent, &["a"]).unwrap();
    assert!(matches!(outcomes[..], [RecordOutcome::Retry(_)]));
    let untraced = json!({
        "results": [{"id": "11", "objectWriteTraceId": "0"}],
        "errors": [{"category": "VALIDATION_ERROR"}],
    });
    let outcomes = result(207, &untraced, &["a", "b"]).unwrap();
    assert!(matches!(
        outcomes[..],
        [RecordOutcome::Synced { .. }, RecordOutcome::Split(_)]
    ));
    let alone = json!({"errors": [{"category": "VALIDATION_ERROR"}]});
    let outcomes = result(207, &alone, &["a"]).unwrap();
    assert!(matches!(outcomes[..], [RecordOutcome::DeadLetter(_)]));
}

#[test]
fn each_category_of_a_record_s_error_has_its_class() {
    let outcome = |category: &str, message: &str| {
        let body = json!({"errors": [{
            "category": category, "message": message, "context": {"objectWriteTraceId": ["0"]},
        }]});
        result(207, &body, &["a"]).unwrap().remove(0)
    };
    let bad_email =
        "Property values were not valid: [{\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]";
    for (category, message, expected) in [
        ("VALIDATION_ERROR", bad_email, "refused"),
        ("A_CATEGORY_OF_NEXT_YEAR", bad_email, "refused"),
        ("VALIDATION_ERROR", "no property is named", "dead"),
        ("CONFLICT", "", "dead"),
        ("OBJECT_NOT_FOUND", "", "dead"),
        ("OBJECT_ALREADY_EXISTS", "", "dead"),
        ("RATE_LIMITS", "", "throttle"),
        ("INTERNAL_ERROR", "", "retry"),
        ("SERVICE_UNAVAILABLE", "", "retry"),
        ("TIMEOUT", "", "retry"),
        ("A_CATEGORY_OF_NEXT_YEAR", "", "uncertain"),
        ("", "", "uncertain"),
    ] {
        let found = match outcome(category, message) {
            RecordOutcome::Refused { .. } => "refused",
            RecordOutcome::DeadLetter(_) => "dead",
            RecordOutcome::Throttle(_) => "throttle",
            RecordOutcome::Retry(_) => "retry",
            RecordOutcome::Uncertain(_) => "uncertain",
            outcome => panic!("{category}: {outcome:?}"),
        };
        assert_eq!(found, expected, "{category} {message}");
    }
}

#[test]
fn a_refused_request_tells_the_properties_too() {
    let refusals = |status, body: &Value| {
        let failure = result(status, body, &["a"]).unwrap_err();
        let fields = failure.refusals.iter();
        fields
            .map(|it| (it.field.clone(), it.cause))
            .collect::<Vec<_>>()
    };
    let told = |errors: Value| json!({"category": "VALIDATION_ERROR", "errors": errors});
    let email = told(json!([{"code": "INVALID_EMAIL", "context": {"propertyName": ["email"]}}]));
    assert_eq!(refusals(400, &email), [("email".into(), Cause::Value)]);
    let option = told(json!([{"code": "INVALID_OPTION", "in": "hs_lead_status"}]));
    assert_eq!(
        refusals(400, &option),
        [("hs_lead_status".into(), Cause::Option)]
    );
    assert_eq!(refusals(400, &json!({})), []);
    assert_eq!(refusals(409, &email), [], "another contact has the value");
}

#[test]
fn a_missing_property_is_the_portals_fault() {
    let message = "Property values were not valid: [{\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"leadstream_state\"}]";
    let record = json!({"errors": [{
        "category": "VALIDATION_ERROR", "message": message,
        "context": {"objectWriteTraceId": ["0"]},
    }]});
    let outcomes = result(207, &record, &["a"]).unwrap();
    assert!(
        matches!(&outcomes[..], [RecordOutcome::Halt(reason)] if reason.contains("leadstream_state"))
    );
    let batch =
        json!({"category": "VALIDATION_ERROR", "errors": [{"code": "PROPERTY_DOESNT_EXIST"}]});
    let failure = result(400, &batch, &["a"]).unwrap_err();
    assert_eq!(failure.class, Class::Halt);
}

#[test]
fn requests_are_classified_by_status() {
    let table = [
        (302, Class::Halt),
        (400, Class::Split(SingleFailure::RecordAtFault)),
        (401, Class::Auth),
        (403, Class::Halt),
        (404, Class::Halt),
        (408, Class::Retry),
        (409, Class::Split(SingleFailure::RecordAtFault)),
        (423, Class::Throttle),
        (429, Class::Throttle),
        (477, Class::Throttle),
        (500, Class::Retry),
        (502, Class::Retry),
    ];
    for (status, class) in table {
        let failure = classify_batch(
            status,
            b"<html>no JSON</html>",
            None,
            &[&"a".into()],
            "wa_id",
        )
        .unwrap_err();
        assert_eq!(failure.class, class, "{status}");
    }
}

#[test]
fn waits_follow_the_answer() {
    let after = |status, body: &Value, header| {
        classify_batch(
            status,
            body.to_string().as_bytes(),
            header,
            &[&"a".into()],
            "wa_id",
        )
        .unwrap_err()
        .after
    };
    let second = Duration::from_secs(1);
    assert_eq!(after(423, &json!({}), Some(second)), Some(2 * second));
    assert_eq!(after(477, &json!({}), Some(second)), Some(second));
    let daily = json!({"policyName": "DAILY"});
    assert_eq!(after(429, &daily, None), Some(300 * second));
    let rolling = json!({"policyName": "TEN_SECONDLY_ROLLING"});
    assert_eq!(after(429, &rolling, None), None);
}

#[test]
fn reasons_hold_codes_and_no_values() {
    let body = json!({
        "category": "CONFLICT",
        "message": "Contact 5511999990000 already exists",
        "correlationId": "8a3f6c3a-8296-4002-b0a6-2a06fecf7c0c",
    });
    let reason = result(409, &body, &["a"]).unwrap_err().reason;
    assert_eq!(
        reason,
        "HubSpot answered 409 CONFLICT (correlation id 8a3f6c3a-8296-4002-b0a6-2a06fecf7c0c)"
    );
}

#[test]
fn recorded_answers_are_classified() {
    let Some(fixtures) = recordings::read("hubspot_error_fixtures.json") else {
        return;
    };
    let table = [
        ("property_doesnt_exist_400", Class::Halt),
        (
            "non_unique_id_property_400",
            Class::Split(SingleFailure::RecordAtFault),
        ),
        ("conflict_409", Class::Split(SingleFailure::RecordAtFault)),
        ("missing_scopes_403", Class::Halt),
        ("rate_10s_429", Class::Throttle),
        ("rate_daily_429", Class::Throttle),
        ("rate_secondly_search_429", Class::Throttle),
        ("locked_423", Class::Throttle),
        ("migration_477", Class::Throttle),
    ];
    for (name, class) in table {
        let fixture = &fixtures[name];
        let status = u16::try_from(fixture["status"].as_u64().unwrap()).unwrap();
        let failure = result(status, &fixture["body"], &["a", "b"]).unwrap_err();
        assert_eq!(failure.class, class, "{name}");
    }
    let silent = result(200, &fixtures["silent_noop_200"]["body"], &["a", "b"]).unwrap();
    assert!(silent.iter().all(|o| matches!(o, RecordOutcome::Split(_))));
    // Its one error carries a trace id that is not ours: it may be any of the inputs.
    let partial = result(207, &fixtures["batch_207"]["body"], &["a", "b"]).unwrap();
    assert!(partial.iter().all(|o| matches!(o, RecordOutcome::Split(_))));
}

proptest! {
    #[test]
    fn any_answer_gives_each_input_one_outcome_or_the_request_a_failure(
        status in 0u16..1000, body in ".{0,200}", inputs in 1usize..5
    ) {
        let lead_id = LeadId::from("x");
        let lead_ids = vec![&lead_id; inputs];
        match classify_batch(status, body.as_bytes(), None, &lead_ids, "wa_id") {
            Ok(outcomes) => prop_assert_eq!(outcomes.len(), inputs),
            Err(failure) => prop_assert!(!failure.reason.is_empty()),
        }
    }

    #[test]
    fn any_batch_body_accounts_for_each_input_once(
        results in prop::collection::vec(prop::option::of(0usize..6), 0..6),
        errors in prop::collection::vec(prop::option::of(0usize..6), 0..6),
        inputs in 1usize..5,
    ) {
        let body = json!({
            "results": results.iter().map(|trace| match trace {
                Some(trace) => json!({"id": "1", "objectWriteTraceId": trace.to_string()}),
                None => json!({"id": "1"}),
            }).collect::<Vec<_>>(),
            "errors": errors.iter().map(|trace| match trace {
                Some(trace) => json!({"context": {"objectWriteTraceId": [trace.to_string()]}}),
                None => json!({}),
            }).collect::<Vec<_>>(),
        });
        let ids: Vec<String> = (0..inputs).map(|id| format!("lead{id}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let outcomes = result(200, &body, &ids).unwrap();
        prop_assert_eq!(outcomes.len(), inputs);
        let traced = |list: &[Option<usize>], position| list.contains(&Some(position));
        for (position, outcome) in outcomes.iter().enumerate() {
            if traced(&errors, position) {
                prop_assert!(matches!(outcome, RecordOutcome::Uncertain(_)));
            } else if traced(&results, position) {
                prop_assert_eq!(outcome, &done("1"));
            }
        }
    }
}
