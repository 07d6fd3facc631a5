//! Holds the identities of a lead: its ids within an account.

use std::collections::BTreeMap;
use std::str::FromStr;

use leadstream_schemas::notation::{international_digits, other_notation};
use leadstream_schemas::{Account, Identity, Sender};
use serde::{Deserialize, Serialize};

/// The ids under which a lead is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identities {
    pub wa_id: Option<String>,
    pub user_id: Option<String>,
    pub lid: Option<String>,
    /// The ids that the lead had before, such as a changed number and the user id that changed with
    /// it. The other notations of the lead's numbers are here, too.
    #[serde(default)]
    pub former: Vec<String>,
}

impl Identities {
    /// Returns all ids.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let present = [&self.wa_id, &self.user_id, &self.lid];
        let all = present.into_iter().flatten().chain(&self.former);
        all.map(String::as_str)
    }

    /// Returns whether the lead has `id`.
    #[must_use]
    pub fn hold(&self, id: &str) -> bool {
        self.all().any(|known| known == id)
    }

    /// Adds those `ids` that are `ours`. A new id replaces an existing one if `replaces` returns
    /// true for the existing id; otherwise the new id becomes a former one.
    pub fn adopt(
        &mut self,
        ids: &Sender,
        ours: impl Fn(&str) -> bool,
        replaces: impl Fn(&str) -> bool,
    ) {
        let Self {
            wa_id,
            user_id,
            lid,
            former,
        } = self;
        for (slot, id) in [
            (wa_id, &ids.wa_id),
            (user_id, &ids.user_id),
            (lid, &ids.lid),
        ] {
            let Some(id) = id.as_deref().filter(|id| ours(id)) else {
                continue;
            };
            match slot {
                Some(known) if known == id => {}
                Some(known) if replaces(known) => {
                    former.retain(|other| other != id);
                    former.push(std::mem::replace(known, id.to_owned()));
                }
                Some(_) if former.iter().any(|known| known == id) => {}
                Some(_) => former.push(id.to_owned()),
                None => {
                    former.retain(|other| other != id);
                    *slot = Some(id.to_owned());
                }
            }
        }
    }

    /// Adds an id by which the lead is found and to which nothing is sent.
    pub fn add(&mut self, id: &str) {
        if !self.hold(id) {
            self.former.push(id.to_owned());
        }
    }

    /// Adds all ids of `other`, which replace this lead's ids if `is_newer`.
    pub fn join(&mut self, other: Self, is_newer: bool) {
        let ids = Sender {
            wa_id: other.wa_id,
            user_id: other.user_id,
            lid: other.lid,
            ..Sender::default()
        };
        self.adopt(&ids, |_| true, |_| is_newer);
        for id in &other.former {
            self.add(id);
        }
    }

    /// Returns the ids as a record's sender.
    #[must_use]
    pub fn to_sender(&self) -> Sender {
        Sender {
            wa_id: self.wa_id.clone(),
            user_id: self.user_id.clone(),
            lid: self.lid.clone(),
            ..Sender::default()
        }
    }
}

/// Returns a key within its account, the form of lead ids and of rows in `lead_identities`.
#[must_use]
pub fn scoped(account: &Account, key: &str) -> Identity {
    if account.is_default() {
        key.into()
    } else {
        format!("{account}/{key}").into()
    }
}

/// The account of each business number. All other numbers belong to the default account, so a
/// person has one conversation whichever of those numbers they write to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts(BTreeMap<String, Account>);

static DEFAULT_ACCOUNT: Account = Account::DEFAULT;

impl Accounts {
    #[must_use]
    pub fn of(&self, number: &str) -> &Account {
        self.0.get(number).unwrap_or(&DEFAULT_ACCOUNT)
    }

    /// Returns whether the account exists; the default account always does.
    #[must_use]
    pub fn has(&self, account: &Account) -> bool {
        account.is_default() || self.0.values().any(|known| known == account)
    }
}

/// An id within one account, by which a lead is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    account: Account,
    identity: Identity,
    /// The identity of the number's other notation.
    other_notation: Option<Identity>,
}

impl Address {
    /// Reads `id` within `account`. A phone number may have any international notation. Outside the default account a lead id contains its account, so
    /// the result is the same with that account and with none. Returns none if `accounts` lacks the
    /// account; without `accounts` every account is allowed.
    #[must_use]
    pub fn of(account: &Account, id: &str, accounts: Option<&Accounts>) -> Option<Self> {
        // Only here a slash does not end the name of an account.
        let is_marked = id.trim_start().starts_with('+') || id.contains("wa.me/");
        let number = is_marked.then(|| international_digits(id)).flatten();
        let id = number.as_deref().unwrap_or(id);
        let is_there = |account: &Account| accounts.is_none_or(|accounts| accounts.has(account));
        let named = id.split_once('/').map(|(named, _)| Account::from(named));
        let is_implied = |named: &&Account| account.is_default() && is_there(named);
        let account = named.as_ref().filter(is_implied).unwrap_or(account);
        is_there(account).then(|| {
            let key = match id.split_once('/') {
                Some((named, key)) if !account.is_default() && account.as_str() == named => key,
                _ => id,
            };
            let digits = international_digits(key);
            let key = digits.as_deref().unwrap_or(key);
            Self {
                account: account.clone(),
                identity: scoped(account, key),
                other_notation: other_notation(key).map(|key| scoped(account, &key)),
            }
        })
    }

    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// Returns the id in the form of rows in `lead_identities`.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns the id like [`Self::identity`], and the other notation of a number.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        std::iter::once(&self.identity).chain(&self.other_notation)
    }
}

impl FromStr for Accounts {
    type Err = String;

    /// Parses `account=number+number,account=number`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut accounts = BTreeMap::new();
        for group in text
            .split(',')
            .map(str::trim)
            .filter(|group| !group.is_empty())
        {
            let (account, numbers) = group.split_once('=').ok_or_else(|| {
                format!("`{group}` is not account=number+number; example: eu=106540352242922+106540352242923")
            })?;
            let account = account.trim();
            if account.is_empty() || account.contains('/') {
                return Err(format!(
                    "`{account}` cannot name an account: use letters, digits, - and _"
                ));
            }
            for number in numbers.split('+').map(str::trim) {
                if accounts.insert(number.to_owned(), account.into()).is_some() {
                    return Err(format!("number {number} is in two accounts; keep one"));
                }
            }
        }
        Ok(Self(accounts))
    }
}

#[cfg(test)]
mod tests {
    use super::{Accounts, Address, Identity, scoped};

    #[test]
    fn a_number_belongs_to_its_account_or_to_the_default_one() {
        let accounts: Accounts = "eu=1+2, us=3".parse().unwrap();
        assert_eq!(
            ["2", "3", "4"].map(|number| accounts.of(number).as_str()),
            ["eu", "us", ""]
        );
        assert_eq!(scoped(accounts.of("2"), "4917"), "eu/4917");
        assert_eq!(scoped(accounts.of("4"), "4917"), "4917");
    }

    #[test]
    fn an_id_is_looked_for_in_its_account_and_in_no_other() {
        let accounts: Accounts = "eu=1+2, us=3".parse().unwrap();
        for (account, id, expected) in [
            ("", "4917", Some(("", "4917"))),
            ("eu", "4917", Some(("eu", "eu/4917"))),
            ("eu", "eu/4917", Some(("eu", "eu/4917"))),
            ("", "eu/4917", Some(("eu", "eu/4917"))),
            ("eu", "us/4917", Some(("eu", "eu/us/4917"))),
            ("us", "eu/4917", Some(("us", "us/eu/4917"))),
            // The default account has no name, and an unknown account has no leads.
            ("", "nowhere/4917", Some(("", "nowhere/4917"))),
            ("", "/4917", Some(("", "/4917"))),
            ("eu", "/4917", Some(("eu", "eu//4917"))),
            ("nowhere", "4917", None),
            ("nowhere", "nowhere/4917", None),
            ("nowhere", "eu/4917", None),
            ("EU", "4917", None),
            ("eu/", "4917", None),
            ("' OR 1=1", "4917", None),
        ] {
            let found = Address::of(&account.into(), id, Some(&accounts));
            let found = found
                .as_ref()
                .map(|it| (it.account().as_str(), it.identity().as_str()));
            assert_eq!(found, expected, "{id} in `{account}`");
        }
        // Without ACCOUNTS the rows show which accounts exist.
        let found = Address::of(&"old".into(), "old/4917", None).unwrap();
        assert_eq!(*found.account(), "old");
        assert_eq!(*found.identity(), "old/4917");
        assert_eq!(Address::of(&"".into(), "old/4917", None).unwrap(), found);
        assert_eq!(Address::of(&"old".into(), "4917", None).unwrap(), found);
        assert_eq!(
            Address::of(&"eu".into(), "4917", Some(&Accounts::default())),
            None
        );
    }

    #[test]
    fn a_number_is_looked_for_in_both_notations() {
        for (account, id, expected) in [
            ("", "5511987650001", &["5511987650001", "551187650001"][..]),
            ("", "5215512345678", &["5215512345678", "525512345678"]),
            (
                "eu",
                "541123456789",
                &["eu/541123456789", "eu/5491123456789"],
            ),
            (
                "",
                "eu/541123456789",
                &["eu/541123456789", "eu/5491123456789"],
            ),
            ("", "4917", &["4917"]),
            ("eu", "US.1", &["eu/US.1"]),
            ("", "+49 151 / 12345678", &["4915112345678"]),
            ("", "https://wa.me/4915112345678", &["4915112345678"]),
            ("eu", "+49 (151) 12345678", &["eu/4915112345678"]),
            ("", "eu/0049 151 12345678", &["eu/4915112345678"]),
            ("", "12/4915112345678", &["12/4915112345678"]),
            (
                "",
                "+55 (11) 98765-0001",
                &["5511987650001", "551187650001"],
            ),
        ] {
            let found = Address::of(&account.into(), id, None).unwrap();
            let found: Vec<&str> = found.identities().map(Identity::as_str).collect();
            assert_eq!(found, expected, "{id} in `{account}`");
        }
    }

    #[test]
    fn a_wrong_grouping_is_refused_with_an_example() {
        for text in ["1+2", "=1", "a=1,b=1", "a/b=1"] {
            assert!(text.parse::<Accounts>().is_err(), "{text}");
        }
    }
}
