//! Who a lead is: ids within an account.

use std::collections::BTreeMap;
use std::str::FromStr;

use leadstream_schemas::Sender;
use serde::{Deserialize, Serialize};

/// The ids a lead is known under.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identities {
    pub wa_id: Option<String>,
    pub user_id: Option<String>,
    pub lid: Option<String>,
}

impl Identities {
    /// The ids of `sender` that are not known yet.
    pub fn unknown<'a>(&'a self, sender: &'a Sender) -> impl Iterator<Item = &'a str> {
        [
            (&self.wa_id, &sender.wa_id),
            (&self.user_id, &sender.user_id),
            (&self.lid, &sender.lid),
        ]
        .into_iter()
        .filter(|(known, seen)| known != seen)
        .filter_map(|(_, seen)| seen.as_deref())
    }

    /// Takes over one id of `sender`. A `wa_id` that is known stays: a changed number comes as a
    /// merge.
    pub fn learn(&mut self, sender: &Sender, id: &str) {
        for (known, seen) in [
            (&mut self.wa_id, &sender.wa_id),
            (&mut self.user_id, &sender.user_id),
            (&mut self.lid, &sender.lid),
        ] {
            if known.is_none() && seen.as_deref() == Some(id) {
                known.clone_from(seen);
            }
        }
    }
}

/// A key within its account: the form of lead ids and of rows in `lead_identities`.
#[must_use]
pub fn scoped(account: &str, key: &str) -> String {
    if account.is_empty() {
        key.to_owned()
    } else {
        format!("{account}/{key}")
    }
}

/// Which account a business number belongs to. All others are the default account, so that a
/// person has one conversation whichever of them they write to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts(BTreeMap<String, String>);

impl Accounts {
    #[must_use]
    pub fn of(&self, number: &str) -> &str {
        self.0.get(number).map_or("", String::as_str)
    }
}

impl FromStr for Accounts {
    type Err = String;

    /// `account=number+number,account=number`
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
                if accounts
                    .insert(number.to_owned(), account.to_owned())
                    .is_some()
                {
                    return Err(format!("number {number} is in two accounts; keep one"));
                }
            }
        }
        Ok(Self(accounts))
    }
}

#[cfg(test)]
mod tests {
    use super::{Accounts, scoped};

    #[test]
    fn a_number_belongs_to_its_account_or_to_the_default_one() {
        let accounts: Accounts = "eu=1+2, us=3".parse().unwrap();
        assert_eq!(
            (accounts.of("2"), accounts.of("3"), accounts.of("4")),
            ("eu", "us", "")
        );
        assert_eq!(scoped(accounts.of("2"), "4917"), "eu/4917");
        assert_eq!(scoped("", "4917"), "4917");
    }

    #[test]
    fn a_wrong_grouping_is_refused_with_an_example() {
        for text in ["1+2", "=1", "a=1,b=1", "a/b=1"] {
            assert!(text.parse::<Accounts>().is_err(), "{text}");
        }
    }
}
