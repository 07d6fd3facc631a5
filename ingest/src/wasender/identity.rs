//! Finds the person that an item concerns. Ids may be missing, empty, or hold another id's value.

use leadstream_schemas::id::{is_number, phone};
use leadstream_schemas::{Recipient, Sender};

use super::wire::Object;
use crate::item::{Ignored, MAX_ID, MAX_NAME_CHARS};

/// The longest id of a key. Records put the session's name before it, and sometimes a suffix after
/// it.
const MAX_KEY_ID: usize = 400;

/// A message's `key`. Newer deliveries repeat some of its members beside it.
#[derive(Clone, Debug, Default)]
pub(super) struct Key<'a> {
    key: Object<'a>,
    beside: Object<'a>,
}

/// The ids of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids {
    wa_id: Option<String>,
    lid: Option<String>,
    /// The JID of the conversation, without a device.
    jid: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Id {
    Phone(String),
    Lid(String),
    /// Digits of an unknown kind.
    Bare(String),
}

impl<'a> Key<'a> {
    pub(super) fn new(key: Object<'a>, beside: Object<'a>) -> Self {
        Self { key, beside }
    }

    /// Returns the message's id within the session.
    pub(super) fn id(&self) -> Option<String> {
        self.key.text("id").within(MAX_KEY_ID).map(str::to_owned)
    }

    pub(super) fn is_ours(&self) -> bool {
        let beside = || self.beside.flag("fromMe");
        self.key.flag("fromMe").or_else(beside).unwrap_or(false)
    }

    /// Returns the reason why a message is no part of a conversation with the business, if it is
    /// none.
    pub(super) fn ignored(&self) -> Option<Ignored> {
        let jids = [self.text("remoteJid"), self.text("remoteJidAlt")];
        jids.iter()
            .flatten()
            .find_map(|jid| match jid.rsplit_once('@')?.1 {
                "g.us" => Some(Ignored::Group),
                "newsletter" => Some(Ignored::Newsletter),
                "broadcast" => Some(Ignored::Broadcast),
                _ => None,
            })
    }

    /// Returns the ids of the author.
    pub(super) fn sender(&self) -> Ids {
        let ids = Ids::of(
            &[
                self.id_of("cleanedSenderPn"),
                self.id_of("senderPn"),
                self.certain("remoteJid"),
                self.certain("remoteJidAlt"),
                self.certain("senderJid"),
                self.certain("senderLid"),
            ],
            // The member that is named for the LID is the most reliable one.
            self.id_of("senderLid"),
        );
        ids.in_conversation(self.certain("remoteJid"))
    }

    /// Returns the ids of the recipient. The members that are named for a sender then hold our own
    /// ids.
    pub(super) fn recipient(&self) -> Ids {
        let jids = [self.certain("remoteJid"), self.certain("remoteJidAlt")];
        Ids::of(&jids, None).in_conversation(self.certain("remoteJid"))
    }

    fn id_of(&self, name: &str) -> Option<Id> {
        id(&self.text(name)?)
    }

    /// Returns an id that states whether it is a phone number or a LID.
    fn certain(&self, name: &str) -> Option<Id> {
        self.id_of(name).filter(|id| !matches!(id, Id::Bare(_)))
    }

    fn text(&self, name: &str) -> Option<String> {
        let beside = || self.beside.text(name).to_owned();
        self.key.text(name).to_owned().or_else(beside)
    }
}

impl Ids {
    /// Returns the first id of each kind. Bare digits are a phone number, unless they are those of
    /// the LID.
    fn of(candidates: &[Option<Id>], lid: Option<Id>) -> Self {
        let lid = match lid {
            Some(Id::Lid(lid) | Id::Bare(lid)) => Some(lid),
            _ => None,
        };
        let ids = || candidates.iter().flatten();
        let lid = lid.or_else(|| {
            ids().find_map(|id| match id {
                Id::Lid(lid) => Some(lid.clone()),
                _ => None,
            })
        });
        let wa_id = ids().find_map(|id| match id {
            Id::Bare(digits) if lid.as_ref() == Some(digits) => None,
            Id::Phone(digits) => Some(digits.clone()),
            Id::Bare(digits) => phone(digits).map(str::to_owned),
            Id::Lid(_) => None,
        });
        Self {
            wa_id,
            lid,
            jid: None,
        }
    }

    /// Adds the JID of the conversation. Without one, the ids name it.
    fn in_conversation(self, remote: Option<Id>) -> Self {
        let named = || {
            let phone = self.wa_id.clone().map(Id::Phone);
            phone.or_else(|| self.lid.clone().map(Id::Lid))
        };
        let jid = match remote.or_else(named) {
            Some(Id::Phone(digits)) => Some(format!("{digits}@s.whatsapp.net")),
            Some(Id::Lid(digits)) => Some(format!("{digits}@lid")),
            Some(Id::Bare(_)) | None => None,
        };
        Self { jid, ..self }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.wa_id.is_none() && self.lid.is_none()
    }

    pub(super) fn key(&self) -> &str {
        let key = self.wa_id.as_deref().or(self.lid.as_deref());
        key.unwrap_or_default()
    }

    /// Returns the ids as a sender, with the name in the message.
    pub(super) fn into_sender(self, message: &Object<'_>) -> Sender {
        let name = ["pushName", "verifiedBizName"]
            .iter()
            .find_map(|member| message.text(member).to_owned());
        Sender {
            wa_id: self.wa_id,
            user_id: None,
            lid: self.lid,
            name: name.map(|name| name.chars().take(MAX_NAME_CHARS).collect()),
            jid: self.jid,
        }
    }

    pub(super) fn into_recipient(self) -> Recipient {
        Recipient {
            wa_id: self.wa_id,
            user_id: None,
            lid: self.lid,
            jid: self.jid,
        }
    }
}

/// Reads `<digits>[:<device>][@<server>]`. The server determines the kind of the digits, in
/// whichever member they are.
fn id(text: &str) -> Option<Id> {
    if text.len() > MAX_ID {
        return None;
    }
    let (user, server) = match text.rsplit_once('@') {
        Some((user, server)) => (user, Some(server)),
        None => (text, None),
    };
    let user = user.split_once(':').map_or(user, |(user, _device)| user);
    let international = user.strip_prefix('+');
    let digits = international.unwrap_or(user);
    let phone = phone(digits).map(str::to_owned);
    match server {
        Some("s.whatsapp.net" | "c.us" | "hosted") => phone.map(Id::Phone),
        Some("lid" | "hosted.lid") => is_number(digits).then(|| Id::Lid(digits.to_owned())),
        Some(_) => None,
        None if international.is_some() => phone.map(Id::Phone),
        None => is_number(digits).then(|| Id::Bare(digits.to_owned())),
    }
}
