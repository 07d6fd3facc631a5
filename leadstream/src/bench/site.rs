//! Where one scenario runs: a database and topics of its own, services as child processes.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures::future::select_all;
use leadstream_local::{Process, Stack};
use leadstream_schemas::Topic;
use leadstream_schemas::registry::SchemaIds;
use leadstream_stream::KafkaArgs;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use sqlx::{AssertSqlSafe, PgPool};

use super::http::{self, Connection};
use crate::deployment::{Deployment, Service};

/// Partitions of each topic, as `leadstream topics apply` makes them.
pub(super) const PARTITIONS: usize = 12;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// What every scenario shares.
#[derive(Debug)]
pub(super) struct Servers<'s> {
    pub(super) stack: &'s Stack,
    /// Ids that frame what is written; the same for every topic prefix.
    pub(super) ids: SchemaIds,
}

/// A fresh database, migrated.
#[derive(Debug)]
pub(super) struct Database {
    url: String,
    name: String,
    pub(super) pool: PgPool,
    admin: PgPool,
}

impl Database {
    /// `connections` bounds the pool that scenarios use.
    pub(super) async fn new(
        servers: &Servers<'_>,
        name: &str,
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
        leadstream_processor::migrate(&pool).await?;
        // What was written before must not be flushed while something is measured.
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
#[derive(Debug)]
pub(super) struct Site<'s> {
    pub(super) servers: &'s Servers<'s>,
    pub(super) database: Database,
    pub(super) deployment: Deployment,
    pub(super) ingest: SocketAddr,
    name: String,
}

impl<'s> Site<'s> {
    pub(super) async fn new(servers: &'s Servers<'s>, name: &str) -> anyhow::Result<Self> {
        let database = Database::new(servers, name, 4).await?;
        let ingest = free_address()?;
        let stack = servers.stack;
        let deployment = Deployment {
            binary: std::env::current_exe().context("the path of this program")?,
            kafka: stack.kafka().to_owned(),
            kafka_config: None,
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
                ("INGEST_DRAIN_SECONDS".to_owned(), "0".to_owned()),
            ],
        };
        let site = Self {
            servers,
            database,
            deployment,
            ingest,
            name: name.to_owned(),
        };
        let partitions = PARTITIONS.to_string();
        site.tool(&["topics", "apply", "--partitions", &partitions])
            .await?;
        Ok(site)
    }

    /// How clients of this process reach the site's Kafka.
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

    /// Starts `service`; returns at once.
    pub(super) fn spawn(&self, service: Service) -> anyhow::Result<(Process, SocketAddr)> {
        let ops = free_address()?;
        let name = format!("{}-{}", self.name, service.name());
        let spec = self.deployment.service(service, &name, ops);
        Ok((self.servers.stack.spawn(&spec)?, ops))
    }

    /// Starts `service` and waits until it is ready.
    pub(super) async fn start(&self, service: Service) -> anyhow::Result<Process> {
        let (process, ops) = self.spawn(service)?;
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

/// A loopback address whose port is free now.
pub(super) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}
