//! Runs the parts of `leadstream up` beside the servers: migrations, topics, the sandbox, the
//! services.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::{LocalError, Process, ProcessSpec, Progress, Stack};
use anyhow::{Context, bail};
use futures::future::{join_all, select_all};
use leadstream_sandbox::{Sandbox, Webhook};
use leadstream_service::migrations::BEFORE_FIRST_RELEASE;
use sha2::{Digest, Sha256};

use super::args::reachable;
use super::environment;
use super::secrets::Secrets;
use super::settings::Settings;
use crate::deployment::{Deployment, Service, sandbox_config};
use crate::private_file;
use crate::stack_file::{StackFile, Webhooks};

const TOOL_WITHIN: Duration = Duration::from_secs(120);
const READY_WITHIN: Duration = Duration::from_secs(90);

struct Running {
    service: Service,
    ops: SocketAddr,
    process: Process,
}

/// Everything that was started in addition to the servers.
pub(super) struct Site<'a> {
    stack: &'a Stack,
    settings: &'a Settings,
    progress: &'a Progress,
    sandbox: Option<Sandbox>,
    running: Vec<Running>,
    /// The address of the API.
    api: Option<SocketAddr>,
}

impl<'a> Site<'a> {
    pub(super) fn new(stack: &'a Stack, settings: &'a Settings, progress: &'a Progress) -> Self {
        Self {
            stack,
            settings,
            progress,
            sandbox: None,
            running: Vec::new(),
            api: None,
        }
    }

    /// Starts everything. Returns when all services are ready and `stack.json` is written.
    pub(super) async fn start(&mut self) -> anyhow::Result<StackFile> {
        let data_dir = self.stack.data_dir();
        StackFile::remove(data_dir)?;
        free(self.settings.args.ingest_address)?;
        if self.settings.args.fresh {
            for file in [self.sandbox_state(), self.schema_ids()] {
                private_file::remove(&file)
                    .with_context(|| format!("{} cannot be removed", file.display()))?;
            }
        }
        let secrets = environment::in_force(self.settings, Secrets::of(data_dir)?);
        self.start_sandbox(&secrets).await?;
        let deployment = environment::deployment(
            self.settings,
            &secrets,
            self.stack,
            self.sandbox.as_ref(),
            self.schema_ids(),
        );
        tokio::try_join!(
            self.tool(&deployment, "database", "tables are there", &["migrate"]),
            self.tool(
                &deployment,
                "topics",
                "topics and schemas are there",
                &["topics", "apply"]
            ),
        )?;
        let api = self.api_spec(&deployment, &secrets)?;
        self.start_services(&deployment, api).await?;
        let file = self.stack_file(secrets);
        file.write(data_dir)?;
        Ok(file)
    }

    fn sandbox_state(&self) -> PathBuf {
        self.stack.data_dir().join("sandbox.jsonl")
    }

    fn schema_ids(&self) -> PathBuf {
        self.stack.data_dir().join("schema-ids.json")
    }

    fn webhook_url(&self, path: &str) -> String {
        let address = reachable(self.settings.args.ingest_address);
        format!("http://{address}/webhooks/{path}")
    }

    async fn start_sandbox(&mut self, secrets: &Secrets) -> anyhow::Result<()> {
        let stand_ins = self.settings.real.stand_ins();
        if stand_ins.is_empty() {
            return Ok(());
        }
        let step = self.progress.step("sandbox");
        let port = self.stack.port("sandbox", None)?;
        let mut config = sandbox_config();
        config.bind = (Ipv4Addr::LOCALHOST, port).into();
        config.state_file = Some(self.sandbox_state());
        config.whatsapp.webhook = Some(Webhook {
            url: self.webhook_url("whatsapp"),
            app_secret: secrets.meta_app_secret.as_str().into(),
        });
        self.sandbox = Some(Sandbox::start(config).await?);
        step.done(&format!("simulates {}", stand_ins.join(", ")));
        Ok(())
    }

    /// Runs a subcommand to its end; shows its output only if it fails.
    async fn tool(
        &self,
        deployment: &Deployment,
        step: &'static str,
        outcome: &str,
        args: &[&str],
    ) -> anyhow::Result<()> {
        let name = args.join(" ");
        let step = self.progress.step(step);
        step.doing(format!("leadstream {name}"));
        let spec = deployment.tool(&args.join("-"), args);
        let process = self.stack.spawn(&spec)?;
        let ended = tokio::time::timeout(TOOL_WITHIN, process.wait()).await;
        let problem = match ended {
            Ok(status) if status.success() => {
                step.done(outcome);
                return Ok(());
            }
            Ok(status) if is_of_an_earlier_version(status, self.stack.runs_postgres()) => {
                let dir = self.stack.data_dir().to_owned();
                return Err(LocalError::EarlierVersion { dir }.into());
            }
            Ok(status) => format!("failed with {status}"),
            Err(_) => format!("was not done after {} s", TOOL_WITHIN.as_secs()),
        };
        bail!(
            "leadstream {name} {problem}; the end of {}:\n{}",
            process.log().display(),
            process.log_tail()
        )
    }

    /// Returns how to run the API, with one token that may do everything.
    fn api_spec(
        &mut self,
        deployment: &Deployment,
        secrets: &Secrets,
    ) -> anyhow::Result<(SocketAddr, ProcessSpec)> {
        let tokens = self.stack.data_dir().join("api-tokens.yaml");
        private_file::write(&tokens, tokens_file(&secrets.api_token).as_bytes())
            .with_context(|| format!("{} cannot be written", tokens.display()))?;
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let ops = local(self.stack.port("api", None)?);
        let address = local(self.stack.port("api-http", None)?);
        self.api = Some(address);
        let spec = deployment
            .service(Service::Api, Service::Api.name(), ops)
            .env("API_ADDRESS", address.to_string())
            .env("API_TOKEN_HASHES_FILE", tokens.as_os_str().to_owned());
        Ok((ops, spec))
    }

    async fn start_services(
        &mut self,
        deployment: &Deployment,
        api: (SocketAddr, ProcessSpec),
    ) -> anyhow::Result<()> {
        let step = self.progress.step("services");
        step.doing("starting");
        let mut specs = vec![(Service::Api, api.0, api.1)];
        for service in Service::ALL {
            let port = self.stack.port(service.name(), None)?;
            let ops = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            specs.push((
                service,
                ops,
                deployment.service(service, service.name(), ops),
            ));
        }
        for (service, ops, spec) in specs {
            let process = self.stack.spawn(&spec)?;
            self.running.push(Running {
                service,
                ops,
                process,
            });
        }
        let http = reqwest::Client::builder().no_proxy().build()?;
        let ready = self.running.iter().map(|running| {
            let url = format!("http://{}/health/ready", running.ops);
            let http = http.clone();
            let probe = move || probe(http.clone(), url.clone());
            running.process.ready(READY_WITHIN, probe)
        });
        futures::future::try_join_all(ready).await?;
        step.done("all five are ready");
        Ok(())
    }

    fn stack_file(&self, secrets: Secrets) -> StackFile {
        let sandbox = self.sandbox.as_ref();
        let number = sandbox
            .filter(|_| !self.settings.real.whatsapp)
            .and_then(|sandbox| sandbox.config().whatsapp.numbers.first());
        let metrics: BTreeMap<String, String> = self
            .running
            .iter()
            .map(|running| {
                let url = format!("http://{}/metrics", running.ops);
                (running.service.name().to_owned(), url)
            })
            .collect();
        StackFile {
            kafka: self.stack.kafka().to_owned(),
            topic_prefix: self.settings.args.kafka.topic_prefix.clone(),
            schema_registry: self.stack.schema_registry().to_owned(),
            database_url: self.stack.database_url().to_owned(),
            webhooks: Webhooks {
                whatsapp: self.webhook_url("whatsapp"),
                wasender: self.webhook_url("wasender"),
            },
            phone_number_id: number.map(|number| number.phone_number_id.clone()),
            meta_app_secret: secrets.meta_app_secret,
            meta_verify_token: secrets.meta_verify_token,
            wasender_webhook_secret: secrets.wasender_webhook_secret,
            api: self
                .api
                .map(|address| format!("http://{address}"))
                .unwrap_or_default(),
            api_token: secrets.api_token,
            sandbox: sandbox.map(|sandbox| sandbox.url().to_owned()),
            metrics,
            pid: std::process::id(),
        }
    }

    /// Waits until a service ends; the error has its name and the end of its log.
    pub(super) async fn died(&self) -> LocalError {
        let ends = self.running.iter().map(|running| {
            Box::pin(async move {
                LocalError::Died {
                    name: running.service.name(),
                    status: running.process.wait().await,
                    log: running.process.log().to_owned(),
                    tail: running.process.log_tail(),
                }
            })
        });
        select_all(ends).await.0
    }

    /// Stops all services at the same time, each gracefully, and then the sandbox.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        let file = StackFile::remove(self.stack.data_dir());
        join_all(self.running.iter().map(|running| running.process.stop())).await;
        if let Some(sandbox) = self.sandbox {
            sandbox.stop().await;
        }
        Ok(file?)
    }
}

fn tokens_file(token: &str) -> String {
    let hash = hex::encode(Sha256::digest(token.as_bytes()));
    format!(
        "- {{ name: local, sha256: {hash}, scopes: ['leads:read', 'leads:write', 'leads:erase'] }}\n"
    )
}

/// Returns whether a tool failed because an earlier version made the tables of the data folder. The
/// tool's own message fits a database that was given from outside.
fn is_of_an_earlier_version(status: ExitStatus, is_local: bool) -> bool {
    is_local && status.code() == Some(BEFORE_FIRST_RELEASE.into())
}

/// Returns success when it answers 200, else its response as an error.
async fn probe(http: reqwest::Client, url: String) -> anyhow::Result<()> {
    let answer = http.get(url).send().await?;
    if answer.status().is_success() {
        return Ok(());
    }
    let problems = answer.text().await?;
    bail!("not ready: {}", problems.trim().replace('\n', ", "))
}

/// Returns the address, with a free port in place of port 0.
///
/// # Errors
/// Returns an error with a remedy if the address cannot be listened on.
pub(super) fn free(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    let error = match TcpListener::bind(address).and_then(|listener| listener.local_addr()) {
        Ok(address) => return Ok(address),
        Err(error) => error,
    };
    let port = address.port();
    let remedy = "choose another with --ingest-address IP:PORT or INGEST_ADDRESS";
    match error.kind() {
        std::io::ErrorKind::AddrInUse => bail!(
            "port {port} (for the webhooks, {address}) is taken by another program: end that program (find it with `lsof -i :{port}`), or {remedy}"
        ),
        _ => bail!("the webhooks cannot listen on {address} ({error}): {remedy}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::path::PathBuf;
    use std::process::ExitStatus;

    use super::is_of_an_earlier_version;
    use crate::LocalError;

    #[test]
    fn a_data_folder_of_an_earlier_version_is_named_with_the_remedy() {
        let exited = |code: i32| ExitStatus::from_raw(code << 8);
        assert!(is_of_an_earlier_version(exited(3), true));
        assert!(!is_of_an_earlier_version(exited(3), false));
        assert!(!is_of_an_earlier_version(exited(1), true));
        assert!(!is_of_an_earlier_version(ExitStatus::from_raw(9), true));
        let dir = PathBuf::from("data/here");
        let error = LocalError::EarlierVersion { dir }.to_string();
        assert!(
            error.contains("data/here") && error.contains("--fresh"),
            "{error}"
        );
    }
}
