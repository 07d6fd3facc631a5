//! Tests that each recorded response and error of Meta is understood.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::extract::Path as UrlPath;
use axum::http::StatusCode;
use axum::routing::post;
use leadstream_schemas::Platform;
use leadstream_service::Secret;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Graph, Request};
use crate::send_result::{Class, ContentKind, SendResult};

/// Returns the folder of recordings, if it is present.
fn recordings(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../../shared/fixtures/meta-openapi").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    let required = std::env::var("FIXTURES").is_ok_and(|value| value == "required");
    assert!(!required, "no recordings at {}", path.display());
    eprintln!("skipped: no recordings at {}", path.display());
    None
}

/// Returns the names of the recordings without their ending, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            path.file_stem().unwrap().to_str().unwrap().to_owned()
        })
        .collect();
    names.sort();
    names
}

/// Serves the recordings by the number that is written from: `<status>-<name>`.
async fn serve(folder: PathBuf) -> Graph {
    let answer = move |UrlPath((_, number)): UrlPath<(String, String)>| async move {
        let (status, name) = number.split_once('-').unwrap();
        let status = StatusCode::from_bytes(status.as_bytes()).unwrap();
        (
            status,
            fs::read(folder.join(format!("{name}.json"))).unwrap(),
        )
    };
    let app = Router::new().route("/{version}/{number}/messages", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let timeout = Duration::from_secs(5);
    Graph::new(url.parse().unwrap(), "v23.0", timeout).unwrap()
}

async fn send(graph: &Graph, status: u16, name: &str) -> SendResult {
    let request = Request {
        platform: Platform::WhatsappCloud,
        number: format!("{status}-{name}"),
        body: json!({ "to": "+491" }),
    };
    graph.send(&request, &Secret::new("token")).await
}

#[tokio::test]
async fn each_recorded_response_is_accepted_with_its_id() {
    let Some(folder) = recordings("send_responses") else {
        return;
    };
    let graph = serve(folder.clone()).await;
    let mut accepted = 0;
    for name in names(&folder) {
        let body = fs::read(folder.join(format!("{name}.json"))).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let expected = match body["messages"][0]["id"].as_str() {
            Some(id) => SendResult::Accepted(id.to_owned()),
            // The response to a read mark confirms no message.
            None => SendResult::Unknown,
        };
        accepted += u32::from(expected != SendResult::Unknown);
        assert_eq!(send(&graph, 200, &name).await, expected, "{name}");
    }
    assert!(accepted > 40, "{accepted}");
}

#[tokio::test]
async fn each_recorded_error_has_its_reaction() {
    let Some(folder) = recordings("error_responses") else {
        return;
    };
    let graph = serve(folder.clone()).await;
    let expected = [
        ("BadRequest_InvalidTemplateParameters", 400, Class::Refused),
        ("BadRequest_MalformedRequest", 400, Class::Refused),
        ("BadRequest_MissingFeatureSetting", 400, Class::Refused),
        ("Forbidden_FeatureNotSupported", 403, Class::PauseNumber),
        ("Forbidden_InsufficientPermissions", 403, Class::PauseNumber),
        ("Forbidden_TemplateNotApproved", 403, Class::PauseNumber),
        ("InternalServerError_UnexpectedError", 500, Class::Retry),
        ("NotFound_PhoneNumberNotFound", 404, Class::PauseNumber),
        ("NotFound_TemplateNotFound", 404, Class::Refused),
        (
            "TooManyRequests_RateLimitExceeded",
            429,
            Class::ThrottleNumber,
        ),
        ("Unauthorized_InvalidAccessToken", 401, Class::PauseNumber),
        ("Unauthorized_MissingAccessToken", 401, Class::PauseNumber),
    ];
    assert_eq!(names(&folder), expected.map(|(name, ..)| name));
    for (name, status, class) in expected {
        let result = send(&graph, status, name).await;
        assert!(result.is_from_provider(), "{name}");
        assert_eq!(result.class(ContentKind::Other), Some(class), "{name}");
    }
    let name = "Forbidden_TemplateNotApproved";
    let result = send(&graph, 403, name).await;
    let of_template = result.class(ContentKind::Template);
    assert_eq!(of_template, Some(Class::StopTemplate));
}
