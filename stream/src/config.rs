//! Errors of settings, and the settings of the schema registry.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use leadstream_schemas::registry::{RegistryAuth, RegistryConfig};

use crate::secret::Secret;

/// A setting that is missing or wrong: names its variable and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    variable: String,
    problem: String,
}

impl ConfigError {
    pub fn new(variable: &str, problem: impl Into<String>) -> Self {
        Self {
            variable: variable.to_owned(),
            problem: problem.into(),
        }
    }

    #[must_use]
    pub fn missing(variable: &str, example: &str) -> Self {
        Self::new(
            variable,
            format!("is not set; example: {variable}={example}"),
        )
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.variable, self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// The database.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct DatabaseArgs {
    /// PostgreSQL, postgres://user:password@host/database; or DATABASE_URL_FILE
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
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
        // Drivers would take any scheme, and then wait for a server that never answers.
        let is_one = |url: &&str| {
            let schemes = ["postgres://", "postgresql://"];
            schemes.iter().any(|scheme| url.starts_with(scheme))
        };
        let connected = Some(url.expose()).filter(is_one).map(connect);
        // An error of the driver's could hold the URL, and with it the password.
        connected.and_then(Result::ok).ok_or_else(|| {
            let problem = format!("is not a PostgreSQL URL; example: {}", Self::EXAMPLE);
            ConfigError::new(Self::VARIABLE, problem)
        })
    }
}

/// Settings of the schema registry.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Schema registry")]
pub struct RegistryArgs {
    /// Base URLs of a Confluent-compatible schema registry, separated by commas
    #[arg(
        long,
        env = "SCHEMA_REGISTRY_URL",
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub schema_registry_url: Vec<String>,
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
    /// Seconds that a request to the registry may take
    #[arg(
        long,
        env = "SCHEMA_REGISTRY_TIMEOUT_SECONDS",
        default_value_t = 10,
        value_name = "SECONDS"
    )]
    pub schema_registry_timeout_seconds: u64,
    /// A file that keeps the schema ids, so that a service starts while the registry is away
    #[arg(long, env = "SCHEMA_IDS_FILE", value_name = "PATH")]
    pub schema_ids_file: Option<PathBuf>,
}

impl RegistryArgs {
    /// # Errors
    /// A missing URL, or credentials of two kinds.
    pub fn config(&self) -> Result<RegistryConfig, ConfigError> {
        if self
            .schema_registry_url
            .iter()
            .all(|url| url.trim().is_empty())
        {
            return Err(ConfigError::missing(
                "SCHEMA_REGISTRY_URL",
                "http://localhost:8081",
            ));
        }
        let password = Secret::resolve(
            self.schema_registry_password.clone(),
            "SCHEMA_REGISTRY_PASSWORD",
        )?;
        let token = Secret::resolve(self.schema_registry_token.clone(), "SCHEMA_REGISTRY_TOKEN")?;
        let auth = match (&self.schema_registry_username, password, token) {
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
        };
        Ok(RegistryConfig {
            urls: self.schema_registry_url.clone(),
            auth,
            timeout: Duration::from_secs(self.schema_registry_timeout_seconds),
            ids_file: self.schema_ids_file.clone(),
        })
    }
}
