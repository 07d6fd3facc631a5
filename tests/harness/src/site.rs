//! Deploys one system under test: its own topics, database, sandbox and services.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use leadstream_local::deployment::{Deployment, Service, sandbox_config};
use leadstream_local::{Process, ProcessSpec, free_address};
use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person, wamid};
use leadstream_sandbox::{Sandbox, SandboxConfig, Webhook};
use sqlx::PgPool;

use crate::world::World;

const APP_SECRET: &str = "e2e-app-secret";
/// The business number that the sandbox's WhatsApp knows.
pub const NUMBER: &str = "106540352242922";

/// A running service.
#[derive(Clone, Debug)]
struct Running {
    service: Service,
    ops: SocketAddr,
    process: Arc<Process>,
    /// Variables of this service only.
    own: Vec<(String, String)>,
}

/// A deployment with topics, database, sandbox and services of its own.
#[derive(Debug)]
pub struct Site<'w> {
    pub world: &'w World,
    pub name: String,
    pub deployment: Deployment,
    pub sandbox: Sandbox,
    pub database: PgPool,
    pub http: reqwest::Client,
    pub ingest: SocketAddr,
    processes: Mutex<BTreeMap<String, Running>>,
}

impl<'w> Site<'w> {
    /// Creates topics, schemas, database and sandbox; no service runs yet.
    pub async fn new(world: &'w World, name: &str) -> anyhow::Result<Self> {
        Self::with(world, name, sandbox_config()).await
    }

    /// Creates it like [`Self::new`], with another sandbox configuration.
    pub async fn with(
        world: &'w World,
        name: &str,
        mut config: SandboxConfig,
    ) -> anyhow::Result<Self> {
        let id = format!("{name}-{:08x}", rand::random::<u32>());
        let (database_url, database) = create_database(world.stack.database_url(), &id).await?;
        let ingest = free_address()?;
        config.whatsapp.webhook = Some(Webhook {
            url: format!("http://{ingest}/webhooks/whatsapp"),
            app_secret: APP_SECRET.into(),
        });
        let tokens = (
            config.whatsapp.access_token.expose().to_owned(),
            config.hubspot.access_token.expose().to_owned(),
            config.salesforce.client_id.expose().to_owned(),
            config.salesforce.client_secret.expose().to_owned(),
        );
        let sandbox = Sandbox::start(config).await?;
        let deployment = Deployment {
            binary: world.binary.clone(),
            kafka: world.stack.kafka().to_owned(),
            kafka_config: None,
            topic_prefix: format!("{id}."),
            schema_registry: world.stack.schema_registry().to_owned(),
            database_url,
            schema_ids_file: world.stack.data_dir().join(format!("{id}-schema-ids.json")),
            meta_app_secret: APP_SECRET.to_owned(),
            meta_verify_token: "e2e-verify-token".to_owned(),
            meta_access_token: tokens.0,
            meta_graph_url: sandbox.graph_url(),
            hubspot_access_token: tokens.1,
            hubspot_api_url: sandbox.hubspot_url(),
            salesforce_login_url: sandbox.salesforce_url(),
            salesforce_client_id: tokens.2,
            salesforce_client_secret: tokens.3,
            further: vec![
                ("INGEST_ADDRESS".to_owned(), ingest.to_string()),
                // The sandbox's host is not one of the vendors'.
                ("SINK_CRM_ALLOWED_HOSTS".to_owned(), "127.0.0.1".to_owned()),
                // There is no balancer that ingest must wait for.
                ("INGEST_DRAIN_TIMEOUT".to_owned(), "0s".to_owned()),
                // A lease outlives its request: after a kill the sink waits until it ends.
                ("SINK_CRM_REQUEST_TIMEOUT".to_owned(), "3s".to_owned()),
            ],
        };
        let site = Self {
            world,
            name: id,
            deployment,
            sandbox,
            database,
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(30))
                .build()?,
            ingest,
            processes: Mutex::default(),
        };
        site.tool(&["migrate"]).await?;
        // The registry may have kept connections to a PostgreSQL that another test killed.
        eventually(Duration::from_secs(30), async || {
            site.tool(&["topics", "apply", "--topic-partitions", "6"])
                .await?;
            Ok(())
        })
        .await?;
        Ok(site)
    }

    /// Gives tools the CRMs' addresses and credentials, which otherwise only the sink has.
    pub fn with_crms(mut self) -> Self {
        let deployment = &mut self.deployment;
        let variables = [
            ("HUBSPOT_ACCESS_TOKEN", &deployment.hubspot_access_token),
            ("HUBSPOT_API_URL", &deployment.hubspot_api_url),
            ("SALESFORCE_LOGIN_URL", &deployment.salesforce_login_url),
            ("SALESFORCE_CLIENT_ID", &deployment.salesforce_client_id),
            (
                "SALESFORCE_CLIENT_SECRET",
                &deployment.salesforce_client_secret,
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value.clone()));
        deployment.further.extend(variables);
        self
    }

    pub fn topic(&self, topic: leadstream_schemas::Topic) -> String {
        topic.name(&self.deployment.topic_prefix)
    }

    pub fn spec(&self, name: &str, args: &[&str]) -> ProcessSpec {
        self.deployment.tool(&format!("{}-{name}", self.name), args)
    }

    /// Runs a subcommand to its end and returns its output on success.
    pub async fn tool(&self, args: &[&str]) -> anyhow::Result<String> {
        let (status, log) = self.tool_with(args, &[]).await?;
        ensure!(
            status.success(),
            "leadstream {} failed: {log}",
            args.join(" ")
        );
        Ok(log)
    }

    /// Runs a subcommand with further variables to its end, successful or not.
    pub async fn tool_with(
        &self,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<(ExitStatus, String)> {
        // Each run has its own log, even of the same command.
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "{}-{}",
            args.join("-").replace('/', "-"),
            RUNS.fetch_add(1, Ordering::Relaxed)
        );
        let spec = variables
            .iter()
            .fold(self.spec(&name, args), |spec, (name, value)| {
                spec.env(name, value)
            });
        let process = self.world.stack.spawn(&spec)?;
        let status = process.wait().await;
        Ok((status, std::fs::read_to_string(process.log())?))
    }

    /// Starts `service` under `name` and waits until it is ready.
    pub async fn start(&self, service: Service, name: &str) -> anyhow::Result<()> {
        self.spawn(service, name)?;
        self.ready(name).await
    }

    pub fn spawn(&self, service: Service, name: &str) -> anyhow::Result<()> {
        self.spawn_with(service, name, Vec::new())
    }

    /// Spawns a service as [`Self::spawn`] does, with variables that a restart sets again.
    pub fn spawn_with(
        &self,
        service: Service,
        name: &str,
        own: Vec<(String, String)>,
    ) -> anyhow::Result<()> {
        let ops = free_address()?;
        let spec = self
            .deployment
            .service(service, &format!("{}-{name}", self.name), ops);
        let spec = own
            .iter()
            .fold(spec, |spec, (name, value)| spec.env(name, value));
        let process = Arc::new(self.world.stack.spawn(&spec)?);
        let running = Running {
            service,
            ops,
            process,
            own,
        };
        self.running().insert(name.to_owned(), running);
        Ok(())
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, name: &str) -> anyhow::Result<Running> {
        let found = self.running().get(name).cloned();
        found.with_context(|| format!("{name} does not run"))
    }

    pub async fn ready(&self, name: &str) -> anyhow::Result<()> {
        let running = self.get(name)?;
        let probe = || async {
            let (status, text) = self.health(running.ops).await?;
            ensure!(status == 200, "{text}");
            anyhow::Ok(())
        };
        running
            .process
            .ready(Duration::from_secs(60), probe)
            .await?;
        Ok(())
    }

    async fn health(&self, ops: SocketAddr) -> anyhow::Result<(u16, String)> {
        let answer = self
            .http
            .get(format!("http://{ops}/health/ready"))
            .send()
            .await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Returns status and text of a service's readiness.
    pub async fn readiness(&self, name: &str) -> anyhow::Result<(u16, String)> {
        self.health(self.get(name)?.ops).await
    }

    pub async fn start_all(&self) -> anyhow::Result<()> {
        for service in Service::ALL {
            self.spawn(service, service.name())?;
        }
        for service in Service::ALL {
            self.ready(service.name()).await?;
        }
        Ok(())
    }

    /// Kills a service with SIGKILL, starts it again, and waits until it is ready.
    pub async fn kill_and_restart(&self, name: &str) -> anyhow::Result<()> {
        self.kill_and_respawn(name).await?;
        self.ready(name).await
    }

    /// Kills a service with SIGKILL and starts it again.
    pub async fn kill_and_respawn(&self, name: &str) -> anyhow::Result<()> {
        let running = self.get(name)?;
        running.process.kill().await;
        self.spawn_with(running.service, name, running.own)
    }

    /// Stops a service gracefully and starts it again. Until then the service is listed but not
    /// ready.
    pub async fn stop_and_restart(&self, name: &str) -> anyhow::Result<()> {
        let running = self.get(name)?;
        let status = running.process.stop().await;
        ensure!(status.success(), "{name} ended with {status}");
        self.spawn_with(running.service, name, running.own)?;
        self.ready(name).await
    }

    /// Waits until a service has ended by itself.
    pub async fn ended(&self, name: &str) -> anyhow::Result<ExitStatus> {
        let process = self.get(name)?.process;
        tokio::time::timeout(Duration::from_secs(60), process.wait())
            .await
            .with_context(|| format!("{name} still runs"))
    }

    /// Returns the log of a service so far.
    pub fn log(&self, name: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.get(name)?.process.log())?)
    }

    pub async fn metrics(&self, name: &str) -> anyhow::Result<String> {
        let url = format!("http://{}/metrics", self.get(name)?.ops);
        Ok(self.http.get(url).send().await?.text().await?)
    }

    /// Stops a service gracefully.
    pub async fn stop(&self, name: &str) -> anyhow::Result<()> {
        let process = self.get(name)?.process;
        let status = self.terminate(name).await?;
        ensure!(
            status.success(),
            "{name} ended with {status}: {}",
            process.log_tail()
        );
        Ok(())
    }

    /// Sends SIGTERM, and SIGKILL after a while.
    pub async fn terminate(&self, name: &str) -> anyhow::Result<ExitStatus> {
        let process = self.get(name)?.process;
        self.running().remove(name);
        Ok(process.stop().await)
    }

    /// Stops every running service gracefully and checks that each succeeded.
    pub async fn finish(self) -> anyhow::Result<()> {
        let names: Vec<String> = self.running().keys().cloned().collect();
        for name in names {
            self.stop(&name).await?;
        }
        self.sandbox.stop().await;
        self.database.close().await;
        Ok(())
    }

    pub fn webhook(&self) -> String {
        format!("http://{}/webhooks/whatsapp", self.ingest)
    }

    /// Posts one signed request.
    pub async fn post_once(&self, body: &[u8]) -> reqwest::Result<reqwest::Response> {
        let signature = leadstream_sandbox::webhook::sign(&self.deployment.meta_app_secret, body);
        self.http
            .post(self.webhook())
            .header("X-Hub-Signature-256", &signature)
            .header("Content-Type", "application/json")
            .body(body.to_vec())
            .send()
            .await
    }

    /// Posts as Meta does, until the answer is 200.
    pub async fn post(&self, body: &[u8]) -> anyhow::Result<()> {
        let delivered = async {
            loop {
                match self.post_once(body).await {
                    Ok(answer) if answer.status() == 200 => return Ok(()),
                    Ok(answer) if answer.status().is_client_error() => {
                        bail!("the webhook was refused: {}", answer.status());
                    }
                    _ => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(90), delivered)
            .await
            .context("the webhook was not answered 200 within 90 s")?
    }
}

async fn create_database(url: &str, id: &str) -> anyhow::Result<(String, PgPool)> {
    let admin = leadstream_processor::pool(url, 1)?;
    let create = format!("CREATE DATABASE \"{id}\"");
    sqlx::query(sqlx::AssertSqlSafe(create))
        .execute(&admin)
        .await?;
    admin.close().await;
    let (base, _) = url.rsplit_once('/').context("a database URL has a path")?;
    let url = format!("{base}/{id}");
    let pool = leadstream_processor::pool(&url, 4)?;
    Ok((url, pool))
}

/// Returns the peak memory of a process since its start.
pub fn peak_bytes(process: &Process) -> anyhow::Result<u64> {
    let path = format!("/proc/{}/status", process.pid());
    let status = std::fs::read_to_string(path)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let text = line.context("no VmHWM")?.trim().trim_end_matches(" kB");
    Ok(text.parse::<u64>()? << 10)
}

/// Returns what Meta posts when `person` writes `text` at `at` (seconds since 1970). The message id
/// is derived from `id`.
pub fn text_webhook(person: &Person, id: &str, at: i64, text: &str) -> Vec<u8> {
    MetaWebhook::new(&BusinessNumber::new(NUMBER))
        .text(person, &wamid(id), at, text)
        .to_bytes()
}

/// Waits until `check` succeeds; returns its last error if it never does.
pub async fn eventually<T>(
    within: Duration,
    mut check: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let deadline = tokio::time::Instant::now() + within;
    loop {
        match check().await {
            Ok(value) => return Ok(value),
            Err(error) if tokio::time::Instant::now() >= deadline => {
                return Err(error.context(format!("not so within {within:?}")));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    }
}
