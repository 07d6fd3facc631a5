//! Reads what statuses say of the messages of WASenderApi's sessions. Pure.
//!
//! A session returns every message, of Leadstream and of people on the phone. WASenderApi takes no token,
//! so a message is ours by its id, by the id in the answer, or by its text and address.

use leadstream_schemas::{
    Content, DeliveryStatus, Echo, InputKind, LeadInput, MessageStatus, Recipient, Sender,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::change::StatusChange;

/// What statuses say of one message of a session.
#[derive(Clone, Debug)]
pub struct SessionStatus {
    /// The change of its reply, which is not known yet: the token is nil.
    pub change: StatusChange,
    /// Whether WASenderApi's API sent it: for Leadstream or for another program.
    pub is_of_api: bool,
    /// WASenderApi's id of the message.
    pub send_id: Option<String>,
    pub text_digest: Option<[u8; 16]>,
    /// The JIDs of the person to whom it went.
    pub addresses: Vec<String>,
    /// The input to write if no reply turns out to be the message.
    pub takeover: Option<LeadInput>,
}

impl SessionStatus {
    /// Returns what is known of a message of which `status` is the first status.
    pub(super) fn new(status: &MessageStatus) -> Self {
        Self {
            change: StatusChange::new(Uuid::nil(), status),
            is_of_api: false,
            send_id: None,
            text_digest: None,
            addresses: Vec::new(),
            takeover: None,
        }
    }

    /// Adds what `status` says.
    pub(super) fn add(&mut self, status: &MessageStatus) {
        self.change.add(status);
        self.is_of_api |= status.echo == Some(Echo::Api) || status.send_id.is_some();
        if self.send_id.is_none() {
            self.send_id.clone_from(&status.send_id);
        }
        let digest = status.body.as_deref().map(text_digest);
        self.text_digest = self.text_digest.or(digest);
        for address in addresses(&status.recipient) {
            if !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
        if self.takeover.is_none() {
            self.takeover = takeover(status);
        }
    }
}

/// Returns the input by which a person of the business wrote the message; none for a status without the
/// message itself. Without an id, nobody is known to be taken over.
fn takeover(status: &MessageStatus) -> Option<LeadInput> {
    let is_message = status.echo == Some(Echo::Session) && status.status == DeliveryStatus::Sent;
    let Recipient {
        wa_id,
        user_id,
        lid,
        jid,
    } = status.recipient.clone();
    let sender = Sender {
        wa_id,
        user_id,
        lid,
        name: None,
        jid,
    };
    let is_known = sender.key().is_some();
    (is_message && is_known).then(|| LeadInput {
        id: status.id.as_str().into(),
        kind: InputKind::Message,
        platform: status.platform,
        number: status.number.clone(),
        sender,
        sent_at: status.at,
        received_at: status.received_at,
        item: 0,
        content: Content::Takeover {
            body: status.body.clone(),
        },
        referral: None,
        raw: None,
    })
}

/// Returns the JIDs of a person.
fn addresses(recipient: &Recipient) -> impl Iterator<Item = String> {
    let phone = recipient.wa_id.as_deref().map(address);
    let lid = recipient.lid.as_ref().map(|lid| format!("{lid}@lid"));
    [recipient.jid.clone(), phone, lid].into_iter().flatten()
}

/// Returns the JID of `to`, which is a JID, or a phone number with or without `+`.
#[must_use]
pub fn address(to: &str) -> String {
    if to.contains('@') {
        return to.to_owned();
    }
    format!("{}@s.whatsapp.net", to.trim_start_matches('+'))
}

/// Returns a digest of what two texts have in common that differ in blanks, signs or case: WhatsApp and
/// WASenderApi may trim a text or change its marks.
#[must_use]
pub fn text_digest(text: &str) -> [u8; 16] {
    let letters = text.chars().filter(|c| c.is_alphanumeric());
    let mut kept: String = letters.flat_map(char::to_lowercase).collect();
    if kept.is_empty() {
        text.trim().clone_into(&mut kept);
    }
    let hash: [u8; 32] = Sha256::digest(kept).into();
    let mut prefix = [0; 16];
    prefix.copy_from_slice(hash.split_at(16).0);
    prefix
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::{Platform, Timestamp};

    use super::*;
    use crate::reply_row::ReplyState;
    use crate::statuses::plan::{Plan, plan};

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    fn status(echo: Option<Echo>, what: DeliveryStatus, body: Option<&str>) -> MessageStatus {
        MessageStatus {
            id: "sales/3EB0".into(),
            platform: Platform::Wasender,
            number: "sales".into(),
            status: what,
            at: NOW,
            received_at: NOW,
            recipient: Recipient {
                wa_id: Some("1555".into()),
                lid: Some("2000".into()),
                jid: Some("2000@lid".into()),
                ..Recipient::default()
            },
            errors: Vec::new(),
            reply_id: None,
            send_id: None,
            body: body.map(str::to_owned),
            echo,
            raw: None,
        }
    }

    fn only(statuses: &[MessageStatus]) -> SessionStatus {
        let Plan {
            rounds,
            mut sessions,
            foreign,
            ..
        } = plan(statuses);
        assert!(rounds.is_empty());
        assert_eq!((sessions.len(), foreign), (1, 0));
        sessions.remove(0)
    }

    #[test]
    fn an_echo_of_the_session_may_be_a_person_s() {
        let echo = only(&[status(
            Some(Echo::Session),
            DeliveryStatus::Sent,
            Some("Hello"),
        )]);
        assert_eq!(echo.text_digest, Some(text_digest("Hello")));
        assert_eq!(echo.addresses, ["2000@lid", "1555@s.whatsapp.net"]);
        assert!(!echo.is_of_api);
        let input = echo.takeover.unwrap();
        assert_eq!(input.id.as_str(), "sales/3EB0");
        assert_eq!(input.sender.key(), Some("1555"));
        assert_eq!(input.sender.jid.as_deref(), Some("2000@lid"));
        let body = Some("Hello".to_owned());
        assert_eq!(input.content, Content::Takeover { body });
        // Media without a caption.
        let media = status(Some(Echo::Session), DeliveryStatus::Sent, None);
        assert!(only(&[media]).takeover.is_some());
    }

    #[test]
    fn what_is_said_of_one_message_is_put_together_in_any_order() {
        let echo = status(Some(Echo::Session), DeliveryStatus::Sent, Some("Hello"));
        let read = status(None, DeliveryStatus::Read, None);
        let sent = MessageStatus {
            send_id: Some("100001".into()),
            ..status(Some(Echo::Api), DeliveryStatus::Sent, Some("Hello"))
        };
        for order in [
            [&echo, &read, &sent],
            [&sent, &echo, &read],
            [&read, &sent, &echo],
        ] {
            let found = only(&order.map(Clone::clone));
            assert!(found.is_of_api && found.takeover.is_some());
            assert_eq!(found.send_id.as_deref(), Some("100001"));
            assert_eq!(found.text_digest, Some(text_digest("Hello")));
            assert_eq!(found.change.state, Some(ReplyState::Read));
            assert_eq!(found.change.message_id, "sales/3EB0");
        }
    }

    #[test]
    fn statuses_without_the_message_or_its_person_are_no_takeover() {
        let nobody = MessageStatus {
            recipient: Recipient::default(),
            ..status(Some(Echo::Session), DeliveryStatus::Sent, Some("Hello"))
        };
        for other in [
            status(None, DeliveryStatus::Sent, None),
            status(None, DeliveryStatus::Failed, None),
            status(Some(Echo::Api), DeliveryStatus::Sent, Some("Hello")),
            nobody,
        ] {
            assert!(
                only(std::slice::from_ref(&other)).takeover.is_none(),
                "{other:?}"
            );
        }
        let deleted = status(None, DeliveryStatus::Deleted, None);
        assert!(plan(&[deleted]).sessions.is_empty());
    }

    #[test]
    fn an_address_is_a_jid() {
        for to in ["+1555", "1555", "1555@s.whatsapp.net"] {
            assert_eq!(address(to), "1555@s.whatsapp.net");
        }
        assert_eq!(address("2000@lid"), "2000@lid");
    }

    #[test]
    fn a_text_has_the_same_digest_after_it_was_trimmed_or_marked() {
        for alike in [
            "Thanks, Ada!\n\n1. Small",
            "thanks ada 1.  Small ",
            "*Thanks Ada!* 1 Small",
        ] {
            let expected = text_digest("Thanks Ada 1 small");
            assert_eq!(text_digest(alike), expected, "{alike}");
        }
        assert_ne!(text_digest("👍"), text_digest("🙏"));
        assert_ne!(text_digest("Yes"), text_digest("No"));
    }
}
