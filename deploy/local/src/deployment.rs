//! Defines a deployment of the services on this machine, with the environment of each. Used by
//! `leadstream up` and by the end-to-end tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::ProcessSpec;
use leadstream_sandbox::{Field, Property, SandboxConfig};

/// A sandbox whose HubSpot and Salesforce have the custom properties and fields that the CRM sink
/// writes, as a user makes them there.
#[must_use]
pub fn sandbox_config() -> SandboxConfig {
    let mut config = SandboxConfig::default();
    config.hubspot.properties.extend([
        Property::new("leadstream_state", "string"),
        Property::new("leadstream_score", "number"),
        Property::new("leadstream_revision", "number"),
        Property::new("leadstream_budget", "number"),
        Property::new("leadstream_merged_into", "string"),
    ]);
    config.hubspot.revision = Some("leadstream_revision".to_owned());
    config.salesforce.fields.extend([
        Field::text("Leadstream_State__c", 50),
        Field::new("Leadstream_Score__c", "double", 0),
        Field::new("Leadstream_Revision__c", "double", 0),
        Field::new("Leadstream_Budget__c", "double", 0),
        Field::text("Leadstream_Merged_Into__c", 255),
    ]);
    config.salesforce.revision = Some("Leadstream_Revision__c".to_owned());
    config
}

/// A service, by its subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    Ingest,
    Processor,
    SinkCrm,
    SinkWhatsapp,
    Api,
}

impl Service {
    /// The services that a conversation needs.
    pub const ALL: [Self; 4] = [
        Self::Ingest,
        Self::Processor,
        Self::SinkCrm,
        Self::SinkWhatsapp,
    ];

    /// Returns the service's subcommand.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Processor => "processor",
            Self::SinkCrm => "sink-crm",
            Self::SinkWhatsapp => "sink-whatsapp",
            Self::Api => "api",
        }
    }
}

/// Addresses and secrets that the services share. An empty one is not set; a service then reads it
/// from the environment that it inherits.
#[derive(Clone)]
pub struct Deployment {
    /// The `leadstream` binary.
    pub binary: PathBuf,
    pub kafka: String,
    pub kafka_config: Option<String>,
    pub topic_prefix: String,
    pub schema_registry: String,
    pub database_url: String,
    /// The file that keeps schema ids for a start without the registry.
    pub schema_ids_file: PathBuf,
    pub meta_app_secret: String,
    pub meta_verify_token: String,
    pub meta_access_token: String,
    pub meta_graph_url: String,
    pub hubspot_access_token: String,
    pub hubspot_api_url: String,
    pub salesforce_login_url: String,
    pub salesforce_client_id: String,
    pub salesforce_client_secret: String,
    /// Additional variables for every service.
    pub further: Vec<(String, String)>,
}

impl std::fmt::Debug for Deployment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deployment")
            .field("kafka", &self.kafka)
            .field("topic_prefix", &self.topic_prefix)
            .finish_non_exhaustive()
    }
}

impl Deployment {
    /// Returns how to run `service` as the process `name`, with its operators' port at `ops`.
    #[must_use]
    pub fn service(&self, service: Service, name: &str, ops: SocketAddr) -> ProcessSpec {
        let spec = self
            .tool(name, &[service.name()])
            .env("OPS_ADDRESS", ops.to_string());
        self.with_own(service, spec)
    }

    fn with_own(&self, service: Service, spec: ProcessSpec) -> ProcessSpec {
        self.own(service)
            .into_iter()
            .fold(spec, |spec, (name, value)| spec.env(name, value))
    }

    /// Returns the settings that only `service` gets.
    fn own(&self, service: Service) -> Vec<(&'static str, &str)> {
        let own: &[(&'static str, &str)] = match service {
            Service::Ingest => &[
                ("META_APP_SECRET", &self.meta_app_secret),
                ("META_VERIFY_TOKEN", &self.meta_verify_token),
            ],
            Service::Processor => &[],
            Service::SinkCrm => &[
                ("HUBSPOT_ACCESS_TOKEN", &self.hubspot_access_token),
                ("HUBSPOT_API_URL", &self.hubspot_api_url),
                ("SALESFORCE_LOGIN_URL", &self.salesforce_login_url),
                ("SALESFORCE_CLIENT_ID", &self.salesforce_client_id),
                ("SALESFORCE_CLIENT_SECRET", &self.salesforce_client_secret),
            ],
            Service::SinkWhatsapp | Service::Api => &[
                ("META_ACCESS_TOKEN", &self.meta_access_token),
                ("META_GRAPH_URL", &self.meta_graph_url),
            ],
        };
        filled(own)
    }

    /// Returns the settings that every service and tool gets.
    fn shared(&self) -> Vec<(&'static str, &str)> {
        let mut shared = filled(&[
            ("KAFKA_BOOTSTRAP_SERVERS", &self.kafka),
            ("SCHEMA_REGISTRY_URL", &self.schema_registry),
            ("DATABASE_URL", &self.database_url),
            ("KAFKA_CONFIG", self.kafka_config.as_deref().unwrap_or("")),
        ]);
        shared.push(("TOPIC_PREFIX", &self.topic_prefix));
        shared
    }

    /// Returns the settings of all services and tools, by variable. Settings of one run, such as
    /// ports, are left out.
    #[must_use]
    pub fn settings(&self) -> BTreeMap<String, String> {
        let own = Service::ALL.into_iter().flat_map(|it| self.own(it));
        let named = self.shared().into_iter().chain(own);
        named
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .chain(self.further.iter().cloned())
            .collect()
    }

    /// Runs another subcommand with the deployment's addresses, and those and the credentials of the CRMs.
    #[must_use]
    pub fn crm_tool(&self, name: &str, args: &[&str]) -> ProcessSpec {
        self.with_own(Service::SinkCrm, self.tool(name, args))
    }

    /// Runs another subcommand with the deployment's addresses.
    #[must_use]
    pub fn tool(&self, name: &str, args: &[&str]) -> ProcessSpec {
        let spec = ProcessSpec::new(name, &self.binary)
            .args(args.iter().copied())
            .env("SCHEMA_IDS_FILE", self.schema_ids_file.as_os_str());
        let spec = self
            .shared()
            .into_iter()
            .fold(spec, |spec, (name, value)| spec.env(name, value));
        self.further
            .iter()
            .fold(spec, |spec, (name, value)| spec.env(name, value))
    }
}

fn filled<'a>(settings: &[(&'static str, &'a str)]) -> Vec<(&'static str, &'a str)> {
    let filled = settings.iter().filter(|(_, value)| !value.is_empty());
    filled.copied().collect()
}
