//! Settings of Salesforce.

use leadstream_service::{ConfigError, Secret};

use super::auth::{Flow, Login, signing_key};
use crate::hosts::{Hosts, path_segment};
use crate::mapping::Target;

/// Salesforce's own domains: My Domain hosts lie below them.
const DOMAINS: &[&str] = &["salesforce.com", "salesforce.mil", "sfcrmproducts.cn"];
const URL_EXAMPLE: &str = "https://acme.my.salesforce.com";

/// The settings of Salesforce, checked.
#[derive(Clone, Debug)]
pub(crate) struct SalesforceSettings {
    pub(crate) login: Login,
    /// Such as `v66.0`.
    pub(crate) api_version: String,
    pub(crate) external_id_field: String,
    /// Whether the organisation's assignment rules choose the owners of new leads.
    pub(crate) assigns_new_leads: bool,
    /// Whether records are saved although a duplicate rule alerts.
    pub(crate) allows_duplicates: bool,
    pub(crate) target: Target,
}

/// When the organisation's assignment rules choose the owner of a lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum AssignmentRules {
    #[default]
    Never,
    /// When a lead is created, and never when it is updated.
    OnCreation,
}

/// What happens when a duplicate rule alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DuplicateRules {
    /// The record is refused, and its lead is parked.
    #[default]
    Enforce,
    /// The record is saved, unless the rule blocks.
    AllowSave,
}

/// Settings of Salesforce.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Salesforce")]
pub struct SalesforceArgs {
    /// My Domain URL of the organisation, such as https://acme.my.salesforce.com
    #[arg(
        long,
        env = "SALESFORCE_LOGIN_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub salesforce_login_url: Option<Secret>,
    /// Consumer key of an app that allows the client credentials or the JWT bearer flow
    #[arg(long, env = "SALESFORCE_CLIENT_ID", value_name = "KEY")]
    pub salesforce_client_id: Option<String>,
    /// Consumer secret of that app, for the client credentials flow; or
    /// SALESFORCE_CLIENT_SECRET_FILE
    #[arg(
        long,
        env = "SALESFORCE_CLIENT_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub salesforce_client_secret: Option<Secret>,
    /// RSA private key in PEM, whose certificate the app has, for the JWT bearer flow; or
    /// SALESFORCE_JWT_KEY_FILE
    #[arg(
        long,
        env = "SALESFORCE_JWT_KEY",
        hide_env_values = true,
        value_name = "PEM"
    )]
    pub salesforce_jwt_key: Option<Secret>,
    /// User whom the JWT bearer flow signs in
    #[arg(long, env = "SALESFORCE_USERNAME", value_name = "NAME")]
    pub salesforce_username: Option<String>,
    /// Audience of the JWT; https://test.salesforce.com for a sandbox organisation
    #[arg(
        long,
        env = "SALESFORCE_JWT_AUDIENCE",
        default_value = "https://login.salesforce.com",
        value_name = "URL"
    )]
    pub salesforce_jwt_audience: String,
    /// Version of the REST API
    #[arg(
        long,
        env = "SALESFORCE_API_VERSION",
        default_value = "v66.0",
        value_name = "VERSION"
    )]
    pub salesforce_api_version: String,
    /// Lead field (External ID, unique) that holds the lead id
    #[arg(
        long,
        env = "SALESFORCE_EXTERNAL_ID_FIELD",
        default_value = "WA_Id__c",
        value_name = "NAME"
    )]
    pub salesforce_external_id_field: String,
    /// When the organisation's assignment rules choose the owner of a lead
    #[arg(
        long,
        env = "SALESFORCE_ASSIGNMENT_RULES",
        default_value = "never",
        value_name = "WHEN"
    )]
    pub salesforce_assignment_rules: AssignmentRules,
    /// Whether a lead is saved although a duplicate rule of the organisation alerts
    #[arg(
        long,
        env = "SALESFORCE_DUPLICATE_RULES",
        default_value = "enforce",
        value_name = "HOW"
    )]
    pub salesforce_duplicate_rules: DuplicateRules,
}

impl SalesforceArgs {
    pub(crate) fn settings(
        &self,
        target: Target,
        allowed: &[String],
    ) -> Result<Option<SalesforceSettings>, ConfigError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let login_url = self
            .salesforce_login_url
            .clone()
            .filter(|url| !url.is_blank());
        let client_id = given(&self.salesforce_client_id);
        let secret = self.salesforce_client_secret.clone();
        let has_secret = Secret::resolve(secret.clone(), "SALESFORCE_CLIENT_SECRET")?.is_some();
        let jwt_key = self.salesforce_jwt_key.clone();
        let has_key = Secret::resolve(jwt_key.clone(), "SALESFORCE_JWT_KEY")?.is_some();
        if login_url.is_none() && client_id.is_none() && !has_secret && !has_key {
            return Ok(None);
        }
        let missing = |variable, example| move || ConfigError::missing(variable, example);
        let login_url = login_url.ok_or_else(missing("SALESFORCE_LOGIN_URL", URL_EXAMPLE))?;
        let client_id = client_id.ok_or_else(missing("SALESFORCE_CLIENT_ID", "3MVG9…"))?;
        let flow = match (has_secret, has_key) {
            (true, true) => {
                return Err(ConfigError::new(
                    "SALESFORCE_JWT_KEY",
                    "is set beside SALESFORCE_CLIENT_SECRET; keep one kind of credentials",
                ));
            }
            (false, false) => {
                return Err(ConfigError::new(
                    "SALESFORCE_CLIENT_SECRET",
                    "is not set, nor is SALESFORCE_JWT_KEY; example: SALESFORCE_CLIENT_SECRET=1A2B3C…, or SALESFORCE_JWT_KEY_FILE=/run/secrets/salesforce.pem with SALESFORCE_USERNAME=leadstream@acme.com",
                ));
            }
            (true, false) => Flow::ClientCredentials { secret },
            (false, true) => {
                signing_key(jwt_key.clone())?;
                Flow::JwtBearer {
                    key: jwt_key,
                    username: given(&self.salesforce_username)
                        .ok_or_else(missing("SALESFORCE_USERNAME", "leadstream@acme.com"))?,
                    audience: self.salesforce_jwt_audience.trim().to_owned(),
                }
            }
        };
        let hosts = Hosts::new(DOMAINS, allowed);
        Ok(Some(SalesforceSettings {
            login: Login {
                url: hosts.setting(&login_url, "SALESFORCE_LOGIN_URL", URL_EXAMPLE)?,
                client_id,
                flow,
                hosts,
            },
            api_version: path_segment(
                &self.salesforce_api_version,
                "SALESFORCE_API_VERSION",
                "v66.0",
            )?,
            external_id_field: path_segment(
                &self.salesforce_external_id_field,
                "SALESFORCE_EXTERNAL_ID_FIELD",
                "WA_Id__c",
            )?,
            assigns_new_leads: self.salesforce_assignment_rules == AssignmentRules::OnCreation,
            allows_duplicates: self.salesforce_duplicate_rules == DuplicateRules::AllowSave,
            target,
        }))
    }
}
