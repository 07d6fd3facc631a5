//! Defines the contracts between Leadstream's services: record types, their JSON Schema files,
//! examples, the registry codec and the topic names. It depends on no other crate of the workspace.

pub mod base_url;
pub mod codec;
pub mod event;
pub mod id;
pub mod ids;
pub mod input;
pub mod jsonschema;
pub mod notation;
pub mod notice;
pub mod registry;
pub mod reply;
pub mod status;
pub mod time;
pub mod topic;

pub use base_url::BaseUrl;
pub use event::{
    Cause, Consent, EventData, FieldType, FlowRef, LeadEvent, LeadMetadata, SyncPriority,
};
pub use ids::{Account, Epoch, Identity, InputId, LeadId, Offset, Partition, Revision};
pub use input::{
    ContactCard, Content, InputKind, LeadInput, MediaType, OrderItem, Platform, Referral, Sender,
    UndeliveredClass,
};
pub use notice::ProviderNotice;
pub use reply::{Recipient, Reply, ReplyContent, ReplyKind, ReplyTemplate};
pub use reqwest::Url;
pub use status::{DeliveryStatus, Echo, MessageStatus, StatusError};
pub use time::Timestamp;
pub use topic::Topic;
