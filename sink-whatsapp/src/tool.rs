//! Checks the business numbers for an operator, with the service's own credentials.

use std::collections::BTreeSet;
use std::sync::Arc;

use leadstream_service::ConfigError;

use crate::credentials::{CredentialReader, Credentials};
use crate::health::HealthReport;
use crate::{Error, SendArgs};

/// What the provider says of a business number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedNumber {
    pub number: String,
    /// `None` if no credential is configured for the number.
    pub health: Option<HealthReport>,
}

impl SendArgs {
    /// Returns whether no credential of a provider is set.
    ///
    /// # Errors
    /// Returns an error if a file of a credential cannot be read, or if a list is wrong.
    pub fn is_empty(&self) -> Result<bool, ConfigError> {
        Ok(self.credentials().parse()?.is_empty())
    }
}

/// Asks the providers whether `numbers`, and those with an own credential, can send.
///
/// # Errors
/// Returns an error if settings are wrong.
pub async fn check(
    args: &SendArgs,
    numbers: impl IntoIterator<Item = String>,
) -> Result<Vec<CheckedNumber>, Error> {
    let (_reader, store) = CredentialReader::new(args.credentials())?;
    let client = args.client(store, args.sink_whatsapp_request_timeout)?;
    let credentials: Arc<Credentials> = client.credentials.current();
    let own = credentials.numbers().map(ToOwned::to_owned);
    let numbers: BTreeSet<String> = own.chain(numbers).collect();
    let mut checked = Vec::new();
    for number in numbers {
        let health = match credentials.has(&number) {
            true => Some(client.health(&number).await),
            false => None,
        };
        checked.push(CheckedNumber { number, health });
    }
    Ok(checked)
}
