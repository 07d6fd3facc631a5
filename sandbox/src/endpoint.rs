//! Names the vendors, and the operations of their APIs.

use serde::{Deserialize, Serialize};

/// A vendor that the sandbox simulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// Meta's Graph API.
    Graph,
    /// HubSpot.
    Hubspot,
    /// Salesforce.
    Salesforce,
    /// WASenderApi.
    Wasender,
}

/// The operation of a request. Faults and counts are by endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A send. Key: the recipient's digits or BSUID.
    GraphMessages,
    /// Mark as read, typing indicator. Key: the message's id.
    GraphRead,
    /// Description and health of a business number. Key: its id.
    GraphNumber,
    /// Address of a file. Key: the media id.
    GraphMedia,
    /// Bytes of a file. Key: the media id.
    GraphFile,
    /// List of message templates.
    GraphTemplates,
    /// Batch upsert of contacts. Keys: the inputs' ids.
    HubspotUpsert,
    /// Batch update of contacts. Keys: the inputs' ids.
    HubspotUpdate,
    /// Search of contacts.
    HubspotSearch,
    /// Batch read of contacts. Keys: the inputs' ids.
    HubspotRead,
    /// Read of one contact. Key: the id of the path.
    HubspotContact,
    /// Merge of two contacts.
    HubspotMerge,
    /// Deletion of a contact for privacy. Key: its id.
    HubspotErase,
    /// List or read of owners. Key: the owner's id.
    HubspotOwners,
    /// List, read or creation of properties. Key: the property's name.
    HubspotProperties,
    /// Use of the daily pool of requests.
    HubspotUsage,
    /// OAuth token of HubSpot.
    HubspotToken,
    /// OAuth token.
    SalesforceToken,
    /// Upsert of leads. Keys: the values of the external id.
    SalesforceUpsert,
    /// Update of records. Keys: their ids.
    SalesforceUpdate,
    /// Query in SOQL.
    SalesforceQuery,
    /// Creation, read or update of one record. Key: its id, or the value of the external id.
    SalesforceLead,
    /// Deletion of records. Keys: their ids.
    SalesforceDelete,
    /// Description of an object.
    SalesforceDescribe,
    /// Limits of the organisation.
    SalesforceLimits,
    /// A send. Key: the recipient's digits, or a JID that is no phone number.
    WasenderSend,
    /// The connection of a session.
    WasenderStatus,
}

impl Endpoint {
    /// Returns the vendor of the endpoint.
    pub fn vendor(self) -> Vendor {
        match self {
            Self::GraphMessages
            | Self::GraphRead
            | Self::GraphNumber
            | Self::GraphMedia
            | Self::GraphFile
            | Self::GraphTemplates => Vendor::Graph,
            Self::HubspotUpsert
            | Self::HubspotUpdate
            | Self::HubspotSearch
            | Self::HubspotRead
            | Self::HubspotContact
            | Self::HubspotMerge
            | Self::HubspotErase
            | Self::HubspotOwners
            | Self::HubspotProperties
            | Self::HubspotToken
            | Self::HubspotUsage => Vendor::Hubspot,
            Self::SalesforceToken
            | Self::SalesforceUpsert
            | Self::SalesforceUpdate
            | Self::SalesforceQuery
            | Self::SalesforceLead
            | Self::SalesforceDelete
            | Self::SalesforceLimits
            | Self::SalesforceDescribe => Vendor::Salesforce,
            Self::WasenderSend | Self::WasenderStatus => Vendor::Wasender,
        }
    }
}
