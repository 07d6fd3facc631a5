//! Reads the message templates of a WhatsApp Business account (WABA), as Meta has them.

use std::time::Duration;

use leadstream_service::config::GraphArgs;
use leadstream_service::{ConfigError, Secret};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde::Deserialize;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Templates of one page.
const PAGE: &str = "100";
/// Pages of an account, which has up to 6,000 templates in some 10 languages each.
const MOST_PAGES: usize = 700;
const FIELDS: &str = "name,language,status,category,components,parameter_format";

/// A template in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MessageTemplate {
    pub name: String,
    /// Meta's code, such as `pt_BR`.
    pub language: String,
    /// `APPROVED`, `PENDING`, `REJECTED`, `PAUSED`, `DISABLED` and the like.
    pub status: String,
    /// `UTILITY`, `MARKETING` or `AUTHENTICATION`.
    pub category: String,
    pub components: Vec<Component>,
}

/// A part of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Component {
    /// `HEADER`, `BODY`, `FOOTER` or `BUTTONS`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of a header: `TEXT`, `IMAGE` and the like.
    pub format: String,
    pub text: String,
    pub buttons: Vec<Button>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Button {
    /// `QUICK_REPLY`, `URL`, `PHONE_NUMBER` and the like.
    #[serde(rename = "type")]
    pub kind: String,
    pub url: String,
}

/// The reason why templates cannot be read. Holds no credential.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the Graph API cannot be reached; check META_GRAPH_URL: {0}")]
    Http(reqwest::Error),
    #[error(
        "the Graph API refuses to list the templates of WABA {waba} (HTTP {status}, error {code}); check META_WABA_IDS, and that META_ACCESS_TOKEN has the permission whatsapp_business_management"
    )]
    Refused {
        waba: String,
        status: u16,
        code: i64,
    },
    #[error(
        "the answer to the list of templates of WABA {waba} is none of the Graph API; check META_GRAPH_URL"
    )]
    Unreadable { waba: String },
}

#[derive(Deserialize)]
struct Page {
    data: Vec<MessageTemplate>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    cursors: Option<Cursors>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Cursors {
    after: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalError,
}

#[derive(Deserialize)]
struct RefusalError {
    code: i64,
}

/// Returns all templates of the account `waba`.
///
/// # Errors
/// Returns an error if a setting is missing, or if the Graph API refuses or cannot be reached.
pub async fn fetch(graph: &GraphArgs, waba: &str) -> Result<Vec<MessageTemplate>, TemplatesError> {
    let token = graph.access_token()?;
    let token = token.ok_or_else(|| ConfigError::missing("META_ACCESS_TOKEN", "EAAG0123456789"))?;
    let mut url = graph.base()?;
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend([
            graph.meta_api_version.as_str(),
            waba,
            "message_templates",
        ]);
    }
    let client = Client::builder()
        .timeout(TIMEOUT)
        // A redirect would carry the token to another host.
        .redirect(Policy::none())
        .user_agent(concat!("leadstream/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(TemplatesError::Http)?;
    let mut templates = Vec::new();
    let mut after = None;
    for _ in 0..MOST_PAGES {
        let page = page(&client, &url, &token, after.as_deref(), waba).await?;
        templates.extend(page.data);
        let paging = page.paging.filter(|paging| paging.next.is_some());
        after = paging.and_then(|paging| paging.cursors?.after);
        if after.is_none() {
            break;
        }
    }
    Ok(templates)
}

async fn page(
    client: &Client,
    url: &Url,
    token: &Secret,
    after: Option<&str>,
    waba: &str,
) -> Result<Page, TemplatesError> {
    let mut query = vec![("fields", FIELDS), ("limit", PAGE)];
    query.extend(after.map(|after| ("after", after)));
    let request = client.get(url.clone()).query(&query);
    let sent = request.bearer_auth(token.expose()).send().await;
    // The address of an error may hold a cursor, and nothing else of use.
    let response = sent.map_err(|error| TemplatesError::Http(error.without_url()))?;
    let status = response.status();
    let unreadable = || TemplatesError::Unreadable {
        waba: waba.to_owned(),
    };
    let body = response.bytes().await.map_err(|_| unreadable())?;
    if !status.is_success() {
        let refusal: Refusal = serde_json::from_slice(&body).map_err(|_| unreadable())?;
        return Err(TemplatesError::Refused {
            waba: waba.to_owned(),
            status: status.as_u16(),
            code: refusal.error.code,
        });
    }
    serde_json::from_slice(&body).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use axum::extract::{Path, Query};
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::get;
    use axum::{Json, Router};
    use clap::Parser;
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        graph: GraphArgs,
    }

    /// Answers with two pages, as the Graph API pages.
    async fn answer(
        Path((version, waba)): Path<(String, String)>,
        Query(query): Query<HashMap<String, String>>,
        headers: HeaderMap,
    ) -> (StatusCode, Json<Value>) {
        assert_eq!(version, "v23.0");
        assert_eq!(query["fields"], FIELDS);
        let is_known = headers["authorization"] == "Bearer token" && waba == "102";
        if !is_known {
            let error = json!({ "error": { "code": 190, "message": "Invalid token" } });
            return (StatusCode::UNAUTHORIZED, Json(error));
        }
        let template = |name: &str| {
            json!({
                "id": "1", "name": name, "language": "en_US", "status": "APPROVED",
                "category": "MARKETING", "parameter_format": "POSITIONAL",
                "components": [
                    { "type": "BODY", "text": "Hi {{1}}", "example": {} },
                    { "type": "BUTTONS", "buttons": [{ "type": "QUICK_REPLY", "text": "Yes" }] },
                ],
            })
        };
        let cursors = json!({ "before": "a", "after": "b" });
        let page = match query.get("after").map(String::as_str) {
            None => json!({
                "data": [template("one")],
                "paging": { "cursors": cursors, "next": "https://graph.facebook.com/next" },
            }),
            Some(_) => json!({ "data": [template("two")], "paging": { "cursors": cursors } }),
        };
        (StatusCode::OK, Json(page))
    }

    async fn graph() -> GraphArgs {
        let app = Router::new().route("/{version}/{waba}/message_templates", get(answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let args = [
            "x",
            "--meta-access-token",
            "token",
            "--meta-graph-url",
            &url,
        ];
        Cli::try_parse_from(args).unwrap().graph
    }

    #[tokio::test]
    async fn all_pages_of_templates_are_read() {
        let templates = fetch(&graph().await, "102").await.unwrap();
        let names: Vec<&str> = templates.iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["one", "two"]);
        let body = &templates[0].components[0];
        assert_eq!((&*body.kind, &*body.text), ("BODY", "Hi {{1}}"));
        assert_eq!(templates[0].components[1].buttons[0].kind, "QUICK_REPLY");
    }

    #[tokio::test]
    async fn a_refusal_names_the_remedy_and_no_token() {
        let error = fetch(&graph().await, "103").await.unwrap_err().to_string();
        assert!(error.contains("WABA 103 (HTTP 401, error 190)"), "{error}");
        assert!(error.contains("whatsapp_business_management") && !error.contains("Bearer"));
        let mut nobody = graph().await;
        nobody.meta_graph_url = Secret::new("http://127.0.0.1:1");
        let error = fetch(&nobody, "102").await.unwrap_err().to_string();
        assert!(error.contains("META_GRAPH_URL"), "{error}");
    }
}
