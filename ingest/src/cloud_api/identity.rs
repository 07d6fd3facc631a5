//! Who an item is about. Ids may be missing, empty, or hold another's value.

use leadstream_schemas::id::{is_user_id, phone};
use leadstream_schemas::{Recipient, Sender};

use super::wire::{Contact, Message, System};
use crate::item::{MAX_ID, MAX_NAME_CHARS};

/// As long as the longest user id.
const MAX_OPAQUE: usize = 131;

/// The ids found in whichever members held them, the first of each kind.
#[derive(Default)]
pub(super) struct Ids<'a> {
    pub(super) wa_id: Option<&'a str>,
    pub(super) user_id: Option<&'a str>,
    /// An id of no form that we know, perhaps of a later version. It names a person who has no
    /// other, and is no other name of one who has: it may be the same for many.
    opaque: Option<&'a str>,
}

impl<'a> Ids<'a> {
    /// Takes ids in the order in which they are to be trusted. Their form says what they are,
    /// wherever they stood; junk such as `null` and `0` is left out.
    pub(super) fn of(candidates: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        candidates
            .into_iter()
            .flatten()
            .filter(|id| id.len() <= MAX_ID)
            .fold(Self::default(), |ids, id| match phone(id) {
                Some(phone) => Self {
                    wa_id: ids.wa_id.or(Some(phone)),
                    ..ids
                },
                None if is_user_id(id) => Self {
                    user_id: ids.user_id.or(Some(id)),
                    ..ids
                },
                None if is_opaque(id) => Self {
                    opaque: ids.opaque.or(Some(id)),
                    ..ids
                },
                None => ids,
            })
    }

    /// The sender's ids before a change of them; where none is told, those after it.
    pub(super) fn before(message: &'a Message<'_>, system: &'a System<'_>) -> Self {
        let after = Self::after(system);
        // Some deliveries hold the new user id already.
        let from = [message.from.get(), message.from_user_id.get()]
            .map(|id| id.filter(|id| after.user_id != Some(id)));
        let told = [
            from[0],
            system.previous_wa_id.get(),
            system.customer.get(),
            system.previous_user_id.get(),
            from[1],
        ];
        let before = Self::of(told);
        if before.is_empty() { after } else { before }
    }

    /// The ids that a change led to.
    pub(super) fn after(system: &'a System<'_>) -> Self {
        Self::of([
            system.wa_id.get(),
            system.new_wa_id.get(),
            system.user_id.get(),
        ])
    }

    /// The contact of an item whose own ids these are: the one that shares an id. An item without
    /// an id of its own is its contact's only when there is just one.
    pub(super) fn contact<'c, 'b>(&self, contacts: &'c [Contact<'b>]) -> Option<&'c Contact<'b>> {
        if self.is_empty() {
            return match contacts {
                [only] => Some(only),
                _ => None,
            };
        }
        let alone = self.wa_id.is_none() && self.user_id.is_none();
        contacts.iter().find(|contact| {
            let theirs = Ids::of_contact(contact);
            same(self.wa_id, theirs.wa_id)
                || same(self.user_id, theirs.user_id)
                || (alone && same(self.opaque, theirs.opaque))
        })
    }

    /// These ids, completed by those of the contact.
    pub(super) fn with<'c: 'a>(self, contact: Option<&'c Contact<'_>>) -> Self {
        let theirs = contact.map(Self::of_contact).unwrap_or_default();
        Self {
            wa_id: self.wa_id.or(theirs.wa_id),
            user_id: self.user_id.or(theirs.user_id),
            opaque: self.opaque.or(theirs.opaque),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.wa_id.is_none() && self.user_id.is_none() && self.opaque.is_none()
    }

    /// The user id, or what stands in its place for a person without another id.
    fn user_id(&self) -> Option<String> {
        let alone = self.opaque.filter(|_| self.wa_id.is_none());
        self.user_id.or(alone).map(str::to_owned)
    }

    pub(super) fn sender(&self, contact: Option<&Contact<'_>>) -> Sender {
        Sender {
            wa_id: self.wa_id.map(str::to_owned),
            user_id: self.user_id(),
            lid: None,
            name: contact
                .and_then(|contact| contact.profile.as_ref())
                .and_then(|profile| profile.name.get().or_else(|| profile.username.get()))
                .map(|name| name.chars().take(MAX_NAME_CHARS).collect()),
        }
    }

    pub(super) fn recipient(&self) -> Recipient {
        Recipient {
            wa_id: self.wa_id.map(str::to_owned),
            user_id: self.user_id(),
            lid: None,
        }
    }

    fn of_contact<'c: 'a>(contact: &'c Contact<'_>) -> Self {
        Self::of([contact.wa_id.get(), contact.user_id.get()])
    }
}

fn same(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_some() && one == other
}

/// Whether it may be an id at all: words that stand for nothing have letters only, numbers none.
fn is_opaque(id: &str) -> bool {
    let short = id.len() <= MAX_OPAQUE;
    let letter = id.bytes().any(|byte| byte.is_ascii_alphabetic());
    let other = id.bytes().any(|byte| byte.is_ascii_digit() || byte == b'_');
    short && letter && other
}
