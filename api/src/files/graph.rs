//! Asks the Graph API for a file: first where it is, then for its bytes.

use std::sync::Arc;
use std::time::Duration;

use leadstream_schemas::Url;
use leadstream_service::Secret;
use leadstream_service::config::GraphArgs;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::reference;
use crate::Error;

const CONNECT: Duration = Duration::from_secs(5);
/// The time for a response to begin, and for each further part of a file.
pub(super) const PART: Duration = Duration::from_secs(15);
/// WhatsApp's limit of a document, with what rounding may add.
const MAX_BYTES: u64 = 100 << 20;
/// The bytes of an answer of the Graph API that are read.
const MAX_ANSWER: usize = 64 << 10;
/// The files that are sent at a time.
const MAX_FILES: usize = 32;

/// A client of the Graph API's files. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    client: Client,
    base: Url,
    version: String,
    /// None if files are not configured.
    token: Option<Secret>,
    places: Arc<Semaphore>,
}

/// A file whose bytes can be read.
pub(crate) struct Opened {
    pub(super) response: Response,
    pub(crate) mime_type: Option<String>,
    pub(crate) size: u64,
    /// The hash that the Graph API gives.
    pub(crate) hash: Option<[u8; 32]>,
    /// Is held until the file is sent.
    _place: OwnedSemaphorePermit,
}

/// The reason why a file cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    NotConfigured,
    /// WhatsApp does not have it any more, or never showed it to this token.
    Gone,
    TooLarge,
    /// The access token was refused.
    Refused,
    /// The Graph API answered in a way that it does not document.
    Unexpected,
    /// There was no answer in time, or the Graph API asks to come later.
    Later,
    Overloaded,
}

#[derive(Deserialize)]
struct Located {
    url: String,
    mime_type: Option<String>,
    sha256: Option<String>,
    file_size: Option<u64>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorMembers,
}

#[derive(Deserialize)]
struct ErrorMembers {
    code: Option<i64>,
}

impl Files {
    /// Creates a client by the settings.
    ///
    /// # Errors
    /// Returns an error if a setting is wrong, or if TLS cannot be set up.
    pub(crate) fn new(args: &GraphArgs) -> Result<Self, Error> {
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(PART)
            // A redirect would carry the token to another host.
            .redirect(Policy::none())
            .user_agent(concat!("leadstream/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            base: args.base()?,
            version: args.meta_api_version.clone(),
            token: args.access_token()?,
            places: Arc::new(Semaphore::new(MAX_FILES)),
        })
    }

    /// Opens the file with the media id `id`.
    ///
    /// # Errors
    /// Returns why the file cannot be sent.
    pub(crate) async fn open(&self, id: &str) -> Result<Opened, Unavailable> {
        let token = self.token.as_ref().ok_or(Unavailable::NotConfigured)?;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Unavailable::Overloaded)?;
        let answer = self.get(self.url(id), token).await?;
        let located: Located = match answer.status() {
            StatusCode::OK => serde_json::from_slice(&bytes(answer).await?)
                .map_err(|_| Unavailable::Unexpected)?,
            status => {
                let body = bytes(answer).await.unwrap_or_default();
                let body: Option<ErrorBody> = serde_json::from_slice(&body).ok();
                return Err(refusal(status, body.and_then(|body| body.error.code)));
            }
        };
        // The token goes to Meta only: over TLS, or to the configured address.
        let url = Url::parse(&located.url).map_err(|_| Unavailable::Unexpected)?;
        if url.scheme() != "https" && url.origin() != self.base.origin() {
            return Err(Unavailable::Unexpected);
        }
        let response = self.get(url, token).await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(response.status(), None));
        }
        let size = response.content_length().or(located.file_size);
        let size = size.ok_or(Unavailable::Unexpected)?;
        if size > MAX_BYTES {
            return Err(Unavailable::TooLarge);
        }
        Ok(Opened {
            response,
            mime_type: located.mime_type,
            size,
            hash: located.sha256.as_deref().and_then(reference::hash),
            _place: place,
        })
    }

    async fn get(&self, url: Url, token: &Secret) -> Result<Response, Unavailable> {
        let sent = self.client.get(url).bearer_auth(token.expose()).send();
        match timeout(PART, sent).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) | Err(_) => Err(Unavailable::Later),
        }
    }

    /// Returns `{base}/{version}/{id}`, with each part as one segment whatever it holds.
    fn url(&self, id: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend([self.version.as_str(), id]);
        }
        url
    }
}

async fn bytes(mut response: Response) -> Result<Vec<u8>, Unavailable> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| Unavailable::Later)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Unavailable::Unexpected);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Returns the reason of a refusal. Codes count more than the status, which varies.
fn refusal(status: StatusCode, code: Option<i64>) -> Unavailable {
    match (code, status.as_u16()) {
        (Some(0 | 3 | 10 | 104 | 190 | 200..=299), _) => Unavailable::Refused,
        (Some(1 | 2 | 4 | 613 | 80_007 | 130_429 | 131_000 | 131_016 | 131_057), _) => {
            Unavailable::Later
        }
        // The Graph API knows no object with the id.
        (Some(33 | 100 | 131_052), _) | (None, 404 | 410) => Unavailable::Gone,
        (None, 401 | 403) => Unavailable::Refused,
        (None, 429 | 500..=599) => Unavailable::Later,
        _ => Unavailable::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_reason() {
        for (status, code, expected) in [
            (400, Some(100), Unavailable::Gone),
            (404, None, Unavailable::Gone),
            (410, None, Unavailable::Gone),
            (401, Some(190), Unavailable::Refused),
            (400, Some(190), Unavailable::Refused),
            (403, Some(200), Unavailable::Refused),
            (401, None, Unavailable::Refused),
            (429, Some(4), Unavailable::Later),
            (400, Some(130_429), Unavailable::Later),
            (503, None, Unavailable::Later),
            (302, None, Unavailable::Unexpected),
            (400, Some(7), Unavailable::Unexpected),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(refusal(status, code), expected, "{status} {code:?}");
        }
    }
}
