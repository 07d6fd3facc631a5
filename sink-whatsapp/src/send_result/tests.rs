//! Tests the class of each code, in responses and in statuses.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;

use super::{CODES, Class, ContentKind, GraphError, SendResult, classify};

fn class(status: impl Into<Option<u16>>, code: impl Into<Option<i64>>) -> Class {
    of(status, code, ContentKind::Other)
}

fn of(status: impl Into<Option<u16>>, code: impl Into<Option<i64>>, content: ContentKind) -> Class {
    let error = GraphError {
        status: status.into(),
        code: code.into(),
        ..GraphError::default()
    };
    classify(&error, content)
}

/// The table of the design, written down a second time.
const EXPECTED: [(Class, ContentKind, &[i64]); 14] = {
    use ContentKind::{Form, Other, Template};
    [
        (
            Class::Retry,
            Other,
            &[1, 2, 131_000, 131_016, 131_053, 131_057, 133_004],
        ),
        (Class::ThrottleNumber, Other, &[4, 613, 80_007, 130_429]),
        (Class::ThrottlePair, Other, &[131_056]),
        (Class::WindowClosed, Other, &[131_047]),
        (Class::MarketingLimit, Template, &[131_049]),
        (Class::MarketingOptOut, Template, &[131_050]),
        (
            Class::Unreachable,
            Other,
            &[131_021, 131_026, 131_062, 130_497, 131_030, 137_000],
        ),
        (Class::Experiment, Template, &[130_472]),
        (
            Class::PauseNumber,
            Other,
            &[
                0, 3, 10, 33, 104, 190, 200, 201, 250, 299, 368, 131_005, 131_031, 131_042,
                131_045, 131_048, 133_010, 131_037, 131_064, 134_011, 131_044,
            ],
        ),
        (
            Class::StopTemplate,
            Template,
            &[
                200, 132_001, 132_007, 132_015, 132_016, 131_063, 134_100, 134_101, 134_102,
            ],
        ),
        (Class::PauseNumber, Template, &[201, 299, 190, 131_042]),
        (Class::StopForm, Form, &[132_068, 132_069]),
        (
            Class::Refused,
            Other,
            &[
                100, 131_008, 131_009, 131_051, 132_000, 132_005, 132_012, 135_000, 132_008,
                131_055,
            ],
        ),
        // No other message is a reason to stop a template or a form.
        (Class::Refused, Other, &[132_001, 134_102, 132_068]),
    ]
};

#[test]
fn each_code_has_its_class_whatever_the_status_and_without_one() {
    for (expected, content, codes) in EXPECTED {
        for &code in codes {
            for status in [Some(200), Some(400), Some(403), Some(429), Some(500), None] {
                assert_eq!(of(status, code, content), expected, "{code} {status:?}");
            }
        }
    }
    let listed = EXPECTED.iter().flat_map(|(_, _, codes)| *codes);
    let listed: BTreeSet<i64> = listed.copied().collect();
    for (class, codes) in CODES {
        for code in *codes {
            assert!(listed.contains(code), "{code} of {class:?} is not tested");
        }
    }
}

#[test]
fn no_code_has_two_classes() {
    let mut seen = BTreeSet::new();
    for code in CODES.iter().flat_map(|(_, codes)| *codes) {
        assert!(seen.insert(code), "{code}");
    }
}

#[test]
fn a_path_that_leads_nowhere_pauses_the_number_instead_of_emptying_the_topic() {
    assert_eq!(class(404, 100), Class::PauseNumber);
    let missing = GraphError {
        status: Some(400),
        code: Some(100),
        subcode: Some(33),
        retry_after: None,
    };
    assert_eq!(classify(&missing, ContentKind::Other), Class::PauseNumber);
}

#[test]
fn without_a_code_the_status_decides_and_gives_nothing_up() {
    for status in [425, 503] {
        assert_eq!(class(status, None), Class::Retry, "{status}");
    }
    for status in [408, 500, 502, 504, 520, 599] {
        assert_eq!(class(status, None), Class::UnknownOutcome, "{status}");
    }
    assert_eq!(class(429, None), Class::ThrottleNumber);
    for status in [301, 307, 400, 401, 403, 404, 407] {
        assert_eq!(class(status, None), Class::PauseNumber, "{status}");
    }
    let of = |result: SendResult| result.class(ContentKind::Other);
    assert_eq!(of(SendResult::Unknown), Some(Class::UnknownOutcome));
    assert_eq!(of(SendResult::Unreachable), Some(Class::Retry));
    assert_eq!(of(SendResult::Accepted("wamid.1".into())), None);
}

#[test]
fn an_unknown_code_is_classified_by_its_status() {
    assert_eq!(class(400, 139_999), Class::UnknownCode);
    assert_eq!(class(None, 139_999), Class::UnknownCode);
    assert_eq!(class(429, 139_999), Class::ThrottleNumber);
    assert_eq!(class(503, 139_999), Class::Retry);
    assert_eq!(class(None, None), Class::UnknownCode);
}

#[test]
fn a_page_of_the_documentation_lists_every_code_under_its_class() {
    let page = include_str!("../../../docs/reference/whatsapp-errors.md");
    for (class, codes) in CODES {
        let start = format!("| `{}` |", class.as_str());
        let row = page.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("no row of {start}"));
        let listed: BTreeSet<i64> = row
            .split(|other: char| !other.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        for code in *codes {
            assert!(listed.contains(code), "{code} is missing in {row}");
        }
    }
}

/// Each error that Meta's description of the API shows, with what it is the answer to.
#[test]
fn the_errors_of_metas_description_have_their_classes() {
    use ContentKind::{Other, Template};
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/fixtures/meta-openapi/error_responses");
    if !folder.exists() {
        let required = std::env::var("FIXTURES").is_ok_and(|value| value == "required");
        assert!(!required, "{} does not exist", folder.display());
        return;
    }
    let table = [
        (
            400,
            "BadRequest_InvalidTemplateParameters",
            Template,
            Class::Refused,
        ),
        (400, "BadRequest_MalformedRequest", Other, Class::Refused),
        (
            400,
            "BadRequest_MissingFeatureSetting",
            Other,
            Class::Refused,
        ),
        (
            403,
            "Forbidden_FeatureNotSupported",
            Other,
            Class::PauseNumber,
        ),
        (
            403,
            "Forbidden_InsufficientPermissions",
            Other,
            Class::PauseNumber,
        ),
        (
            403,
            "Forbidden_TemplateNotApproved",
            Template,
            Class::StopTemplate,
        ),
        (
            500,
            "InternalServerError_UnexpectedError",
            Other,
            Class::Retry,
        ),
        (
            404,
            "NotFound_PhoneNumberNotFound",
            Other,
            Class::PauseNumber,
        ),
        (404, "NotFound_TemplateNotFound", Template, Class::Refused),
        (
            429,
            "TooManyRequests_RateLimitExceeded",
            Other,
            Class::ThrottleNumber,
        ),
        (
            401,
            "Unauthorized_InvalidAccessToken",
            Other,
            Class::PauseNumber,
        ),
        (
            401,
            "Unauthorized_MissingAccessToken",
            Other,
            Class::PauseNumber,
        ),
    ];
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let body: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let found = table.iter().find(|(_, known, _, _)| *known == name);
        let (status, _, content, expected) = found.unwrap_or_else(|| panic!("{name} is new"));
        let code = body["error"]["code"].as_i64();
        assert_eq!(of(*status, code, *content), *expected, "{name}");
    }
}

proptest! {
    #[test]
    fn each_error_has_a_class_that_is_no_fault_of_the_record(
        status in any::<Option<u16>>(), code in any::<Option<i64>>()
    ) {
        let class = class(status, code);
        prop_assert!(!matches!(class, Class::Undecodable | Class::Unsendable | Class::Exhausted));
    }
}
