//! Reads the recipient of a send.

use crate::graph::digits;

/// The address of a person or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipient {
    /// Digits of a phone number; else the whole JID.
    pub(crate) key: String,
    /// The address as events name it.
    pub(crate) jid: String,
}

impl Recipient {
    /// Reads a phone number with or without `+`, or a JID.
    pub(crate) fn parse(to: &str) -> Option<Self> {
        let (user, server) = match to.split_once('@') {
            Some((user, server)) => (user, server),
            None => (to, "s.whatsapp.net"),
        };
        let key = match server {
            "s.whatsapp.net" => digits(user),
            "lid" | "g.us" => to.to_owned(),
            _ => return None,
        };
        let is_number = |text: &str| text.chars().any(|it| it.is_ascii_digit());
        is_number(user).then(|| Self {
            jid: if server == "s.whatsapp.net" {
                format!("{key}@{server}")
            } else {
                to.to_owned()
            },
            key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Recipient;

    #[test]
    fn a_recipient_is_a_number_or_a_jid() {
        let phone = |to: &str| {
            let found = Recipient::parse(to).map(|it| (it.key, it.jid));
            let jid = "4915112345678@s.whatsapp.net";
            assert_eq!(found, Some(("4915112345678".to_owned(), jid.to_owned())));
        };
        phone("+4915112345678");
        phone("4915112345678");
        phone("4915112345678@s.whatsapp.net");
        let lid = Recipient::parse("98711384416410@lid").map(|it| it.key);
        assert_eq!(lid.as_deref(), Some("98711384416410@lid"));
        assert_eq!(Recipient::parse("nobody"), None);
        assert_eq!(Recipient::parse("1@example.com"), None);
    }
}
