//! Sends requests through the provider of their number.

use leadstream_schemas::Platform;

use crate::credentials::CredentialStore;
use crate::graph::Graph;
use crate::health::{Health, HealthReport};
use crate::request::Request;
use crate::send_result::SendResult;
use crate::wasender::Wasender;

/// A client of both providers. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) graph: Graph,
    pub(crate) wasender: Wasender,
    pub(crate) credentials: CredentialStore,
}

impl Client {
    /// Posts one message, with the credential of its number.
    pub(crate) async fn send(&self, request: &Request) -> SendResult {
        let credentials = self.credentials.current();
        let Some(secret) = credentials.of(request.platform, &request.number) else {
            self.credentials.read_again();
            return SendResult::Unconfigured(request.platform);
        };
        let result = match request.platform {
            Platform::WhatsappCloud => self.graph.send(request, secret).await,
            Platform::Wasender => self.wasender.send(request, secret).await,
        };
        if result.is_of_credential() {
            self.credentials.read_again();
        }
        result
    }

    /// Asks whether `number` can send, and how fast.
    pub(crate) async fn health(&self, number: &str) -> HealthReport {
        let credentials = self.credentials.current();
        if let Some(key) = credentials.of(Platform::Wasender, number) {
            return self.wasender.health(key).await.into();
        }
        match credentials.of(Platform::WhatsappCloud, number) {
            Some(token) => self.graph.health(number, token).await,
            None => Health::NoAnswer.into(),
        }
    }
}
