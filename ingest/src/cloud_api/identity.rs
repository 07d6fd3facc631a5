//! Who an item is about. Ids may be missing, empty, or hold another's value.

use leadstream_schemas::{Recipient, Sender};

use super::wire::{Contact, Message, System};
use crate::item::{MAX_ID, MAX_NAME_CHARS};

/// The ids found in whichever members held them, the first of each kind.
#[derive(Default)]
pub(super) struct Ids<'a> {
    pub(super) wa_id: Option<&'a str>,
    pub(super) user_id: Option<&'a str>,
}

impl<'a> Ids<'a> {
    /// Takes ids in the order in which they are to be trusted. What holds nothing but digits is a
    /// phone number, wherever it stood; anything else is a user id, such as
    /// `US.13491208655302741918`.
    pub(super) fn of(candidates: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        candidates
            .into_iter()
            .flatten()
            .filter(|id| id.len() <= MAX_ID)
            .fold(Self::default(), |ids, id| match digits(id) {
                Some(phone) => Self {
                    wa_id: ids.wa_id.or(Some(phone)),
                    ..ids
                },
                None => Self {
                    user_id: ids.user_id.or(Some(id)),
                    ..ids
                },
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
        contacts.iter().find(|contact| {
            let theirs = Ids::of_contact(contact);
            same(self.wa_id, theirs.wa_id) || same(self.user_id, theirs.user_id)
        })
    }

    /// These ids, completed by those of the contact.
    pub(super) fn with<'c: 'a>(self, contact: Option<&'c Contact<'_>>) -> Self {
        let theirs = contact.map(Self::of_contact).unwrap_or_default();
        Self {
            wa_id: self.wa_id.or(theirs.wa_id),
            user_id: self.user_id.or(theirs.user_id),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.wa_id.is_none() && self.user_id.is_none()
    }

    pub(super) fn sender(&self, contact: Option<&Contact<'_>>) -> Sender {
        Sender {
            wa_id: self.wa_id.map(str::to_owned),
            user_id: self.user_id.map(str::to_owned),
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
            user_id: self.user_id.map(str::to_owned),
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

/// A phone number's digits, without a leading plus.
fn digits(id: &str) -> Option<&str> {
    let digits = id.strip_prefix('+').unwrap_or(id);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}
