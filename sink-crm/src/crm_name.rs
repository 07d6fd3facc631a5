//! The names of the CRMs.

use std::fmt;

/// A CRM. Its text is its name in the ledger, metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CrmName {
    Hubspot,
    Salesforce,
    Webhook,
}

impl CrmName {
    pub(crate) const ALL: [Self; 3] = [Self::Hubspot, Self::Salesforce, Self::Webhook];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Hubspot => "hubspot",
            Self::Salesforce => "salesforce",
            Self::Webhook => "webhook",
        }
    }
}

impl fmt::Display for CrmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
