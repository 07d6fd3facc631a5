//! Reads the secrets of several business numbers from one setting.

use std::fmt;

use crate::config_error::ConfigError;
use crate::secret::Secret;

/// The longest name of a number, far below the length of a secret: a secret in a name's place is
/// detected.
const MAX_NAME: usize = 32;

/// The secrets of business numbers: `NUMBER=SECRET`, separated by commas or line ends. `Debug` prints
/// only how many there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NumberSecrets(Vec<(String, Secret)>);

impl NumberSecrets {
    /// Reads a list. An only entry may be the secret of the number `alone`, without its name.
    ///
    /// # Errors
    /// Returns an error that names an entry by its place and line, because any part of it may be a
    /// secret.
    pub fn parse(list: &str, alone: Option<&str>) -> Result<Self, String> {
        let entries: Vec<(usize, &str)> = (1..)
            .zip(list.lines())
            .flat_map(|(line, text)| text.split(',').map(move |entry| (line, entry.trim())))
            .filter(|(_, entry)| !entry.is_empty())
            .collect();
        let alone = alone.filter(|_| entries.len() == 1);
        let mut secrets: Vec<(String, Secret)> = Vec::with_capacity(entries.len());
        for ((line, entry), place) in entries.into_iter().zip(1..) {
            let wrong = |problem: &str| format!("entry {place} (line {line}) {problem}");
            let (name, secret) = entry_of(entry, alone).map_err(wrong)?;
            if secrets.iter().any(|(known, _)| known == name) {
                return Err(wrong("has the name of an earlier one"));
            }
            if secrets.iter().any(|(_, known)| known.expose() == secret) {
                return Err(wrong("has the secret of an earlier one"));
            }
            secrets.push((name.to_owned(), Secret::new(secret)));
        }
        Ok(Self(secrets))
    }

    /// Reads the value of a flag or variable, or the file that `<variable>_FILE` names. `example` is a
    /// list, for the error.
    ///
    /// # Errors
    /// Returns the errors of [`Secret::resolve`] and [`Self::parse`].
    pub fn resolve(
        value: Option<Secret>,
        variable: &str,
        alone: Option<&str>,
        example: &str,
    ) -> Result<Self, ConfigError> {
        let Some(list) = Secret::resolve(value, variable)? else {
            return Ok(Self::default());
        };
        Self::parse(list.expose(), alone).map_err(|problem| {
            let file = format!("{variable}_FILE");
            match std::env::var_os(&file) {
                Some(path) => {
                    let path = path.display();
                    ConfigError::new(
                        &file,
                        format!("names {path}, whose {problem}; example: {example}"),
                    )
                }
                None => ConfigError::new(variable, format!("{problem}; example: {example}")),
            }
        })
    }

    /// Returns the secret of a number.
    #[must_use]
    pub fn get(&self, number: &str) -> Option<&Secret> {
        let mut secrets = self.0.iter();
        secrets.find_map(|(known, secret)| (known == number).then_some(secret))
    }

    /// Returns each number with its secret.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(number, secret)| (&**number, secret))
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn entry_of<'e>(
    entry: &'e str,
    alone: Option<&'e str>,
) -> Result<(&'e str, &'e str), &'static str> {
    let (name, secret) = match (entry.split_once('='), alone) {
        (Some((name, secret)), _) => (name.trim(), secret.trim()),
        (None, Some(alone)) => (alone, entry),
        (None, None) => return Err("has no name: write NUMBER=SECRET"),
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(letter) {
        return Err(
            "has a name that is not 1 to 32 of letters, digits, `-`, `_` and `.` (write NUMBER=SECRET for a secret that holds `=`)",
        );
    }
    // The padding of an encoded secret is no secret.
    if secret.trim_matches('=').is_empty() {
        return Err("has a name but no secret behind its `=`");
    }
    if secret.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("has a blank within its secret");
    }
    Ok((name, secret))
}

impl fmt::Debug for NumberSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NumberSecrets({} numbers)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::NumberSecrets;

    #[test]
    fn secrets_are_read_from_commas_and_lines() {
        let secrets = NumberSecrets::parse("501 = A ,,502=B=\r\n\n503=C\n", None).unwrap();
        let read: Vec<_> = secrets
            .iter()
            .map(|(number, secret)| (number, secret.expose()))
            .collect();
        assert_eq!(read, [("501", "A"), ("502", "B="), ("503", "C")]);
        assert!(secrets.get("504").is_none());
        assert!(NumberSecrets::parse(" ,\n", None).unwrap().is_empty());
        assert_eq!(format!("{secrets:?}"), "NumberSecrets(3 numbers)");
    }

    #[test]
    fn an_only_secret_may_have_no_name_where_there_is_a_default() {
        let alone = NumberSecrets::parse("K1\n", Some("default")).unwrap();
        assert!(alone.get("default").is_some());
        assert!(NumberSecrets::parse("K1", None).is_err());
        assert!(NumberSecrets::parse("K1,K2", Some("default")).is_err());
    }

    #[test]
    fn an_error_names_entry_and_line_and_no_secret() {
        for (list, problem) in [
            ("a=ok\nHIDDEN", "entry 2 (line 2) has no name"),
            ("a=HIDDEN,a=HIDDEN2", "entry 2 (line 1) has the name"),
            ("a=HIDDEN\n\nb=HIDDEN", "entry 2 (line 3) has the secret"),
            ("a=", "entry 1 (line 1) has a name but no secret"),
            ("a/b=HIDDEN", "entry 1 (line 1) has a name that is not"),
            ("a=HID DEN", "entry 1 (line 1) has a blank"),
            (
                "HIDDEN0123456789012345678901234567890=a",
                "entry 1 (line 1) has a name that is not",
            ),
        ] {
            let error = NumberSecrets::parse(list, None).unwrap_err();
            assert!(error.starts_with(problem), "{error}");
            assert!(!error.contains("HID") && !error.contains("DEN"), "{error}");
        }
    }
}
