//! Reads one element of `statuses[]`.

use leadstream_schemas::{DeliveryStatus, MessageStatus, Platform, StatusError, Timestamp};
use serde_json::value::RawValue;

use super::ValueContext;
use super::identity::Ids;
use super::message::MAX_MESSAGE_ID;
use super::wire::{self, Status};
use crate::item::Class;
use crate::json::{Text, object, timestamp};

pub(super) fn read(
    context: &ValueContext<'_>,
    raw: &RawValue,
    received_at: Timestamp,
) -> Result<MessageStatus, Class> {
    let status: Status<'_> = object(raw).ok_or(Class::Malformed)?;
    let number = context.number.ok_or(Class::NoNumber)?;
    let id = status.id.within(MAX_MESSAGE_ID).ok_or(Class::NoId)?;
    // In a group `recipient_id` is the group's id: the participant is the person.
    let own = if status.recipient_type.get() == Some("group") {
        Ids::of([
            status.recipient_participant_id.get(),
            status.recipient_participant_user_id.get(),
        ])
    } else {
        Ids::of([status.recipient_id.get(), status.recipient_user_id.get()])
    };
    let contact = own.contact(&context.contacts);
    let ids = own.with(contact);
    let at = status.timestamp.integer().and_then(timestamp);
    Ok(MessageStatus {
        id: id.to_owned(),
        platform: Platform::WhatsappCloud,
        number: number.to_owned(),
        status: delivery_status(status.status.get()),
        at: at.ok_or(Class::BadTimestamp)?,
        received_at,
        recipient: ids.recipient(),
        errors: errors(&status),
        reply_id: status.biz_opaque_callback_data.to_owned(),
        send_id: None,
        body: None,
        echo: None,
        raw: Some(raw.to_owned()),
    })
}

fn errors(status: &Status<'_>) -> Vec<StatusError> {
    let errors = status.errors.iter().flatten();
    errors
        .filter_map(|raw| {
            let error: wire::Error<'_> = object(raw)?;
            let details = error.error_data.as_ref().map(|data| &data.details);
            Some(StatusError {
                code: error.code.integer()?,
                title: error.title.to_owned(),
                details: details
                    .and_then(Text::to_owned)
                    .or_else(|| error.details.to_owned())
                    .or_else(|| error.message.to_owned()),
            })
        })
        .collect()
}

fn delivery_status(name: Option<&str>) -> DeliveryStatus {
    match name {
        Some("sent") => DeliveryStatus::Sent,
        Some("delivered") => DeliveryStatus::Delivered,
        Some("read") => DeliveryStatus::Read,
        Some("played") => DeliveryStatus::Played,
        Some("failed") => DeliveryStatus::Failed,
        Some("deleted") => DeliveryStatus::Deleted,
        _ => DeliveryStatus::Unknown,
    }
}
