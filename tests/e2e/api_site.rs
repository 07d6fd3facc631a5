//! Sends commands to leads by the command line and by the API.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_local::deployment::Service;
use leadstream_local::free_address;
use leadstream_sandbox::MessageQuery;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub(crate) const ALL: &str = "a token that may do everything";
pub(crate) const READ: &str = "a token that may read";
pub(crate) const EU_ONLY: &str = "a token that reaches the account eu";
pub(crate) const DEFAULT_ONLY: &str = "a token that reaches the default account";

/// A site with the API, and where its tokens are.
pub(crate) struct ApiSite<'w> {
    pub(crate) site: Site<'w>,
    url: String,
    pub(crate) tokens: PathBuf,
}

impl<'w> ApiSite<'w> {
    pub(crate) async fn new(world: &'w World, name: &str) -> anyhow::Result<Self> {
        Self::at(Site::new(world, name).await?).await
    }

    /// Creates it on a site where no service runs yet.
    pub(crate) async fn at(mut site: Site<'w>) -> anyhow::Result<Self> {
        let key = (
            "ERASURE_KEY".to_owned(),
            "a key of this test alone".to_owned(),
        );
        site.deployment.further.push(key);
        let tokens = site
            .world
            .stack
            .data_dir()
            .join(format!("{}-tokens.yaml", site.name));
        let all = "'leads:read', 'leads:write', 'leads:erase'";
        let limited = |account: &str| format!("{all}], accounts: ['{account}'");
        let text = [
            token("all", ALL, all),
            token("read", READ, "'leads:read'"),
            token("eu", EU_ONLY, &limited("eu")),
            token("default", DEFAULT_ONLY, &limited("")),
        ]
        .concat();
        std::fs::write(&tokens, text)?;
        let address = free_address()?;
        site.start_all().await?;
        let own = vec![
            ("API_ADDRESS".to_owned(), address.to_string()),
            (
                "API_TOKEN_HASHES_FILE".to_owned(),
                tokens.display().to_string(),
            ),
        ];
        site.spawn_with(Service::Api, "api", own)?;
        site.ready("api").await?;
        Ok(Self {
            site,
            url: format!("http://{address}"),
            tokens,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Sends `texts`, ten seconds apart and all of them in the past; gives the webhooks.
    pub(crate) async fn writes(
        &self,
        person: &Person,
        texts: &[&str],
    ) -> anyhow::Result<Vec<Vec<u8>>> {
        let now = Timestamp::now().millis() / 1000;
        let mut sent = Vec::new();
        for (index, text) in (0_i64..).zip(texts) {
            let id = format!("{person:?}-{text}-{}", self.site.name);
            let at = now - 10 * (i64::try_from(texts.len())? - index);
            let webhook = text_webhook(person, &id, at, text);
            self.site.post(&webhook).await?;
            sent.push(webhook);
        }
        Ok(sent)
    }

    pub(crate) async fn row(&self, wa_id: &str) -> anyhow::Result<(String, Option<String>, i64)> {
        let row = sqlx::query_as(
            "SELECT current_state, assignee, revision FROM lead_qualifications WHERE wa_id = $1",
        )
        .bind(wa_id)
        .fetch_optional(&self.site.database)
        .await?;
        row.context("there is no such lead")
    }

    pub(crate) async fn is_in(&self, wa_id: &str, state: &str) -> anyhow::Result<()> {
        eventually(Duration::from_secs(60), async || {
            let (found, ..) = self.row(wa_id).await?;
            ensure!(found == state, "it is in {found}, not {state}");
            Ok(())
        })
        .await
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let url = format!("{}{path}", self.url);
        let mut request = self.site.http.request(method, url).bearer_auth(token);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        let json = serde_json::from_str(&text).with_context(|| format!("{status}: {text}"))?;
        Ok((status, json))
    }

    /// Requests a path, and does not read the body.
    pub(crate) async fn get(&self, path: &str, token: &str) -> anyhow::Result<reqwest::Response> {
        let request = self.site.http.get(format!("{}{path}", self.url));
        Ok(request.bearer_auth(token).send().await?)
    }

    pub(crate) async fn give(
        &self,
        wa_id: &str,
        key: Option<&str>,
        body: Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let path = format!("/v1/leads/{wa_id}/commands?wait=30");
        self.ask(Method::POST, &path, ALL, key, Some(body)).await
    }

    /// Returns the number of times that a text was sent to WhatsApp.
    pub(crate) async fn sent(&self, text: &str) -> anyhow::Result<usize> {
        let all = self
            .site
            .sandbox
            .client()?
            .messages(&MessageQuery::default())
            .await?;
        let of_it = all.iter().filter(|it| format!("{it:?}").contains(text));
        Ok(of_it.count())
    }

    pub(crate) async fn is_sent_once(&self, text: &str) -> anyhow::Result<()> {
        eventually(Duration::from_secs(60), async || {
            let count = self.sent(text).await?;
            ensure!(count == 1, "`{text}` was sent {count} times");
            Ok(())
        })
        .await
    }

    pub(crate) async fn refused(&self, args: &[&str], reason: &str) -> anyhow::Result<()> {
        let error = self.site.tool(args).await.err();
        let text = error.context("it was not refused")?.to_string();
        ensure!(text.contains(reason), "{text}");
        Ok(())
    }
}

fn token(name: &str, token: &str, scopes: &str) -> String {
    let hash: String = Sha256::digest(token.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("- {{ name: {name}, sha256: {hash}, scopes: [{scopes}] }}\n")
}
