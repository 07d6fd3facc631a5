//! The session with Salesforce: a token by client credentials, and where to use it. It has no
//! known end; a refused one is forgotten, and the next request logs in.

use std::sync::Arc;

use leadstream_stream::Secret;
use reqwest::{Client, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::response::login_refused;
use crate::crm::{Class, Failure};
use crate::http::call;

/// What a login needs.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// The My Domain URL, without a final slash.
    pub(crate) url: String,
    pub(crate) client_id: String,
    /// As given; the secret may stand in a file instead, which is read at each login.
    pub(crate) given_secret: Option<Secret>,
}

pub(crate) struct Session {
    pub(crate) token: Secret,
    /// Without a final slash.
    pub(crate) instance_url: String,
}

/// The one session of the process; the lock makes refreshes single flight.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Option<Arc<Session>>>);

impl Sessions {
    pub(crate) async fn get(&self, http: &Client, login: &Login) -> Result<Arc<Session>, Failure> {
        let mut current = self.0.lock().await;
        if let Some(session) = current.as_ref() {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(log_in(http, login).await?);
        *current = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Forgets `refused`, unless another request has done so already.
    pub(crate) async fn forget(&self, refused: &Arc<Session>) {
        let mut current = self.0.lock().await;
        if current
            .as_ref()
            .is_some_and(|session| Arc::ptr_eq(session, refused))
        {
            *current = None;
        }
    }
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    instance_url: String,
}

async fn log_in(http: &Client, login: &Login) -> Result<Session, Failure> {
    let halt = |reason: String| Failure::new(Class::Halt, reason);
    let secret = Secret::require(
        login.given_secret.clone(),
        "SALESFORCE_CLIENT_SECRET",
        "1A2B3C",
    )
    .map_err(|error| halt(error.to_string()))?;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &login.client_id),
        ("client_secret", secret.expose()),
    ];
    let url = format!("{}/services/oauth2/token", login.url);
    let answer = call(http.post(url).form(&form)).await?;
    if answer.status != 200 {
        return Err(login_refused(answer.status, &answer.body));
    }
    let token: Token = serde_json::from_slice(&answer.body)
        .map_err(|_| login_refused(answer.status, &answer.body))?;
    let instance_url = instance(&token.instance_url, &login.url).ok_or_else(|| {
        halt("Salesforce's login names an instance_url that is no https URL; check SALESFORCE_LOGIN_URL".into())
    })?;
    Ok(Session {
        token: Secret::new(token.access_token),
        instance_url,
    })
}

/// The instance's URL, at least as safe as the login's.
fn instance(instance_url: &str, login_url: &str) -> Option<String> {
    let url = Url::parse(instance_url).ok()?;
    let safe =
        url.scheme() == "https" || (url.scheme() == "http" && login_url.starts_with("http:"));
    safe.then(|| instance_url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::instance;

    #[test]
    fn a_token_is_never_used_over_a_less_safe_connection_than_the_login() {
        let login = "https://acme.my.salesforce.com";
        assert_eq!(
            instance("https://acme.my.salesforce.com/", login).as_deref(),
            Some(login)
        );
        assert_eq!(instance("http://acme.my.salesforce.com", login), None);
        assert_eq!(instance("nonsense", login), None);
        let local = "http://127.0.0.1:4050/salesforce";
        assert_eq!(instance(local, local).as_deref(), Some(local));
    }
}
