//! Sets up one scenario: its own database and topics, services as child processes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures::future::select_all;
use leadstream_ingest::records::Encoder;
use leadstream_kafka::{KafkaArgs, Outgoing};
use leadstream_local::{Process, Stack, free_address};
use leadstream_schemas::registry::SchemaIds;
use leadstream_schemas::{Timestamp, Topic};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::sync::Mutex;

use super::http::{self, Connection};
use super::traffic::{self, Conversations};
use leadstream_local::deployment::{Deployment, Service};

/// Partitions of each topic, as `leadstream topics apply` makes them.
pub(super) const PARTITIONS: usize = 12;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// The state that all scenarios share.
pub(super) struct Servers<'s> {
    pub(super) stack: &'s Stack,
    /// The program whose services are measured.
    services: PathBuf,
    /// Schema ids, the same for every topic prefix.
    pub(super) ids: SchemaIds,
    /// Inputs that were made already: making them takes longer than reading them.
    made: Mutex<Vec<(Conversations, Arc<[Outgoing]>)>>,
    notes: std::sync::Mutex<BTreeSet<String>>,
}

impl<'s> Servers<'s> {
    pub(super) fn new(stack: &'s Stack, services: PathBuf, ids: SchemaIds) -> Self {
        Self {
            stack,
            services,
            ids,
            made: Mutex::default(),
            notes: std::sync::Mutex::default(),
        }
    }

    /// Returns the records of `conversations`, as ingest writes them to a topic without prefix.
    pub(super) async fn inputs(
        &self,
        conversations: Conversations,
    ) -> anyhow::Result<Arc<[Outgoing]>> {
        let mut made = self.made.lock().await;
        if let Some((_, inputs)) = made.iter().find(|(known, _)| *known == conversations) {
            return Ok(Arc::clone(inputs));
        }
        let webhooks = conversations.webhooks(Timestamp::now());
        let inputs: Arc<[Outgoing]> = self.records("", &webhooks)?.into();
        made.push((conversations, Arc::clone(&inputs)));
        Ok(inputs)
    }

    /// Returns the records that ingest would write to the topics of `prefix` for `webhooks`.
    pub(super) fn records(
        &self,
        prefix: &str,
        webhooks: &[Vec<u8>],
    ) -> anyhow::Result<Vec<Outgoing>> {
        let encoder =
            Encoder::new(prefix, &self.ids).context("the registry gave no id for a topic")?;
        traffic::records(&encoder, webhooks, Timestamp::now())
    }

    /// Adds a note on something left out, which is printed at the end.
    pub(super) fn note(&self, note: impl Into<String>) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert(note.into());
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().cloned().collect()
    }
}

/// The difference from the usual site.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) partitions: usize,
    /// The database has Leadstream's tables.
    pub(super) migrated: bool,
    /// Further settings of the services' Kafka clients.
    pub(super) kafka_config: Option<&'static str>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            partitions: PARTITIONS,
            migrated: true,
            kafka_config: None,
        }
    }
}

/// A fresh database.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) url: String,
    name: String,
    pub(super) pool: PgPool,
    admin: PgPool,
}

impl Database {
    /// Creates a site; `connections` bounds the pool that scenarios use.
    pub(super) async fn new(
        servers: &Servers<'_>,
        name: &str,
        migrated: bool,
        connections: u32,
    ) -> anyhow::Result<Self> {
        let url = servers.stack.database_url();
        let admin = leadstream_processor::pool(url, 1)?;
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE \"{name}\"")))
            .execute(&admin)
            .await?;
        let (base, _) = url.rsplit_once('/').context("a database URL has a path")?;
        let url = format!("{base}/{name}");
        let pool = leadstream_processor::pool(&url, connections)?;
        if migrated {
            leadstream_processor::migrate(&pool).await?;
        }
        // Earlier writes must not be flushed during a measurement.
        sqlx::query("CHECKPOINT").execute(&admin).await?;
        Ok(Self {
            url,
            name: name.to_owned(),
            pool,
            admin,
        })
    }

    pub(super) async fn remove(self) -> anyhow::Result<()> {
        self.pool.close().await;
        let drop = format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name);
        sqlx::query(AssertSqlSafe(drop))
            .execute(&self.admin)
            .await?;
        self.admin.close().await;
        Ok(())
    }
}

/// A database and topics.
pub(super) struct Site<'s> {
    pub(super) servers: &'s Servers<'s>,
    pub(super) database: Database,
    pub(super) deployment: Deployment,
    pub(super) ingest: SocketAddr,
    name: String,
}

impl<'s> Site<'s> {
    pub(super) async fn new(
        servers: &'s Servers<'s>,
        name: &str,
        setup: Setup,
    ) -> anyhow::Result<Self> {
        let database = Database::new(servers, name, setup.migrated, 4).await?;
        let ingest = free_address()?;
        let stack = servers.stack;
        let deployment = Deployment {
            binary: servers.services.clone(),
            kafka: stack.kafka().to_owned(),
            kafka_config: setup.kafka_config.map(ToOwned::to_owned),
            topic_prefix: format!("{name}."),
            schema_registry: stack.schema_registry().to_owned(),
            database_url: database.url.clone(),
            schema_ids_file: stack.data_dir().join("schema-ids.json"),
            meta_app_secret: "bench-app-secret".to_owned(),
            meta_verify_token: "bench-verify-token".to_owned(),
            meta_access_token: String::new(),
            meta_graph_url: String::new(),
            hubspot_access_token: String::new(),
            hubspot_api_url: String::new(),
            salesforce_login_url: String::new(),
            salesforce_client_id: String::new(),
            salesforce_client_secret: String::new(),
            further: vec![
                ("INGEST_ADDRESS".to_owned(), ingest.to_string()),
                ("INGEST_DRAIN_TIMEOUT".to_owned(), "0s".to_owned()),
            ],
        };
        let site = Self {
            servers,
            database,
            deployment,
            ingest,
            name: name.to_owned(),
        };
        let partitions = setup.partitions.to_string();
        site.tool(&["topics", "apply", "--topic-partitions", &partitions])
            .await?;
        Ok(site)
    }

    /// Returns the settings of the site's Kafka for clients in this process.
    pub(super) fn kafka(&self) -> KafkaArgs {
        KafkaArgs {
            kafka_bootstrap_servers: Some(self.deployment.kafka.clone()),
            kafka_config: None,
            topic_prefix: self.deployment.topic_prefix.clone(),
        }
    }

    async fn tool(&self, args: &[&str]) -> anyhow::Result<()> {
        let name = format!("{}-{}", self.name, args[0]);
        let process = self
            .servers
            .stack
            .spawn(&self.deployment.tool(&name, args))?;
        let status = process.wait().await;
        ensure!(
            status.success(),
            "leadstream {} failed: {}",
            args.join(" "),
            process.log_tail()
        );
        Ok(())
    }

    /// Starts `service`, of several the one with this number; returns at once.
    pub(super) fn spawn(
        &self,
        service: Service,
        number: usize,
    ) -> anyhow::Result<(Process, SocketAddr)> {
        let ops = free_address()?;
        let name = format!("{}-{}-{number}", self.name, service.name());
        let spec = self.deployment.service(service, &name, ops);
        Ok((self.servers.stack.spawn(&spec)?, ops))
    }

    /// Starts `service` and waits until it is ready.
    pub(super) async fn start(&self, service: Service) -> anyhow::Result<Process> {
        let (process, ops) = self.spawn(service, 1)?;
        let probe = || async move {
            let mut connection = Connection::open(ops).await?;
            match connection.send(&http::get("/health/ready")).await? {
                200 => Ok(()),
                status => Err(std::io::Error::other(format!("it answers {status}"))),
            }
        };
        process.ready(READY_WITHIN, probe).await?;
        Ok(process)
    }

    /// Removes topics and database, so that a later scenario meets servers as empty as this one
    /// did.
    pub(super) async fn remove(self) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> =
            self.kafka().client("leadstream-bench")?.create()?;
        let prefix = &self.deployment.topic_prefix;
        let names: Vec<String> = Topic::ALL
            .into_iter()
            .flat_map(|topic| [topic.name(prefix), topic.dead_letters(prefix)])
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for outcome in admin.delete_topics(&names, &AdminOptions::new()).await? {
            if let Err((topic, code)) = outcome {
                bail!("topic {topic} was not deleted: {code}");
            }
        }
        self.database.remove().await
    }
}

/// Runs `work`, unless one of `processes` ends before it.
pub(super) async fn beside<T>(
    processes: &[&Process],
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let ended = select_all(processes.iter().map(|process| {
        Box::pin(async move {
            let status = process.wait().await;
            format!("{} ended, {status}: {}", process.name(), process.log_tail())
        })
    }));
    tokio::select! {
        outcome = work => outcome,
        (ended, _, _) = ended => bail!("{ended}"),
    }
}

/// Ends a service gracefully.
pub(super) async fn end(process: Process) -> anyhow::Result<()> {
    let status = process.stop().await;
    ensure!(
        status.success(),
        "{} ended with {status}: {}",
        process.name(),
        process.log_tail()
    );
    Ok(())
}
