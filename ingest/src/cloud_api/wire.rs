//! Defines the parts of a Cloud API webhook that are read. Parts that must not affect other parts
//! stay raw until they are read.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::item::MAX_ID;
use crate::json::{List, Object, Text, array, object};

#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub(super) object: Text<'a>,
    #[serde(borrow)]
    pub(super) entry: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    /// The object and field where the envelope and the changes have none: Meta's examples of
    /// `account_update` put both here.
    #[serde(borrow, default)]
    pub(super) object: Text<'a>,
    #[serde(borrow, default)]
    pub(super) field: Text<'a>,
    #[serde(borrow)]
    pub(super) changes: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Change<'a> {
    #[serde(borrow, default)]
    pub(super) field: Text<'a>,
    #[serde(borrow)]
    pub(super) value: &'a RawValue,
}

/// The value of a change whose field is `messages` or `smb_message_echoes`. It may have further
/// members.
pub(super) struct Value<'a>(Object<'a>);

impl<'a> Value<'a> {
    /// The members that hold no items.
    const ABOUT_ITEMS: [&'static str; 3] = ["messaging_product", "metadata", "contacts"];
    const LISTS: [&'static str; 3] = ["messages", "message_echoes", "statuses"];

    pub(super) fn read(raw: &'a RawValue) -> Option<Self> {
        Object::read(raw).map(Self)
    }

    pub(super) fn metadata(&self) -> Metadata<'a> {
        self.0.get("metadata").and_then(object).unwrap_or_default()
    }

    /// Returns the contacts. An unreadable contact counts as missing, because its message names
    /// the sender, too.
    pub(super) fn contacts(&self) -> Vec<Contact<'a>> {
        let raws = self.0.array("contacts").into_iter();
        raws.filter_map(object::<Contact<'_>>).collect()
    }

    /// Returns the items of the lists with this name. What is no list is one item.
    pub(super) fn list(&self, name: &str) -> Vec<&'a RawValue> {
        let lists = self.0.members().filter(|(member, _)| *member == name);
        let present = lists.map(|(_, raw)| raw).filter(|raw| raw.get() != "null");
        present
            .flat_map(|raw| array(raw).unwrap_or_else(|| vec![raw]))
            .collect()
    }

    /// Returns the members that hold neither items nor anything about them.
    pub(super) fn rest(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.members().filter(|(name, raw)| {
            let is_empty = matches!(raw.get(), "null" | "[]" | "{}" | "\"\"");
            !is_empty && !Self::LISTS.contains(name) && !Self::ABOUT_ITEMS.contains(name)
        })
    }
}

#[derive(Default, Deserialize)]
pub(super) struct Metadata<'a> {
    #[serde(borrow, default)]
    phone_number_id: Text<'a>,
    #[serde(borrow, default)]
    display_phone_number: Text<'a>,
}

impl Metadata<'_> {
    pub(super) fn number(&self) -> Option<&str> {
        self.phone_number_id.within(MAX_ID)
    }

    /// Returns the digits of the business's own phone number; empty if they are unknown.
    pub(super) fn phone(&self) -> String {
        let shown = self.display_phone_number.get().unwrap_or_default();
        shown.chars().filter(char::is_ascii_digit).collect()
    }
}

/// The part of any value that names its number.
#[derive(Deserialize)]
pub(super) struct Concerned<'a> {
    #[serde(borrow)]
    pub(super) metadata: Option<Metadata<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Contact<'a> {
    #[serde(borrow, default)]
    pub(super) wa_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) user_id: Text<'a>,
    #[serde(borrow)]
    pub(super) profile: Option<Profile<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Profile<'a> {
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    /// The masked name of a person who hides the number.
    #[serde(borrow, default)]
    pub(super) username: Text<'a>,
}

/// One of `messages[]` or `message_echoes[]`, or the new form of an edited one.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) from: Text<'a>,
    #[serde(borrow, default)]
    pub(super) from_user_id: Text<'a>,
    /// The recipient of an echo.
    #[serde(borrow, default)]
    pub(super) to: Text<'a>,
    #[serde(borrow, default)]
    pub(super) to_user_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) group_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) timestamp: Text<'a>,
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) referral: Option<&'a RawValue>,
    // The content of a message, by type.
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) image: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) video: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) audio: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) voice: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) document: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) sticker: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) location: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) contacts: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) interactive: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) button: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) reaction: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) order: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) system: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) edit: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) revoke: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) unsupported: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Referral<'a> {
    #[serde(borrow)]
    pub(super) source_type: Text<'a>,
    #[serde(borrow)]
    pub(super) source_id: Text<'a>,
    #[serde(borrow)]
    pub(super) source_url: Text<'a>,
    #[serde(borrow)]
    pub(super) headline: Text<'a>,
    #[serde(borrow)]
    pub(super) body: Text<'a>,
    #[serde(borrow)]
    pub(super) ctwa_clid: Text<'a>,
}

/// A change of number or id: the ids after it, and those before it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct System<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) wa_id: Text<'a>,
    /// The name of `wa_id` in older versions.
    #[serde(borrow)]
    pub(super) new_wa_id: Text<'a>,
    #[serde(borrow)]
    pub(super) user_id: Text<'a>,
    #[serde(borrow)]
    pub(super) customer: Text<'a>,
    #[serde(borrow)]
    pub(super) previous_wa_id: Text<'a>,
    #[serde(borrow)]
    pub(super) previous_user_id: Text<'a>,
}

#[derive(Deserialize)]
pub(super) struct Status<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) status: Text<'a>,
    #[serde(borrow, default)]
    pub(super) timestamp: Text<'a>,
    #[serde(borrow, default)]
    pub(super) recipient_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) recipient_user_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) recipient_type: Text<'a>,
    #[serde(borrow, default)]
    pub(super) recipient_participant_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) recipient_participant_user_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) biz_opaque_callback_data: Text<'a>,
    #[serde(borrow)]
    pub(super) errors: List<'a>,
}

#[derive(Deserialize)]
pub(super) struct Error<'a> {
    #[serde(borrow, default)]
    pub(super) code: Text<'a>,
    #[serde(borrow, default)]
    pub(super) title: Text<'a>,
    #[serde(borrow, default)]
    pub(super) message: Text<'a>,
    #[serde(borrow, default)]
    pub(super) details: Text<'a>,
    #[serde(borrow)]
    pub(super) error_data: Option<ErrorData<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ErrorData<'a> {
    #[serde(borrow, default)]
    pub(super) details: Text<'a>,
}
