//! Starts and stops a sandbox.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use chrono::Utc;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::app::App;
use crate::client::{ClientError, SandboxClient};
use crate::config::{SandboxConfig, Webhook};
use crate::connection::{Connection, Listener};
use crate::credentials::Credentials;
use crate::endpoint::Vendor;
use crate::lock::lock;
use crate::ordered_faults::Faults;
use crate::salesforce::object::SObject;
use crate::salesforce::organisation::Organisation;
use crate::state::{Change, Crm, StateError, Store};
use crate::stats::Stats;
use crate::table::{Values, Write};
use crate::usage::Usage;
use crate::{control, graph, hubspot, salesforce, status, wasender};

/// The time in which open requests may end when the sandbox stops.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// The time in which a webhook has to be answered.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The sandbox cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address cannot be used.
    #[error("the sandbox cannot listen on {address}; is the port taken? Port 0 takes a free one")]
    Bind {
        /// The requested address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A running sandbox; it ends when it is stopped or dropped.
pub struct Sandbox {
    app: Arc<App>,
    tasks: JoinSet<()>,
    _stop_on_drop: DropGuard,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the state, which holds messages and tokens.
        f.debug_struct("Sandbox")
            .field("url", &self.app.url)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Reads the state file, if one is configured, and starts to listen.
    ///
    /// # Errors
    /// See [`SandboxError`].
    pub async fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        let store = Store::open(&config)?;
        let bind = |source| SandboxError::Bind {
            address: config.bind,
            source,
        };
        let listener = TcpListener::bind(config.bind).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let stop = CancellationToken::new();
        let (receipts, queue) = mpsc::channel(status::QUEUE_LIMIT);
        let app = Arc::new(App {
            url: format!("http://{address}"),
            store: Mutex::new(store),
            faults: Mutex::new(Faults::default()),
            stats: Mutex::new(Stats::default()),
            webhook: Mutex::new(config.whatsapp.webhook.clone()),
            window: Mutex::new(VecDeque::new()),
            hubspot_usage: Usage::new(config.hubspot.day),
            salesforce_usage: Usage::new(config.salesforce.day),
            received: Mutex::default(),
            media: Mutex::default(),
            templates: Mutex::default(),
            searches: Mutex::new(VecDeque::new()),
            credentials: Mutex::new(Credentials::from(&config)),
            organisation: Mutex::new(Organisation {
                fields: config.salesforce.fields.clone(),
                contact_fields: config.salesforce.contact_fields.clone(),
                account_fields: config.salesforce.account_fields.clone(),
                rules: Vec::new(),
            }),
            hubspot_tokens: Mutex::new(VecDeque::new()),
            sessions: Mutex::new(HashSet::new()),
            accepted: Notify::new(),
            released: Notify::new(),
            receipts,
            status_script: Mutex::default(),
            number_rules: Mutex::new(config.whatsapp.rules.clone()),
            send_counts: Mutex::default(),
            window_ends: Mutex::default(),
            wasender_sessions: Mutex::new(wasender::session::sessions(&config.wasender)),
            wasender_webhook: Mutex::new(config.wasender.webhook.clone()),
            wasender_limit: Mutex::new(config.wasender.limit),
            http: reqwest::Client::builder()
                .timeout(ANSWER_LIMIT)
                .build()
                .unwrap_or_default(),
            stop: stop.clone(),
            config,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::clone(&app)));
        tasks.spawn(status::deliver(Arc::clone(&app), queue));
        Ok(Self {
            app,
            tasks,
            _stop_on_drop: stop.drop_guard(),
        })
    }

    /// Returns the base URL, for example `http://127.0.0.1:40123`.
    pub fn url(&self) -> &str {
        &self.app.url
    }

    /// Returns the base URL of the Graph API (`META_GRAPH_URL`).
    pub fn graph_url(&self) -> String {
        format!("{}/graph", self.app.url)
    }

    /// Returns the base URL of HubSpot (`HUBSPOT_API_URL`).
    pub fn hubspot_url(&self) -> String {
        format!("{}/hubspot", self.app.url)
    }

    /// Returns the base URL of Salesforce (`SALESFORCE_LOGIN_URL`).
    pub fn salesforce_url(&self) -> String {
        format!("{}/salesforce", self.app.url)
    }

    /// Returns the base URL of WASenderApi (`WASENDER_API_URL`).
    pub fn wasender_url(&self) -> String {
        format!("{}/wasender/api", self.app.url)
    }

    /// Returns the configuration of the sandbox.
    pub fn config(&self) -> &SandboxConfig {
        &self.app.config
    }

    /// Returns a client of the control API.
    ///
    /// # Errors
    /// [`ClientError::Http`] when the HTTP client cannot be built.
    pub fn client(&self) -> Result<SandboxClient, ClientError> {
        SandboxClient::new(&self.app.url)
    }

    /// Sets the receiver of status webhooks; `None` ends them.
    pub fn set_webhook(&self, webhook: Option<Webhook>) {
        *lock(&self.app.webhook) = webhook;
    }

    /// Changes the accepted credentials, as an administrator would. Issued tokens stay valid.
    pub fn change_credentials(&self, change: impl FnOnce(&mut Credentials)) {
        change(&mut lock(&self.app.credentials));
    }

    /// Deploys a package of Salesforce metadata, by the paths of its files. It is kept until the
    /// sandbox ends.
    ///
    /// # Errors
    /// Returns the reason for which Salesforce would refuse it.
    pub fn deploy(&self, files: &BTreeMap<String, String>) -> Result<(), String> {
        let mut organisation = lock(&self.app.organisation);
        organisation.deploy(files)?;
        let mut store = lock(&self.app.store);
        for field in organisation.fields.iter().filter(|field| field.external_id) {
            store.state.leads.add_unique(&field.name);
        }
        Ok(())
    }

    /// Writes values as a person does in the CRM, to a new record or to that of `id`. Returns the
    /// id.
    ///
    /// # Errors
    /// Returns an error if the state file cannot be written.
    pub fn write_record(
        &self,
        vendor: Vendor,
        id: Option<&str>,
        values: Values,
    ) -> io::Result<String> {
        let mut store = lock(&self.app.store);
        let (crm, new_id) = match vendor {
            Vendor::Salesforce => {
                let id = SObject::Lead.id_after(&store.state.leads);
                (Crm::Salesforce, id)
            }
            _ => (Crm::Hubspot, hubspot::id_after(&store.state.contacts)),
        };
        let id = id.map_or(new_id, ToOwned::to_owned);
        let write = Write {
            id: id.clone(),
            at: Utc::now(),
            values,
            ignored: Vec::new(),
            assigned: false,
            late: false,
        };
        store.commit(vec![Change::Write(crm, write)])?;
        Ok(id)
    }

    /// Writes a Contact of Salesforce, or a person account, as a person does. Returns the id of the
    /// Contact.
    ///
    /// # Errors
    /// Returns an error if the state file cannot be written.
    pub fn write_contact(&self, values: Values, person_account: bool) -> io::Result<String> {
        self.app.write_contact(values, person_account)
    }

    /// Converts a Lead of Salesforce to a Contact, or to a person account, as a person does. Returns the
    /// id of the Contact.
    ///
    /// # Errors
    /// Returns an error if the Lead is absent or converted, or the state file cannot be written.
    pub fn convert(&self, lead_id: &str, person_account: bool) -> io::Result<String> {
        self.app.convert(lead_id, person_account)
    }

    /// Merges the second record into the first, as a person does in the CRM. Returns the id of the
    /// result, which is new in HubSpot.
    ///
    /// # Errors
    /// Returns an error if a record is absent, or the state file cannot be written.
    pub fn merge(&self, vendor: Vendor, first: &str, second: &str) -> io::Result<String> {
        self.app.merge(vendor, first, second)
    }

    /// Deletes a record as a person does in the CRM.
    ///
    /// # Errors
    /// Returns an error if the state file cannot be written.
    pub fn delete(&self, vendor: Vendor, id: &str) -> io::Result<()> {
        let crm = match vendor {
            Vendor::Salesforce => Crm::Salesforce,
            _ => Crm::Hubspot,
        };
        let mut store = lock(&self.app.store);
        store.commit(vec![Change::Remove(crm, id.to_owned())])
    }

    /// Deletes a Contact of Salesforce as a person does.
    ///
    /// # Errors
    /// Returns an error if the state file cannot be written.
    pub fn delete_contact(&self, id: &str) -> io::Result<()> {
        let change = Change::Remove(SObject::Contact.crm(), id.to_owned());
        lock(&self.app.store).commit(vec![change])
    }

    /// Stops listening, ends open requests and waits until that is done.
    pub async fn stop(mut self) {
        self.app.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_LIMIT, ended).await.is_err() {
            tracing::warn!("open requests of the sandbox did not end in time and are cut off");
            self.tasks.shutdown().await;
        }
    }
}

async fn serve(listener: TcpListener, app: Arc<App>) {
    let stop = app.stop.clone();
    let router = Router::new()
        .nest("/graph", graph::routes())
        .nest("/hubspot", hubspot::routes())
        .nest("/salesforce", salesforce::routes())
        .nest("/wasender", wasender::routes())
        .nest("/sandbox", control::routes())
        .fallback(not_found)
        .with_state(app);
    let service = router.into_make_service_with_connect_info::<Connection>();
    let served = axum::serve(Listener(listener), service)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the sandbox stopped listening");
    }
}

async fn not_found(method: Method, uri: Uri) -> (StatusCode, String) {
    (
        StatusCode::NOT_FOUND,
        format!("the sandbox does not know {method} {}", uri.path()),
    )
}
