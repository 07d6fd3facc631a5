//! Parses URLs to which paths are appended. They hold no credentials, so they may be printed.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use reqwest::Url;

/// An http or https URL without credentials, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// The reason why a text is no [`BaseUrl`]. It does not repeat the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no http or https URL without a query or credentials")]
pub struct BaseUrlError;

/// A user name and a password.
pub struct Credentials {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

impl BaseUrl {
    /// Parses a URL that may hold credentials, and takes them out of it.
    ///
    /// # Errors
    /// No http or https URL, or one with a query or fragment.
    pub fn with_credentials(text: &str) -> Result<(Self, Option<Credentials>), BaseUrlError> {
        let mut url = Url::parse(text.trim())
            .ok()
            .filter(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.query().is_none()
                    && url.fragment().is_none()
                    // A slash in a password ends the host before the password does.
                    && !url.path().contains('@')
            })
            .ok_or(BaseUrlError)?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = decoded(url.username());
        let password = url.password().map(decoded);
        let credentials = (!user.is_empty() || password.is_some()).then(|| Credentials {
            user,
            password: password.unwrap_or_default(),
        });
        url.set_username("").map_err(|()| BaseUrlError)?;
        url.set_password(None).map_err(|()| BaseUrlError)?;
        Ok((Self(url), credentials))
    }

    /// The URL without its final slashes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Self::with_credentials(text)? {
            (url, None) => Ok(url),
            (_, Some(_)) => Err(BaseUrlError),
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{BaseUrl, BaseUrlError};

    #[test]
    fn a_base_url_holds_nothing_that_must_not_be_printed() {
        let plain: BaseUrl = " http://Registry:8081/apis/v7/ ".parse().unwrap();
        assert_eq!(plain.as_str(), "http://registry:8081/apis/v7");
        for text in [
            "http://reader:hunter2@registry",
            "http://hunter2@registry",
            "http://:hunter2@registry",
            "http://registry?token=hunter2",
            "http://registry#hunter2",
            "ftp://reader:hunter2@registry",
            "reader:hunter2@registry:8081",
            "http://reader:hunter2@",
            "http://reader:hunter2@registry:port",
            "http://reader:80/hunter2@registry",
            "hunter2",
            "",
        ] {
            assert_eq!(text.parse::<BaseUrl>(), Err(BaseUrlError), "{text}");
        }
        assert!(!format!("{BaseUrlError} {BaseUrlError:?}").contains("hunter2"));
    }

    #[test]
    fn credentials_are_taken_out_of_a_url() {
        let split = |text: &str| {
            let (url, credentials) = BaseUrl::with_credentials(text).unwrap();
            assert!(!format!("{url} {url:?}").contains("hunter"), "{text}");
            let credentials = credentials.map(|found| (found.user, found.password));
            (url.to_string(), credentials)
        };
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        for (text, credentials) in [
            ("https://registry/", None),
            ("https://reader:hunter2@registry", pair("reader", "hunter2")),
            (
                "https://reader:hunter%402@registry/",
                pair("reader", "hunter@2"),
            ),
            ("https://hunter2@registry", pair("hunter2", "")),
            ("https://:hunter2@registry", pair("", "hunter2")),
        ] {
            assert_eq!(split(text), ("https://registry".to_owned(), credentials));
        }
    }
}
