//! Finds the person that an item concerns. Ids may be missing, empty, or hold another id's value.

use leadstream_schemas::id::{is_user_id, phone};
use leadstream_schemas::notation::other_notation;
use leadstream_schemas::{Recipient, Sender};

use super::wire::{Contact, Message, System};
use crate::item::{MAX_ID, MAX_NAME_CHARS};

/// The length of the longest user id.
const MAX_OPAQUE: usize = 131;

/// The ids found in any member, the first of each kind.
#[derive(Default)]
pub(super) struct Ids<'a> {
    pub(super) wa_id: Option<&'a str>,
    pub(super) user_id: Option<&'a str>,
    /// An id of no known form, perhaps of a later version. It identifies a person who has no other
    /// id. It is no second id of a person who has one, because several people may share it.
    opaque: Option<&'a str>,
}

impl<'a> Ids<'a> {
    /// Takes ids in the order of trust. Their form decides their kind, in whichever member they
    /// are. Junk such as `null` and `0` is left out.
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

    /// Returns the sender's ids before a change of ids; the ids after it if those before are
    /// missing.
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

    /// Returns the ids after a change.
    pub(super) fn after(system: &'a System<'_>) -> Self {
        Self::of([
            system.wa_id.get(),
            system.new_wa_id.get(),
            system.user_id.get(),
        ])
    }

    /// Returns the contact that shares one of these ids. An item without an id matches a contact
    /// only if there is exactly one.
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
                || is_other_notation(self.wa_id, theirs.wa_id)
                || same(self.user_id, theirs.user_id)
                || (alone && same(self.opaque, theirs.opaque))
        })
    }

    /// Returns these ids, completed with those of the contact.
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

    /// Returns the user id, or the opaque id of a person without another id.
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
            jid: None,
        }
    }

    pub(super) fn recipient(&self) -> Recipient {
        Recipient {
            wa_id: self.wa_id.map(str::to_owned),
            user_id: self.user_id(),
            lid: None,
            jid: None,
        }
    }

    fn of_contact<'c: 'a>(contact: &'c Contact<'_>) -> Self {
        Self::of([contact.wa_id.get(), contact.user_id.get()])
    }
}

fn same(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_some() && one == other
}

/// Returns whether two numbers are two notations of one.
fn is_other_notation(one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return false;
    };
    other_notation(one).is_some_and(|notation| notation == other)
}

/// Returns whether the text may be an id. Placeholder words have letters only, placeholder numbers
/// have no letters.
fn is_opaque(id: &str) -> bool {
    let short = id.len() <= MAX_OPAQUE;
    let letter = id.bytes().any(|byte| byte.is_ascii_alphabetic());
    let other = id.bytes().any(|byte| byte.is_ascii_digit() || byte == b'_');
    short && letter && other
}
