//! Tests OAuth of both CRMs: expiring tokens, refresh tokens and keys replaced while the sink runs,
//! refused credentials.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_sandbox::{Effect, Endpoint, ErrorBody, Fault, JwtBearer, OAuthApp, SandboxClient};

use crate::crm::{HUBSPOT, SALESFORCE, SINK, event, publish, site, wait_for_states};

const USER: &str = "leadstream@acme.example";
const AUDIENCE: &str = "https://login.salesforce.com";
const REFRESH: [&str; 2] = ["first-refresh-token", "second-refresh-token"];

/// Returns a key pair of the app, private and public, in PEM.
fn key() -> anyhow::Result<(String, String)> {
    let pem = |label: &str, der: &[u8]| {
        let text = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    let unspecified = |_| anyhow::anyhow!("no key can be made");
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(unspecified)?;
    let private: Pkcs8V1Der<'_> = pair.as_der().map_err(unspecified)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(unspecified)?;
    Ok((
        pem("PRIVATE KEY", private.as_ref()),
        pem("PUBLIC KEY", public.as_ref()),
    ))
}

/// Configures OAuth for both CRMs, with secrets in files of `folder`.
fn configure(site: &mut Site<'_>, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let files: Vec<PathBuf> = ["secret", "refresh", "key"]
        .map(|name| folder.join(name))
        .into();
    std::fs::write(&files[0], "app-secret\n")?;
    std::fs::write(&files[1], REFRESH[0])?;
    let (private, public) = key()?;
    std::fs::write(&files[2], private)?;
    site.sandbox.change_credentials(|accepted| {
        accepted.hubspot_app = Some(OAuthApp {
            client_id: "app-id".into(),
            client_secret: "app-secret".into(),
            refresh_token: REFRESH[0].into(),
            lifetime: Duration::from_secs(2),
            rotates: true,
        });
        accepted.salesforce_jwt = Some(JwtBearer {
            public_key: public,
            username: USER.into(),
            audience: AUDIENCE.into(),
        });
    });
    site.deployment.hubspot_access_token.clear();
    site.deployment.salesforce_client_secret.clear();
    let path = |index: usize| files[index].display().to_string();
    site.deployment.further.extend(
        [
            ("HUBSPOT_CLIENT_ID", "app-id".to_owned()),
            ("HUBSPOT_CLIENT_SECRET_FILE", path(0)),
            ("HUBSPOT_REFRESH_TOKEN_FILE", path(1)),
            ("SALESFORCE_JWT_KEY_FILE", path(2)),
            ("SALESFORCE_USERNAME", USER.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    Ok(files)
}

pub(crate) fn tokens_are_renewed_before_they_expire_and_secrets_without_a_restart(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut site = site(world, "credentials").await?;
        let client = site.sandbox.client()?;
        let folder = tempfile::tempdir()?;
        let files = configure(&mut site, folder.path())?;
        site.start(Service::SinkCrm, SINK).await?;
        renew_expiring_tokens(&site, &client).await?;
        replace_credentials(&site, &client, &files).await?;
        refuse_redirect(&site, &client).await?;
        site.finish().await
    })
}

/// Tokens expire every two seconds, and each refresh token is valid once. No request is refused,
/// because each token is replaced before it expires.
async fn renew_expiring_tokens(site: &Site<'_>, client: &SandboxClient) -> anyhow::Result<()> {
    for revision in 1..=5 {
        publish(site, &[event(0, revision)]).await?;
        wait_for_states(site, HUBSPOT, &[("synced", 1)]).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    wait_for_states(site, SALESFORCE, &[("synced", 1)]).await?;
    let stats = client.stats().await?;
    let refused = stats
        .endpoints
        .values()
        .filter(|stats| stats.outcomes.contains_key("401"));
    ensure!(refused.count() == 0, "a token was used past its end");
    let fetched = stats.endpoint(Endpoint::HubspotToken).requests;
    ensure!(
        (2..=8).contains(&fetched),
        "{fetched} tokens in some 5 s of 2 s each"
    );
    Ok(())
}

/// Replaces both credentials, then the files: no restart is needed.
async fn replace_credentials(
    site: &Site<'_>,
    client: &SandboxClient,
    files: &[PathBuf],
) -> anyhow::Result<()> {
    let (private, public) = key()?;
    site.sandbox.change_credentials(|accepted| {
        if let Some(app) = &mut accepted.hubspot_app {
            app.client_secret = "another-secret".into();
            app.refresh_token = REFRESH[1].into();
        }
        if let Some(jwt) = &mut accepted.salesforce_jwt {
            jwt.public_key = public;
        }
    });
    for endpoint in [Endpoint::HubspotUpsert, Endpoint::SalesforceUpsert] {
        client
            .order(&Fault::once(endpoint, Effect::TokenExpired))
            .await?;
    }
    publish(site, &[event(1, 1)]).await?;
    let log = eventually(Duration::from_secs(20), async || {
        let log = site.log(SINK)?;
        ensure!(
            log.contains("BAD_CLIENT_SECRET"),
            "HubSpot's refusal is not in the log"
        );
        ensure!(
            log.contains("invalid_grant"),
            "Salesforce's refusal is not in the log"
        );
        Ok(log)
    })
    .await?;
    std::fs::write(&files[0], "another-secret\n")?;
    std::fs::write(&files[1], REFRESH[1])?;
    std::fs::write(&files[2], &private)?;
    wait_for_states(site, HUBSPOT, &[("synced", 2)]).await?;
    wait_for_states(site, SALESFORCE, &[("synced", 2)]).await?;
    for secret in [
        "app-secret",
        REFRESH[0],
        "refresh-",
        "PRIVATE KEY",
        "access-",
        "00D0",
    ] {
        ensure!(!log.contains(secret), "a secret is in the log: {secret}");
    }
    Ok(())
}

/// A redirect is not followed: it would send the token elsewhere.
async fn refuse_redirect(site: &Site<'_>, client: &SandboxClient) -> anyhow::Result<()> {
    let elsewhere = Effect::Status {
        status: 307,
        code: None,
        retry_after_s: None,
        body: ErrorBody::Html,
    };
    client
        .order(&Fault::once(Endpoint::HubspotUpsert, elsewhere))
        .await?;
    publish(site, &[event(2, 1)]).await?;
    wait_for_states(site, HUBSPOT, &[("synced", 3)]).await?;
    let log = site.log(SINK)?;
    let line = log
        .lines()
        .find(|line| line.contains("redirects are refused"));
    line.context("the log does not report the redirect")?;
    Ok(())
}
