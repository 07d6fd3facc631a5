//! Records of `lead.inputs`, decoded once.

use leadstream_kafka::Record;
use leadstream_schemas::codec::{self, CodecError};
use leadstream_schemas::{Account, Identity, LeadInput, Timestamp};

use crate::lead::{Accounts, Command, Inbound, InputError, scoped};

/// A record, decoded once.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) record: Record,
    pub(crate) content: Result<Box<Keyed>, Undecodable>,
}

/// An input with its ids within its account, the record's key first.
#[derive(Debug)]
pub(crate) struct Keyed {
    pub(crate) inbound: Inbound,
    pub(crate) account: Account,
    pub(crate) key: String,
    pub(crate) identities: Vec<Identity>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Undecodable {
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("the record's key is not a lead's id: {0}")]
    Key(&'static str),
}

impl Decoded {
    pub(crate) fn new(record: Record, accounts: &Accounts) -> Self {
        let content = decode(&record, accounts);
        Self { record, content }
    }

    pub(super) fn received_at(&self) -> Option<Timestamp> {
        let keyed = self.content.as_ref().ok()?;
        Some(keyed.inbound.order().received_at)
    }

    /// Returns the latest time that the input has folded: of a message, or of the inputs of a lead
    /// that is handed over.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        match &self.content.as_ref().ok()?.inbound {
            Inbound::Message(input)
            | Inbound::Command(Command { input, .. })
            | Inbound::Delivery(input) => Some(input.order.at),
            Inbound::Merge(merge) => merge.closed.as_ref()?.journal.last_interaction(),
        }
    }
}

fn decode(record: &Record, accounts: &Accounts) -> Result<Box<Keyed>, Undecodable> {
    let key = std::str::from_utf8(&record.key).map_err(|_| Undecodable::Key("it is not UTF-8"))?;
    if key.is_empty() || key.len() > 160 || key.contains('\0') {
        return Err(Undecodable::Key(
            "it is empty, over 160 bytes, or holds a NUL",
        ));
    }
    let inbound = Inbound::try_from(codec::decode::<LeadInput>(&record.value)?)?;
    let account = accounts.of(inbound.number()).clone();
    let mut identities = vec![scoped(&account, key)];
    if let Some(input) = inbound.input() {
        for id in input.identities() {
            let identity = scoped(&account, id);
            if !identities.contains(&identity) {
                identities.push(identity);
            }
        }
    }
    Ok(Box::new(Keyed {
        key: key.to_owned(),
        inbound,
        account,
        identities,
    }))
}
