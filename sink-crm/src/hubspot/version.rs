//! The versions of HubSpot's API: in paths, and when their support ends. Pure.

use leadstream_service::ConfigError;

const VARIABLE: &str = "HUBSPOT_API_VERSION";
const EXAMPLE: &str = "2026-09";
/// The last version that is not a date, and the end of its support.
const LEGACY: (&str, &str) = ("v3", "September 2027");
/// Months of support of a version that is a date.
const SUPPORT: u32 = 18;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A version of HubSpot's API, such as `2026-09`, or `v3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiVersion(String);

impl ApiVersion {
    pub(super) fn new(text: &str) -> Result<Self, ConfigError> {
        let version = Self(text.to_owned());
        if text == LEGACY.0 || version.month().is_some() {
            return Ok(version);
        }
        let problem = format!(
            "is {text:?}, which is no version of HubSpot's API: use a date such as {EXAMPLE}, or {}; example: {VARIABLE}={EXAMPLE}",
            LEGACY.0
        );
        Err(ConfigError::new(VARIABLE, problem))
    }

    /// Returns the year and the month of a version that is a date.
    fn month(&self) -> Option<(u32, u32)> {
        let (year, month) = self.0.split_once('-')?;
        let is_date = year.len() == 4 && month.len() == 2;
        let number = |text: &str| text.parse::<u32>().ok().filter(|_| is_date);
        Some((
            number(year)?,
            number(month).filter(|it| (1..=12).contains(it))?,
        ))
    }

    /// Returns the path of a part of the CRM's API for contacts: `objects` or `properties`.
    pub(super) fn contacts(&self, part: &str) -> String {
        let version = &self.0;
        if self.month().is_some() {
            format!("crm/{part}/{version}/contacts")
        } else {
            format!("crm/{version}/{part}/contacts")
        }
    }

    pub(super) fn daily_usage(&self) -> String {
        format!("account-info/{}/api-usage/daily/private-apps", self.0)
    }

    pub(super) fn token(&self) -> String {
        let version = if self.month().is_some() {
            &self.0
        } else {
            "v1"
        };
        format!("oauth/{version}/token")
    }

    /// Says until when HubSpot supports the version.
    pub(crate) fn support(&self) -> String {
        let until = self.month().map_or_else(
            || LEGACY.1.to_owned(),
            |(year, month)| {
                let months = year * 12 + month - 1 + SUPPORT;
                let name = MONTHS
                    .get((months % 12) as usize)
                    .copied()
                    .unwrap_or_default();
                format!("{name} {}", months / 12)
            },
        );
        format!(
            "HubSpot supports the API's version {} until {until} ({VARIABLE})",
            self.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::ApiVersion;

    #[test]
    fn every_path_has_the_version_that_is_set() {
        let paths = |version: &str| {
            let version = ApiVersion::new(version).unwrap();
            [
                version.contacts("objects"),
                version.contacts("properties"),
                version.daily_usage(),
                version.token(),
            ]
        };
        assert_eq!(
            paths("2026-09"),
            [
                "crm/objects/2026-09/contacts",
                "crm/properties/2026-09/contacts",
                "account-info/2026-09/api-usage/daily/private-apps",
                "oauth/2026-09/token",
            ]
        );
        assert_eq!(
            paths("v3"),
            [
                "crm/v3/objects/contacts",
                "crm/v3/properties/contacts",
                "account-info/v3/api-usage/daily/private-apps",
                "oauth/v1/token",
            ]
        );
    }

    #[test]
    fn what_is_no_version_is_refused_with_an_example() {
        for text in [
            "",
            "v1",
            "v4",
            "3",
            "2026",
            "2026-9",
            "2026-13",
            "2026-00",
            "26-09",
            "2026-09-01",
            "../v3",
        ] {
            let error = ApiVersion::new(text).unwrap_err().to_string();
            assert!(
                error.contains("HUBSPOT_API_VERSION=2026-09"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn the_end_of_support_is_that_of_the_vendor() {
        for (version, until) in [
            ("v3", "September 2027"),
            ("2026-03", "September 2027"),
            ("2026-09", "March 2028"),
            ("2027-03", "September 2028"),
        ] {
            let says = ApiVersion::new(version).unwrap().support();
            assert!(says.contains(&format!("until {until}")), "{says}");
        }
    }
}
