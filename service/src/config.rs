//! Parsers of settings, and the settings of the database and of the schema registry.

use std::path::PathBuf;
use std::time::Duration;

use leadstream_schemas::BaseUrl;
use leadstream_schemas::registry::{RegistryAuth, RegistryConfig};

use crate::config_error::ConfigError;
use crate::secret::Secret;

mod graph;
mod http_limits;
mod units;
mod wasender;

pub use graph::{GraphArgs, base_url};
pub use units::{duration, size};
pub use wasender::WasenderArgs;

/// The database.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct DatabaseArgs {
    /// URL of PostgreSQL, postgres://user:password@host/database; or DATABASE_URL_FILE
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Database"
    )]
    pub database_url: Option<Secret>,
}

impl DatabaseArgs {
    const VARIABLE: &str = "DATABASE_URL";
    const EXAMPLE: &str = "postgres://leadstream:secret@localhost/leadstream";

    /// What `connect` makes of the URL, which is one of PostgreSQL.
    ///
    /// # Errors
    /// No URL, or one of which `connect` makes nothing.
    pub fn connect<T, E>(
        &self,
        connect: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ConfigError> {
        let url = Secret::require(self.database_url.clone(), Self::VARIABLE, Self::EXAMPLE)?;
        Self::connect_to(&url, Self::VARIABLE, connect)
    }

    /// What `connect` makes of `url`, which `variable` sets, and which is one of PostgreSQL.
    ///
    /// # Errors
    /// One of which `connect` makes nothing.
    pub fn connect_to<T, E>(
        url: &Secret,
        variable: &'static str,
        connect: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ConfigError> {
        // Drivers would take any scheme, and then wait for a server that never answers.
        let is_one = |url: &&str| {
            let schemes = ["postgres://", "postgresql://"];
            schemes.iter().any(|scheme| url.starts_with(scheme))
        };
        let connected = Some(url.expose()).filter(is_one).map(connect);
        if has_unknown_parameter(url.expose()) {
            tracing::warn!(
                "{variable} has a parameter that is not known, and is ignored; known ones: {}",
                PARAMETERS.join(", ")
            );
        }
        // An error of the driver's could hold the URL, and with it the password.
        connected.and_then(Result::ok).ok_or_else(|| {
            let problem = format!("is not a PostgreSQL URL; example: {}", Self::EXAMPLE);
            ConfigError::new(variable, problem)
        })
    }
}

/// Parameters of a database URL that the driver reads.
const PARAMETERS: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
];

/// Whether the driver ignores a parameter of the database URL `url`.
fn has_unknown_parameter(url: &str) -> bool {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    parameters.split('&').any(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        !name.is_empty() && !name.starts_with("options") && !PARAMETERS.contains(&name)
    })
}

/// Settings of the schema registry.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Schema registry")]
pub struct RegistryArgs {
    /// Base URLs of a Confluent-compatible schema registry, separated by commas
    #[arg(
        long,
        env = "SCHEMA_REGISTRY_URL",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub schema_registry_url: Vec<Secret>,
    /// User name (Confluent Cloud: API key)
    #[arg(long, env = "SCHEMA_REGISTRY_USERNAME", value_name = "NAME")]
    pub schema_registry_username: Option<String>,
    /// Password (Confluent Cloud: API secret); or SCHEMA_REGISTRY_PASSWORD_FILE
    #[arg(
        long,
        env = "SCHEMA_REGISTRY_PASSWORD",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub schema_registry_password: Option<Secret>,
    /// Bearer token instead of name and password; or SCHEMA_REGISTRY_TOKEN_FILE
    #[arg(
        long,
        env = "SCHEMA_REGISTRY_TOKEN",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub schema_registry_token: Option<Secret>,
    /// Time for a request to the registry
    #[arg(
        long,
        env = "SCHEMA_REGISTRY_TIMEOUT",
        default_value = "10s",
        value_name = "DURATION",
        value_parser = duration(..)
    )]
    pub schema_registry_timeout: Duration,
    /// File that keeps the schema ids, so that a service starts while the registry is unavailable
    #[arg(long, env = "SCHEMA_IDS_FILE", value_name = "PATH")]
    pub schema_ids_file: Option<PathBuf>,
}

impl RegistryArgs {
    const URL: &str = "SCHEMA_REGISTRY_URL";
    const EXAMPLE: &str = "http://localhost:8081";

    /// # Errors
    /// A missing or wrong URL, or credentials of two kinds.
    pub fn config(&self) -> Result<RegistryConfig, ConfigError> {
        let (urls, in_urls) = self.urls()?;
        let auth = self.auth()?;
        let auth = match (auth, in_urls) {
            (auth, RegistryAuth::None) => auth,
            (RegistryAuth::None, in_urls) => in_urls,
            _ => {
                return Err(ConfigError::new(
                    Self::URL,
                    "holds credentials beside those of other settings; leave them out of the URL",
                ));
            }
        };
        Ok(RegistryConfig {
            urls,
            auth,
            timeout: self.schema_registry_timeout,
            ids_file: self.schema_ids_file.clone(),
        })
    }

    /// The URLs, and the credentials that were in them.
    fn urls(&self) -> Result<(Vec<BaseUrl>, RegistryAuth), ConfigError> {
        let mut urls = Vec::new();
        let mut auth = RegistryAuth::None;
        let given = self.schema_registry_url.iter().map(Secret::expose);
        for text in given.filter(|text| !text.trim().is_empty()) {
            let (url, credentials) = BaseUrl::with_credentials(text).map_err(|_| {
                let problem = "is no http or https URL without a query";
                ConfigError::new(
                    Self::URL,
                    format!("{problem}; example: {}={}", Self::URL, Self::EXAMPLE),
                )
            })?;
            let found = credentials.map_or(RegistryAuth::None, |found| RegistryAuth::Basic {
                user: found.user,
                password: found.password,
            });
            if !urls.is_empty() && found != auth {
                return Err(ConfigError::new(
                    Self::URL,
                    "holds different credentials for its URLs; set SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD instead",
                ));
            }
            auth = found;
            urls.push(url);
        }
        if urls.is_empty() {
            return Err(ConfigError::missing(Self::URL, Self::EXAMPLE));
        }
        Ok((urls, auth))
    }

    fn auth(&self) -> Result<RegistryAuth, ConfigError> {
        let password = Secret::resolve(
            self.schema_registry_password.clone(),
            "SCHEMA_REGISTRY_PASSWORD",
        )?;
        let token = Secret::resolve(self.schema_registry_token.clone(), "SCHEMA_REGISTRY_TOKEN")?;
        Ok(match (&self.schema_registry_username, password, token) {
            (None, None, None) => RegistryAuth::None,
            (None, None, Some(token)) => RegistryAuth::Bearer(token.expose().to_owned()),
            (Some(user), Some(password), None) => RegistryAuth::Basic {
                user: user.clone(),
                password: password.expose().to_owned(),
            },
            (Some(_), None, None) => {
                return Err(ConfigError::missing("SCHEMA_REGISTRY_PASSWORD", "secret"));
            }
            (None, Some(_), None) => {
                return Err(ConfigError::missing(
                    "SCHEMA_REGISTRY_USERNAME",
                    "leadstream",
                ));
            }
            (_, _, Some(_)) => {
                return Err(ConfigError::new(
                    "SCHEMA_REGISTRY_TOKEN",
                    "is set beside a user name or password; keep one kind of credentials",
                ));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leadstream_schemas::registry::Registry;

    use super::{RegistryArgs, RegistryAuth, RegistryConfig, Secret, has_unknown_parameter};

    #[test]
    fn parameters_that_the_database_s_driver_ignores_are_found() {
        let base = "postgres://me:p%3F@db/leads";
        for known in [
            "",
            "?",
            "?sslmode=require&application_name=a",
            "?options[a]=b",
            "?password=x",
        ] {
            assert!(!has_unknown_parameter(&format!("{base}{known}")), "{known}");
        }
        for unknown in ["?pasword=hunter2", "?sslmode=require&schema=a", "?hunter2"] {
            assert!(
                has_unknown_parameter(&format!("{base}{unknown}")),
                "{unknown}"
            );
        }
    }

    fn config(urls: &str, user: Option<&str>) -> Result<RegistryConfig, String> {
        let args = RegistryArgs {
            schema_registry_url: urls.split(',').map(Secret::new).collect(),
            schema_registry_username: user.map(ToOwned::to_owned),
            schema_registry_password: user.map(|_| Secret::new("hunter2")),
            schema_registry_token: None,
            schema_registry_timeout: Duration::from_secs(1),
            schema_ids_file: None,
        };
        let printed = format!("{args:?}");
        assert!(!printed.contains("hunter2"), "{printed}");
        args.config().map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn credentials_in_the_registry_s_url_work_and_are_not_printed() {
        let url = "http://reader:hunter2@127.0.0.1:1";
        let config = config(&format!("{url},{url}/"), None).unwrap();
        let auth = RegistryAuth::Basic {
            user: "reader".into(),
            password: "hunter2".into(),
        };
        assert_eq!(config.auth, auth);
        let registry = Registry::new(&config).unwrap();
        let lookup = registry.lookup("x", "{}").await.unwrap_err();
        let set = registry.set_backward("x").await.unwrap_err();
        let printed = format!("{config:?} {registry:?} {lookup} {lookup:?} {set} {set:?}");
        assert!(!printed.contains("hunter2"), "{printed}");
        assert!(
            printed.contains("at http://127.0.0.1:1 did not answer"),
            "{printed}"
        );
    }

    #[test]
    fn a_wrong_url_of_the_registry_is_refused_without_its_text() {
        for (urls, user, told) in [
            ("", None, "is not set"),
            ("reader:hunter2@registry", None, "is no http or https URL"),
            (
                "http://registry?token=hunter2",
                None,
                "is no http or https URL",
            ),
            (
                "http://a:hunter2@b,http://c",
                None,
                "SCHEMA_REGISTRY_PASSWORD",
            ),
            (
                "http://a:hunter2@b",
                Some("other"),
                "leave them out of the URL",
            ),
        ] {
            let error = config(urls, user).unwrap_err();
            assert!(
                error.starts_with("SCHEMA_REGISTRY_URL ") && error.contains(told),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(config("http://registry,", Some("reader")).is_ok());
    }
}
