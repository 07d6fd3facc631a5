//! Holds the credentials that the CRMs accept now. A test may change them, as an administrator
//! would.

use std::fmt;
use std::time::Duration;

use crate::config::SandboxConfig;
use crate::secret::Secret;

/// The credentials that the CRMs accept.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// HubSpot's static token.
    pub hubspot_token: Secret,
    /// HubSpot's OAuth app, if one is installed.
    pub hubspot_app: Option<OAuthApp>,
    /// OAuth consumer secret of the Salesforce app.
    pub salesforce_secret: Secret,
    /// The conditions of Salesforce for JWTs, if the app has a certificate.
    pub salesforce_jwt: Option<JwtBearer>,
}

/// An OAuth app of HubSpot, installed in the portal.
#[derive(Debug, Clone)]
pub struct OAuthApp {
    /// Client id.
    pub client_id: String,
    /// Client secret.
    pub client_secret: Secret,
    /// The valid refresh token.
    pub refresh_token: Secret,
    /// The lifetime of access tokens: HubSpot's is half an hour.
    pub lifetime: Duration,
    /// Each use replaces the refresh token.
    pub rotates: bool,
}

/// The required claims of a JWT.
#[derive(Clone)]
pub struct JwtBearer {
    /// RSA public key, as the app's certificate holds it, in PEM.
    pub public_key: String,
    /// The user that the app is approved for.
    pub username: String,
    /// `https://login.salesforce.com`, or that of sandbox organisations.
    pub audience: String,
}

impl fmt::Debug for JwtBearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtBearer")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl From<&SandboxConfig> for Credentials {
    fn from(config: &SandboxConfig) -> Self {
        Self {
            hubspot_token: config.hubspot.access_token.clone(),
            hubspot_app: None,
            salesforce_secret: config.salesforce.client_secret.clone(),
            salesforce_jwt: None,
        }
    }
}
