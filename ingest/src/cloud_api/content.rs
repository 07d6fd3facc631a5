//! Reads a message's content by the message's type. A type that does not exist yet is unsupported.
//! So is a type whose member does not have the documented shape. The raw item is kept in both
//! cases.

use leadstream_schemas::{ContactCard, Content, MediaType, OrderItem, Referral};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::identity::Ids;
use super::wire::{self, Message, System};
use crate::item::MAX_ID;
use crate::json::{List, Text, embedded, object, timestamp};

pub(super) fn read(message: &Message<'_>) -> Content {
    let content = match message.kind.get() {
        Some("text") => text(message).map(|body| Content::Text { body }),
        Some("image") => media(message.image, MediaType::Image),
        Some("video") => media(message.video, MediaType::Video),
        Some("audio") => media(message.audio, MediaType::Audio),
        Some("voice") => media(message.voice.or(message.audio), MediaType::Voice),
        Some("document") => media(message.document, MediaType::Document),
        Some("sticker") => media(message.sticker, MediaType::Sticker),
        Some("location") => location(message),
        Some("contacts") => contacts(message),
        Some("interactive") => interactive(message),
        Some("button") => button(message),
        Some("reaction") => reaction(message),
        Some("order") => order(message),
        Some("system") => system(message),
        Some("edit") => edit(message),
        Some("revoke") => revoke(message),
        _ => None,
    };
    content.unwrap_or_else(|| Content::Unsupported {
        provider_type: provider_type(message),
    })
}

/// Returns the text or caption of an echo or an edited message.
pub(super) fn words(message: &Message<'_>) -> Option<String> {
    let media = [message.image, message.video, message.document];
    let caption = || media.into_iter().flatten().find_map(caption);
    text(message).or_else(caption)
}

pub(super) fn referral(message: &Message<'_>) -> Option<Referral> {
    let given: wire::Referral<'_> = object(message.referral?)?;
    let referral = Referral {
        source_type: given.source_type.to_owned(),
        source_id: given.source_id.to_owned(),
        source_url: given.source_url.to_owned(),
        headline: given.headline.to_owned(),
        body: given.body.to_owned(),
        ctwa_clid: given.ctwa_clid.to_owned(),
    };
    (referral != Referral::default()).then_some(referral)
}

/// Returns the type's name. For a type that the provider does not support, returns the type that it
/// reports.
fn provider_type(message: &Message<'_>) -> Option<String> {
    #[derive(Deserialize)]
    struct Unsupported<'a> {
        #[serde(borrow, default, rename = "type")]
        kind: Text<'a>,
    }
    let inner = message.unsupported.and_then(object::<Unsupported<'_>>);
    let inner = inner.and_then(|unsupported| unsupported.kind.within(MAX_ID).map(str::to_owned));
    inner.or_else(|| message.kind.within(MAX_ID).map(str::to_owned))
}

fn text(message: &Message<'_>) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        body: String,
    }
    Some(object::<Body>(message.text?)?.body)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Media<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    mime_type: Text<'a>,
    #[serde(borrow)]
    sha256: Text<'a>,
    #[serde(borrow)]
    caption: Text<'a>,
    #[serde(borrow)]
    filename: Text<'a>,
    #[serde(borrow)]
    voice: Option<&'a RawValue>,
}

fn media(raw: Option<&RawValue>, kind: MediaType) -> Option<Content> {
    let media: Media<'_> = object(raw?)?;
    let voice = media.voice.is_some_and(|voice| voice.get() == "true");
    Some(Content::Media {
        media: if voice { MediaType::Voice } else { kind },
        id: media.id.to_owned(),
        url: media.url.to_owned(),
        mime_type: media.mime_type.to_owned(),
        sha256: media.sha256.to_owned(),
        caption: media.caption.verbatim().map(str::to_owned),
        filename: media.filename.to_owned(),
        // Webhooks have no size.
        size: None,
    })
}

fn caption(raw: &RawValue) -> Option<String> {
    let media: Media<'_> = object(raw)?;
    media.caption.verbatim().map(str::to_owned)
}

fn location(message: &Message<'_>) -> Option<Content> {
    #[derive(Deserialize)]
    struct Location<'a> {
        #[serde(borrow)]
        latitude: Text<'a>,
        #[serde(borrow)]
        longitude: Text<'a>,
        #[serde(borrow, default)]
        name: Text<'a>,
        #[serde(borrow, default)]
        address: Text<'a>,
    }
    let location: Location<'_> = object(message.location?)?;
    Some(Content::Location {
        latitude: location.latitude.number()?,
        longitude: location.longitude.number()?,
        name: location.name.to_owned(),
        address: location.address.to_owned(),
    })
}

fn contacts(message: &Message<'_>) -> Option<Content> {
    #[derive(Deserialize)]
    struct Contact<'a> {
        #[serde(borrow)]
        name: Option<Name<'a>>,
        #[serde(borrow)]
        phones: List<'a>,
    }
    #[derive(Deserialize)]
    struct Name<'a> {
        #[serde(borrow, default)]
        formatted_name: Text<'a>,
        #[serde(borrow, default)]
        first_name: Text<'a>,
    }
    #[derive(Deserialize)]
    struct Phone<'a> {
        #[serde(borrow, default)]
        wa_id: Text<'a>,
        #[serde(borrow, default)]
        phone: Text<'a>,
    }
    let cards: Vec<&RawValue> = serde_json::from_str(message.contacts?.get()).ok()?;
    let card = |contact: Contact<'_>| ContactCard {
        name: contact.name.and_then(|name| {
            name.formatted_name
                .to_owned()
                .or(name.first_name.to_owned())
        }),
        phones: contact
            .phones
            .iter()
            .flatten()
            .filter_map(|raw| object::<Phone<'_>>(raw))
            .filter_map(|phone| phone.wa_id.to_owned().or(phone.phone.to_owned()))
            .collect(),
    };
    let contacts: Vec<ContactCard> = cards
        .iter()
        .filter_map(|raw| object::<Contact<'_>>(raw).map(card))
        .collect();
    (cards.is_empty() || !contacts.is_empty()).then_some(Content::Contacts { contacts })
}

#[derive(Deserialize)]
struct Interactive<'a> {
    #[serde(borrow)]
    button_reply: Option<&'a RawValue>,
    #[serde(borrow)]
    list_reply: Option<&'a RawValue>,
    #[serde(borrow)]
    nfm_reply: Option<&'a RawValue>,
    #[serde(borrow)]
    call_permission_reply: Option<&'a RawValue>,
}

fn interactive(message: &Message<'_>) -> Option<Content> {
    let interactive: Interactive<'_> = object(message.interactive?)?;
    interactive
        .button_reply
        .or(interactive.list_reply)
        .and_then(choice)
        .or_else(|| interactive.nfm_reply.and_then(form))
        .or_else(|| interactive.call_permission_reply.and_then(call_permission))
}

fn choice(raw: &RawValue) -> Option<Content> {
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(borrow, default)]
        id: Text<'a>,
        #[serde(borrow, default)]
        title: Text<'a>,
        #[serde(borrow, default)]
        description: Text<'a>,
    }
    let reply: Reply<'_> = object(raw)?;
    Some(Content::Choice {
        id: reply.id.to_owned(),
        title: reply.title.to_owned().or_else(|| reply.id.to_owned())?,
        description: reply.description.to_owned(),
    })
}

/// Reads a form's answers: JSON within a text, and not always an object.
fn form(raw: &RawValue) -> Option<Content> {
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(borrow, default)]
        name: Text<'a>,
        #[serde(borrow)]
        response_json: &'a RawValue,
    }
    let reply: Reply<'_> = object(raw)?;
    Some(Content::Form {
        name: reply.name.to_owned(),
        response_json: embedded(reply.response_json),
    })
}

fn call_permission(raw: &RawValue) -> Option<Content> {
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(borrow)]
        response: Text<'a>,
        #[serde(borrow, default)]
        expiration_timestamp: Text<'a>,
    }
    let reply: Reply<'_> = object(raw)?;
    Some(Content::CallPermission {
        granted: reply.response.get()? == "accept",
        expires_at: reply.expiration_timestamp.integer().and_then(timestamp),
    })
}

/// Reads a quick reply of a template.
fn button(message: &Message<'_>) -> Option<Content> {
    #[derive(Deserialize)]
    struct Button<'a> {
        #[serde(borrow, default)]
        payload: Text<'a>,
        #[serde(borrow, default)]
        text: Text<'a>,
    }
    let button: Button<'_> = object(message.button?)?;
    Some(Content::Choice {
        id: button.payload.to_owned(),
        title: button
            .text
            .to_owned()
            .or_else(|| button.payload.to_owned())?,
        description: None,
    })
}

fn reaction(message: &Message<'_>) -> Option<Content> {
    #[derive(Deserialize)]
    struct Reaction<'a> {
        #[serde(borrow)]
        message_id: Text<'a>,
        #[serde(borrow, default)]
        emoji: Text<'a>,
    }
    let reaction: Reaction<'_> = object(message.reaction?)?;
    Some(Content::Reaction {
        message_id: reaction.message_id.to_owned()?.into(),
        emoji: reaction.emoji.to_owned(),
    })
}

/// Reads an order. An order with an unreadable part is none: half an order would be wrong.
fn order(message: &Message<'_>) -> Option<Content> {
    #[derive(Deserialize)]
    struct Order<'a> {
        #[serde(borrow, default)]
        catalog_id: Text<'a>,
        #[serde(borrow, default)]
        text: Text<'a>,
        #[serde(borrow)]
        product_items: Vec<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Product<'a> {
        #[serde(borrow)]
        product_retailer_id: Text<'a>,
        #[serde(borrow)]
        quantity: Text<'a>,
        #[serde(borrow, default)]
        item_price: Text<'a>,
        #[serde(borrow, default)]
        currency: Text<'a>,
    }
    let order: Order<'_> = object(message.order?)?;
    let items = order.product_items.iter().map(|raw| {
        let product: Product<'_> = object(raw)?;
        Some(OrderItem {
            product_id: product.product_retailer_id.to_owned()?,
            quantity: product.quantity.number()?,
            price: product.item_price.number(),
            currency: product.currency.to_owned(),
        })
    });
    Some(Content::Order {
        catalog_id: order.catalog_id.to_owned(),
        items: items.collect::<Option<_>>()?,
        text: order.text.verbatim().map(str::to_owned),
    })
}

fn system(message: &Message<'_>) -> Option<Content> {
    let system: System<'_> = object(message.system?)?;
    let after = Ids::after(&system);
    Some(Content::System {
        event: system.kind.within(MAX_ID)?.to_owned(),
        wa_id: after.wa_id.map(str::to_owned),
        user_id: after.user_id.map(str::to_owned),
    })
}

fn edit(message: &Message<'_>) -> Option<Content> {
    #[derive(Deserialize)]
    struct Edit<'a> {
        #[serde(borrow)]
        original_message_id: Text<'a>,
        #[serde(borrow)]
        message: Option<&'a RawValue>,
    }
    let edit: Edit<'_> = object(message.edit?)?;
    let edited = edit.message.and_then(object::<Message<'_>>);
    Some(Content::Edit {
        message_id: edit.original_message_id.to_owned()?.into(),
        body: edited.and_then(|edited| words(&edited)).unwrap_or_default(),
    })
}

fn revoke(message: &Message<'_>) -> Option<Content> {
    #[derive(Deserialize)]
    struct Revoke<'a> {
        #[serde(borrow)]
        original_message_id: Text<'a>,
    }
    let revoke: Revoke<'_> = object(message.revoke?)?;
    Some(Content::Revoke {
        message_id: revoke.original_message_id.to_owned()?.into(),
    })
}
