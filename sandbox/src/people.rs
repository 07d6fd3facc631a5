//! Does what people do in the CRMs: they write contacts, convert leads, and merge records.

use std::io;

use chrono::Utc;

use crate::app::App;
use crate::endpoint::Vendor;
use crate::lock::lock;
use crate::table::Values;
use crate::{hubspot, salesforce};

impl App {
    /// Writes a Contact of Salesforce, or a person account. Returns the id of the Contact.
    pub(crate) fn write_contact(&self, values: Values, person_account: bool) -> io::Result<String> {
        let mut store = lock(&self.store);
        let now = Utc::now();
        let (changes, contact, _) =
            salesforce::person::person(&store.state, values, person_account, now);
        store.commit(changes)?;
        Ok(contact)
    }

    /// Converts a Lead of Salesforce. Returns the id of the Contact.
    pub(crate) fn convert(&self, lead_id: &str, person_account: bool) -> io::Result<String> {
        let mut store = lock(&self.store);
        let now = Utc::now();
        let converted = salesforce::person::convert(&store.state, lead_id, person_account, now);
        let (changes, contact) = converted.ok_or(io::ErrorKind::NotFound)?;
        store.commit(changes)?;
        Ok(contact)
    }

    /// Merges the second record into the first. Returns the id of the result.
    pub(crate) fn merge(&self, vendor: Vendor, first: &str, second: &str) -> io::Result<String> {
        let mut store = lock(&self.store);
        let (id, changes) = match vendor {
            Vendor::Salesforce => (
                first.to_owned(),
                salesforce::person::merge(&store.state, first, second),
            ),
            _ => (
                hubspot::id_after(&store.state.contacts),
                hubspot::merge::merge(&store.state.contacts, first, second, Utc::now()),
            ),
        };
        store.commit(changes.ok_or(io::ErrorKind::NotFound)?)?;
        Ok(id)
    }
}
