//! Starts the servers in the right order.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Mutex,
};

use tokio::sync::OnceCell;

use crate::error::LocalError;
use crate::server::Server;
use crate::servers::access::Access;
use crate::servers::artefacts::{self, Artefacts};
use crate::servers::data_dir::DataDir;
use crate::servers::kafka::{self, KafkaPorts, ProxyListener};
use crate::servers::managed::{Managed, Probe};
use crate::servers::ports::{self, Ports};
use crate::servers::postgres;
use crate::servers::preflight;
use crate::servers::registry;
use crate::servers::stack::StackOptions;

const DATABASE: &str = "leadstream";
/// Disk space for data, logs and PostgreSQL's write-ahead log while the stack runs.
const DATA_MB: u64 = 500;

/// The programs of the servers.
pub(crate) struct Programs {
    pub(crate) java: PathBuf,
    pub(crate) artefacts: Artefacts,
}

/// PostgreSQL and the registry, which is stored in it.
pub(crate) struct Storage {
    pub(crate) database_url: String,
    pub(crate) registry_url: String,
    pub(crate) postgres: Option<Managed>,
    pub(crate) registry: Option<Managed>,
}

/// Kafka's addresses; no server if Kafka is external.
pub(crate) struct Broker {
    pub(crate) servers: String,
    pub(crate) proxy_listener: Option<SocketAddr>,
    pub(crate) server: Option<Managed>,
}

/// The state that the starts of the servers share.
pub(crate) struct Starter {
    pub(crate) dir: DataDir,
    options: StackOptions,
    pub(crate) ports: Mutex<Ports>,
    pub(crate) programs: OnceCell<Programs>,
}

impl Starter {
    pub(crate) fn new(dir: DataDir, options: StackOptions) -> Self {
        Self {
            ports: Mutex::new(Ports::load(dir.path("ports.json"))),
            programs: OnceCell::new(),
            dir,
            options,
        }
    }

    /// Returns the servers' programs; the first caller checks and resolves them.
    async fn programs(&self) -> Result<&Programs, LocalError> {
        let resolve = || async {
            let java = preflight::java()?;
            let artefacts = artefacts::ensure(&self.options.progress).await?;
            preflight::disk(self.dir.root(), DATA_MB)?;
            Ok(Programs { java, artefacts })
        };
        self.programs.get_or_try_init(resolve).await
    }

    fn port(&self, name: &str) -> Result<u16, LocalError> {
        ports::assign(&self.ports, name, None)
    }

    pub(crate) async fn kafka(&self) -> Result<Broker, LocalError> {
        if let Some(servers) = &self.options.kafka {
            return Ok(Broker {
                servers: servers.clone(),
                proxy_listener: None,
                server: None,
            });
        }
        let Programs { java, artefacts } = self.programs().await?;
        let proxy_listener = match self.options.kafka_advertised_listener {
            Some(advertised) => Some(ProxyListener {
                port: self.port(kafka::PROXY_LISTENER)?,
                advertised,
            }),
            None => None,
        };
        let ports = KafkaPorts {
            broker: self.port(Server::Kafka.name())?,
            controller: self.port(kafka::CONTROLLER)?,
            proxy_listener,
        };
        let step = self.options.progress.step("Kafka");
        step.doing("starting");
        let spec = kafka::prepare(&self.dir, java, artefacts, ports).await?;
        let port = ports.broker;
        let server = Managed::start(&self.dir, spec, Probe::Kafka { port }).await?;
        step.done(&format!("ready on port {port}"));
        Ok(Broker {
            servers: format!("127.0.0.1:{port}"),
            proxy_listener: proxy_listener
                .map(|proxy_listener| (Ipv4Addr::LOCALHOST, proxy_listener.port).into()),
            server: Some(server),
        })
    }

    /// Starts PostgreSQL, then the registry. A local registry needs the local PostgreSQL, so that
    /// it never writes to a database given from outside.
    pub(crate) async fn storage(&self) -> Result<Storage, LocalError> {
        let StackOptions {
            schema_registry,
            database_url,
            ..
        } = &self.options;
        if let (Some(registry_url), Some(database_url)) = (schema_registry, database_url) {
            return Ok(Storage {
                database_url: database_url.clone(),
                registry_url: registry_url.clone(),
                postgres: None,
                registry: None,
            });
        }
        let (postgres, access) = self.postgres().await?;
        let (registry_url, registry) = match schema_registry {
            Some(url) => (url.clone(), None),
            None => {
                let (url, server) = self.registry(&access).await?;
                (url, Some(server))
            }
        };
        Ok(Storage {
            database_url: database_url.clone().unwrap_or_else(|| access.url(DATABASE)),
            registry_url,
            postgres: Some(postgres),
            registry,
        })
    }

    async fn postgres(&self) -> Result<(Managed, Access), LocalError> {
        let Programs { artefacts, .. } = self.programs().await?;
        let port = self.port(Server::Postgres.name())?;
        let step = self.options.progress.step("PostgreSQL");
        step.doing("starting");
        let (spec, access) = postgres::prepare(&self.dir, artefacts, port).await?;
        let server = Managed::start(&self.dir, spec, Probe::Postgres(access.clone())).await?;
        access
            .create_databases(&[DATABASE, registry::DATABASE])
            .await?;
        step.done(&format!("ready on port {port}"));
        Ok((server, access))
    }

    async fn registry(&self, access: &Access) -> Result<(String, Managed), LocalError> {
        let Programs { java, artefacts } = self.programs().await?;
        let port = self.port(Server::SchemaRegistry.name())?;
        let step = self.options.progress.step("schema registry");
        step.doing("starting");
        let url = registry::url(port);
        let spec = registry::prepare(&self.dir, java, artefacts, access, port);
        let probe = Probe::schema_registry(url.clone());
        let server = Managed::start(&self.dir, spec, probe).await?;
        step.done(&format!("ready on port {port}"));
        Ok((url, server))
    }
}
