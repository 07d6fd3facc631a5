//! Resolves schema ids in a Confluent-compatible registry, through `schema_registry_converter`.
//!
//! Services resolve the ids of their output topics once, at start, and frame typed values
//! themselves. A file with the ids lets them restart while the registry is unavailable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, get_schema_by_subject_and_version, is_compatible_schema, perform_sr_call,
    post_schema,
};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{SchemaType, SrCall, SuppliedSchema};
use serde::{Deserialize, Serialize};

use crate::base_url::BaseUrl;
use crate::topic::Topic;

/// The address and credentials of the registry.
#[derive(Clone)]
pub struct RegistryConfig {
    /// Base URLs, tried in this order.
    pub urls: Vec<BaseUrl>,
    pub auth: RegistryAuth,
    pub timeout: Duration,
    /// The file that keeps resolved ids for a start without the registry.
    pub ids_file: Option<PathBuf>,
}

/// Credentials of the registry.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum RegistryAuth {
    #[default]
    None,
    Basic {
        user: String,
        password: String,
    },
    Bearer(String),
}

impl std::fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(***)",
            Self::Bearer(_) => "Bearer(***)",
        })
    }
}

impl std::fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryConfig")
            .field("urls", &self.urls)
            .field("auth", &self.auth)
            .field("timeout", &self.timeout)
            .field("ids_file", &self.ids_file)
            .finish()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("the schema registry's settings are wrong: {0}")]
    Settings(String),
    #[error("the schema registry at {url} did not answer: {reason}")]
    Unavailable { url: BaseUrl, reason: String },
    #[error(
        "the schema registry refused the schema of {subject}: {reason}; compare `leadstream topics plan`, and upgrade consumers first"
    )]
    Refused { subject: String, reason: String },
    #[error(
        "the schema registry does not know this version's schema of {subject} and did not let it be registered ({reason}); run `leadstream topics apply` with an account that may"
    )]
    Unregistered { subject: String, reason: String },
    #[error("the file of schema ids {path} cannot be read or written: {reason}")]
    IdsFile { path: PathBuf, reason: String },
}

/// The registry's state of one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectState {
    /// This version's schema is registered under the id.
    Registered(u32),
    /// The subject has no schema yet.
    Missing,
    /// Another schema is the latest, and this one may follow it.
    Compatible,
    Incompatible,
}

/// Schema ids by topic, as resolved at start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaIds(BTreeMap<String, u32>);

impl SchemaIds {
    /// The id under which values of `topic` are written. Ids are resolved before a service
    /// starts, so it is there for every topic that was asked for.
    #[must_use]
    pub fn get(&self, topic: Topic) -> Option<u32> {
        self.0.get(topic.as_str()).copied()
    }
}

/// A client of one registry.
#[derive(Debug)]
pub struct Registry {
    settings: SrSettings,
    url: BaseUrl,
    ids_file: Option<PathBuf>,
    /// For requests that the converter does not offer.
    http: reqwest::Client,
    auth: RegistryAuth,
}

impl Registry {
    /// # Errors
    /// [`RegistryError::Settings`] for no URL.
    pub fn new(config: &RegistryConfig) -> Result<Self, RegistryError> {
        let [first, rest @ ..] = config.urls.as_slice() else {
            return Err(RegistryError::Settings("no URL is given".into()));
        };
        let mut builder = SrSettings::new_builder(first.to_string());
        for url in rest {
            builder.add_url(url.to_string());
        }
        match &config.auth {
            RegistryAuth::None => {}
            RegistryAuth::Basic { user, password } => {
                builder.set_basic_authorization(user, Some(password));
            }
            RegistryAuth::Bearer(token) => {
                builder.set_token_authorization(token);
            }
        }
        let settings = builder
            .set_timeout(config.timeout)
            .build()
            .map_err(|source| RegistryError::Settings(source.error))?;
        Ok(Self {
            settings,
            url: first.clone(),
            ids_file: config.ids_file.clone(),
            http: reqwest::Client::builder()
                .timeout(config.timeout)
                .build()
                .map_err(|source| RegistryError::Settings(source.to_string()))?,
            auth: config.auth.clone(),
        })
    }

    /// Returns the ids of `topics`. Looks them up, and registers them where the registry allows it.
    /// Uses the file while the registry is unavailable.
    ///
    /// # Errors
    /// Returns any [`RegistryError`], but not for an unavailable registry whose ids are all in the
    /// file.
    pub async fn resolve(
        &self,
        prefix: &str,
        topics: &[Topic],
    ) -> Result<SchemaIds, RegistryError> {
        let mut ids = SchemaIds::default();
        for &topic in topics {
            let subject = topic.subject(prefix);
            match self.resolve_one(&subject, topic.json_schema()).await {
                Ok(id) => {
                    ids.0.insert(topic.as_str().to_owned(), id);
                }
                Err(unavailable @ RegistryError::Unavailable { .. }) => {
                    let known = self.load(&self.key(prefix))?;
                    return if topics.iter().all(|topic| known.get(*topic).is_some()) {
                        tracing::warn!(
                            registry.url = self.url.as_str(),
                            "schema registry is unavailable: starting with the ids of the last start"
                        );
                        Ok(known)
                    } else {
                        Err(unavailable)
                    };
                }
                Err(other) => return Err(other),
            }
        }
        self.save(&self.key(prefix), &ids)?;
        Ok(ids)
    }

    async fn resolve_one(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        if let Some(id) = self.lookup(subject, schema).await? {
            return Ok(id);
        }
        self.register(subject, schema).await
    }

    /// The id of exactly this schema under `subject`, without writing anything.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    pub async fn lookup(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryError> {
        let body = serde_json::json!({"schema": schema, "schemaType": "JSON"}).to_string();
        match perform_sr_call(&self.settings, SrCall::PostForVersion(subject, &body)).await {
            Ok(found) => Ok(found.id),
            Err(error) if status(&error) == Some(404) => Ok(None),
            // Some read-only registries forbid the POST of a look-up: compare with the latest.
            Err(error) if matches!(status(&error), Some(401 | 403 | 405)) => {
                self.latest_if_equal(subject, schema).await
            }
            Err(error) => Err(self.unavailable(&error)),
        }
    }

    async fn latest_if_equal(
        &self,
        subject: &str,
        schema: &str,
    ) -> Result<Option<u32>, RegistryError> {
        match get_schema_by_subject_and_version(&self.settings, subject, None).await {
            Ok(latest) => Ok(same_json(&latest.schema, schema).then_some(latest.id)),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.unavailable(&error)),
        }
    }

    /// Registers `schema` as the next version of `subject`, or finds the version that it is.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] when it is incompatible with the latest version (409),
    /// [`RegistryError::Unregistered`] when the registry does not let us write.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        post_schema(&self.settings, subject.to_owned(), supplied(schema))
            .await
            .map(|registered| registered.id)
            .map_err(|error| {
                let (subject, reason) = (subject.to_owned(), reason(&error));
                match status(&error) {
                    Some(409 | 422) => RegistryError::Refused { subject, reason },
                    Some(401 | 403 | 405) => RegistryError::Unregistered { subject, reason },
                    _ => self.unavailable(&error),
                }
            })
    }

    /// Compares `schema` with the one registered under `subject`; writes nothing.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    pub async fn state(&self, subject: &str, schema: &str) -> Result<SubjectState, RegistryError> {
        if let Some(id) = self.lookup(subject, schema).await? {
            return Ok(SubjectState::Registered(id));
        }
        match is_compatible_schema(&self.settings, subject.to_owned(), supplied(schema)).await {
            Ok(true) => Ok(SubjectState::Compatible),
            Ok(false) => Ok(SubjectState::Incompatible),
            Err(error) if status(&error) == Some(404) => Ok(SubjectState::Missing),
            Err(error) => Err(self.unavailable(&error)),
        }
    }

    /// Sets the compatibility of `subject` to BACKWARD.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    pub async fn set_backward(&self, subject: &str) -> Result<(), RegistryError> {
        let failed = |source: reqwest::Error| RegistryError::Unavailable {
            url: self.url.clone(),
            reason: source.without_url().to_string(),
        };
        let url = format!("{}/config/{}", self.url, subject.replace('/', "%2F"));
        let request = self
            .http
            .put(url)
            .json(&serde_json::json!({"compatibility": "BACKWARD"}));
        let request = match &self.auth {
            RegistryAuth::None => request,
            RegistryAuth::Basic { user, password } => request.basic_auth(user, Some(password)),
            RegistryAuth::Bearer(token) => request.bearer_auth(token),
        };
        request
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map(|_| ())
            .map_err(failed)
    }

    fn unavailable(&self, error: &SRCError) -> RegistryError {
        RegistryError::Unavailable {
            url: self.url.clone(),
            reason: reason(error),
        }
    }

    fn key(&self, prefix: &str) -> String {
        format!("{} {prefix}", self.url)
    }

    fn load(&self, key: &str) -> Result<SchemaIds, RegistryError> {
        let Some(path) = &self.ids_file else {
            return Ok(SchemaIds::default());
        };
        Ok(read_ids(path)?.remove(key).unwrap_or_default())
    }

    fn save(&self, key: &str, ids: &SchemaIds) -> Result<(), RegistryError> {
        let Some(path) = &self.ids_file else {
            return Ok(());
        };
        let mut all = read_ids(path)?;
        let known = all.entry(key.to_owned()).or_default();
        if ids
            .0
            .iter()
            .all(|(topic, id)| known.0.get(topic) == Some(id))
        {
            return Ok(());
        }
        known.0.extend(ids.0.clone());
        let failed = |reason: std::io::Error| RegistryError::IdsFile {
            path: path.clone(),
            reason: reason.to_string(),
        };
        // Services share the file: a rename never shows them half of it.
        let partial = path.with_extension(format!("{}.tmp", std::process::id()));
        let text = serde_json::to_string_pretty(&all).unwrap_or_default();
        std::fs::write(&partial, text).map_err(failed)?;
        std::fs::rename(&partial, path).map_err(failed)
    }
}

fn read_ids(path: &Path) -> Result<BTreeMap<String, SchemaIds>, RegistryError> {
    let failed = |reason: String| RegistryError::IdsFile {
        path: path.to_owned(),
        reason,
    };
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map_err(|source| failed(source.to_string())),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(source) => Err(failed(source.to_string())),
    }
}

fn supplied(schema: &str) -> SuppliedSchema {
    SuppliedSchema::new(None, SchemaType::Json, schema.to_owned())
}

fn same_json(a: &str, b: &str) -> bool {
    let parse = serde_json::from_str::<serde_json::Value>;
    matches!((parse(a), parse(b)), (Ok(a), Ok(b)) if a == b)
}

fn reason(error: &SRCError) -> String {
    match &error.cause {
        Some(cause) => format!("{}: {cause}", error.error),
        None => error.error.clone(),
    }
}

/// The HTTP status, which the converter's error holds in its text only.
fn status(error: &SRCError) -> Option<u16> {
    let (_, after) = error.error.split_once("failed with status ")?;
    after.split_whitespace().next()?.parse().ok()
}
