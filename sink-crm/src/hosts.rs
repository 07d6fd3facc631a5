//! Checks the hosts to which credentials and leads may go, and names that become part of a path.

use leadstream_schemas::BaseUrl;
use leadstream_service::{ConfigError, Secret};

/// The variable that names further hosts.
const ALLOWED: &str = "SINK_CRM_ALLOWED_HOSTS";

/// Hosts that requests to a CRM may go to: those of the vendor's domain over https, and those that
/// the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hosts {
    domains: &'static [&'static str],
    allowed: Vec<String>,
}

impl Hosts {
    /// `domains` are the vendor's, each with all below it; `allowed` are whole names of hosts.
    pub(crate) fn new(domains: &'static [&'static str], allowed: &[String]) -> Self {
        let allowed = allowed.iter().map(|host| host.trim().to_ascii_lowercase());
        Self {
            domains,
            allowed: allowed.filter(|host| !host.is_empty()).collect(),
        }
    }

    /// Returns the base URL `text` without its final slash.
    ///
    /// # Errors
    /// Returns the problem and its remedy.
    pub(crate) fn base_url(&self, text: &str) -> Result<String, String> {
        let base: BaseUrl = text.parse().map_err(|error| format!("{error}"))?;
        let host = base.url().host_str().unwrap_or_default();
        if self.allowed.iter().any(|allowed| allowed == host) {
            return Ok(base.to_string());
        }
        let of_vendor = self.domains.iter().any(|domain| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        if !of_vendor {
            return Err(format!(
                "leads to the host {host}, which is none of {}; {ALLOWED}={host} allows it",
                self.domains.join(", ")
            ));
        }
        if base.url().scheme() != "https" {
            return Err(format!("is not https, which {host} requires"));
        }
        Ok(base.to_string())
    }

    /// As [`Self::base_url`], for the value of `variable`.
    ///
    /// # Errors
    /// Returns the problem with an example.
    pub(crate) fn setting(
        &self,
        text: &Secret,
        variable: &str,
        example: &str,
    ) -> Result<String, ConfigError> {
        self.base_url(text.expose()).map_err(|problem| {
            ConfigError::new(
                variable,
                format!("{problem}; example: {variable}={example}"),
            )
        })
    }
}

/// Returns a name that becomes part of a path.
///
/// # Errors
/// Returns an error if the name has other characters than those of an identifier.
pub(crate) fn path_segment(
    text: &str,
    variable: &str,
    example: &str,
) -> Result<String, ConfigError> {
    let valid = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if valid {
        Ok(text.to_owned())
    } else {
        let problem = format!(
            "may hold letters, digits, underscores, hyphens and dots only; example: {variable}={example}"
        );
        Err(ConfigError::new(variable, problem))
    }
}

#[cfg(test)]
mod tests {
    use super::Hosts;

    #[test]
    fn only_the_vendor_s_hosts_over_https_and_configured_hosts_are_allowed() {
        let hosts = Hosts::new(
            &["salesforce.com"],
            &["127.0.0.1".into(), " Proxy.Local ".into()],
        );
        for allowed in [
            "https://acme.my.salesforce.com/",
            "https://login.salesforce.com",
            "http://127.0.0.1:4050/salesforce",
            "https://proxy.local",
        ] {
            assert_eq!(
                hosts.base_url(allowed).as_deref(),
                Ok(allowed.trim_end_matches('/'))
            );
        }
        for (bad, problem) in [
            ("http://acme.my.salesforce.com", "is not https"),
            (
                "https://salesforce.com.evil.example",
                "SINK_CRM_ALLOWED_HOSTS=salesforce.com.evil.example",
            ),
            ("https://notsalesforce.com", "none of salesforce.com"),
            (
                "https://salesforce.com@evil.example",
                "is no http or https URL",
            ),
            (
                "https://evil.example#.salesforce.com",
                "is no http or https URL",
            ),
            ("http://localhost:4050", "SINK_CRM_ALLOWED_HOSTS=localhost"),
            ("ftp://acme.my.salesforce.com", "is no http"),
            ("nonsense", "is no http"),
        ] {
            let error = hosts.base_url(bad).unwrap_err();
            assert!(error.contains(problem), "{bad}: {error}");
        }
    }
}
