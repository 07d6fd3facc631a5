//! Runs the parts of `leadstream up` beside the servers: migrations, topics, the sandbox, the
//! services.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::{LocalError, Process, ProcessSpec, Progress, Stack};
use anyhow::{Context, anyhow, bail};
use futures::future::{join_all, select_all};
use leadstream_sandbox::{Sandbox, Webhook};
use leadstream_service::migrations::BEFORE_FIRST_RELEASE;
use sha2::{Digest, Sha256};

use super::args::reachable;
use super::environment;
use super::event::{Event, Show};
use super::restart::Restarts;
use super::secrets::Secrets;
use super::settings::Settings;
use super::tool_settings::tool_settings;
use crate::deployment::{Deployment, Service, sandbox_config};
use crate::stack_file::{StackFile, Webhooks};
use crate::{env_file, private_file};

const TOOL_WITHIN: Duration = Duration::from_secs(120);
const READY_WITHIN: Duration = Duration::from_secs(90);

/// A running service.
struct Running {
    name: String,
    ops: SocketAddr,
    spec: ProcessSpec,
    process: Process,
    since: Instant,
    restarts: Restarts,
}

/// Returns the files of a metadata package by their paths.
fn metadata(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(inner) = open.pop() {
        let entries = std::fs::read_dir(&inner);
        for entry in entries.with_context(|| format!("{} cannot be read", inner.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            let name = path.strip_prefix(folder).unwrap_or(&path);
            files.insert(name.to_string_lossy().into_owned(), text);
        }
    }
    Ok(files)
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
    /// The settings of tools.
    tool_settings: BTreeMap<String, String>,
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
            tool_settings: BTreeMap::new(),
        }
    }

    /// Starts everything. Returns when all services are ready and `stack.json` is written.
    pub(super) async fn start(&mut self) -> anyhow::Result<StackFile> {
        let data_dir = self.stack.data_dir();
        StackFile::remove(data_dir)?;
        env_file::remove(data_dir)?;
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
        let tool = |name: &str, args: &[&str]| deployment.tool(name, args);
        tokio::try_join!(
            self.tool(
                tool("migrate", &["migrate"]),
                "database",
                "tables are there"
            ),
            self.tool(
                tool("topics-apply", &["topics", "apply"]),
                "topics",
                "topics and schemas are there",
            ),
        )?;
        let real = self.settings.real;
        if self.settings.has_own_mapping && !real.hubspot && !real.salesforce {
            self.provision(&deployment).await?;
        }
        let mut in_force = deployment.settings();
        let database_url = self.stack.database_url().to_owned();
        in_force.insert("DATABASE_URL".to_owned(), database_url);
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        self.tool_settings = tool_settings(environment, in_force);
        let api = self.api_spec(&deployment, &secrets)?;
        self.start_services(&deployment, api).await?;
        let file = self.stack_file(secrets);
        env_file::write(&file, data_dir)?;
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

    /// Gives the CRMs of the sandbox the fields of the user's mapping, as an administrator does.
    async fn provision(&self, deployment: &Deployment) -> anyhow::Result<()> {
        let Some(sandbox) = &self.sandbox else {
            return Ok(());
        };
        let folder = self.stack.data_dir().join("salesforce-metadata");
        let path = folder.to_string_lossy();
        let args = ["crm", "provision", "--salesforce-folder", &path, "--apply"];
        let spec = deployment.crm_tool("crm-provision", &args);
        self.tool(spec, "CRM fields", "those of your mapping are there")
            .await?;
        sandbox.deploy(&metadata(&folder)?).map_err(|reason| {
            let path = folder.display();
            anyhow!("the sandbox's Salesforce refuses the metadata in {path}: {reason}")
        })
    }

    /// Runs a subcommand to its end; shows its output only if it fails.
    async fn tool(
        &self,
        spec: ProcessSpec,
        step: &'static str,
        outcome: &str,
    ) -> anyhow::Result<()> {
        let name = spec.name.replace('-', " ");
        let step = self.progress.step(step);
        step.doing(format!("leadstream {name}"));
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
        let mut specs = vec![(Service::Api.name().to_owned(), api.0, api.1)];
        for (service, name) in members(self.settings.args.processors) {
            let port = self.stack.port(&name, None)?;
            let ops = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let spec = deployment.service(service, &name, ops);
            specs.push((name, ops, spec));
        }
        for (name, ops, spec) in specs {
            let process = self.stack.spawn(&spec)?;
            self.running.push(Running {
                name,
                ops,
                spec,
                process,
                since: Instant::now(),
                restarts: Restarts::default(),
            });
        }
        let http = http()?;
        let ready = self.running.iter().map(|running| running.ready(&http));
        futures::future::try_join_all(ready).await?;
        step.done(&format!("all {} are ready", self.running.len()));
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
                (running.name.clone(), url)
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
            settings: self.tool_settings.clone(),
            pid: std::process::id(),
        }
    }

    /// Runs each service that ends again, unless the run is `--once`. Returns when one does not stay
    /// up; the error has its name, its exit status and the end of its log.
    pub(super) async fn supervise(&mut self, show: &Show) -> anyhow::Error {
        let (stack, once) = (self.stack, self.settings.args.once);
        let kept = self.running.iter_mut().map(|running| {
            Box::pin(async move {
                let kept = running.keep_up(stack, once, show).await;
                kept.err()
                    .unwrap_or_else(|| anyhow::anyhow!("the service is not watched any more"))
            })
        });
        select_all(kept).await.0
    }

    /// Stops all services at the same time, each gracefully, and then the sandbox.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        let data_dir = self.stack.data_dir();
        let files = StackFile::remove(data_dir).and(env_file::remove(data_dir));
        join_all(self.running.iter().map(|running| running.process.stop())).await;
        if let Some(sandbox) = self.sandbox {
            sandbox.stop().await;
        }
        Ok(files?)
    }
}

impl Running {
    async fn ready(&self, http: &reqwest::Client) -> Result<(), LocalError> {
        let url = format!("http://{}/health/ready", self.ops);
        let probe = || probe(http.clone(), url.clone());
        self.process.ready(READY_WITHIN, probe).await
    }

    /// Runs the service again whenever it ends.
    ///
    /// # Errors
    /// Returns an error when it does not stay up.
    async fn keep_up(&mut self, stack: &Stack, once: bool, show: &Show) -> anyhow::Result<()> {
        let http = http()?;
        loop {
            let status = self.process.wait().await;
            let pause = self.restarts.ended(self.since.elapsed());
            let Some(pause) = pause.filter(|_| !once) else {
                let died = LocalError::Died {
                    name: self.name.clone(),
                    status,
                    log: self.process.log().to_owned(),
                    tail: self.process.log_tail(),
                };
                return Err(died.into());
            };
            show(Event::ServiceEnded {
                name: &self.name,
                status,
                log: self.process.log(),
                pause,
            });
            tokio::time::sleep(pause).await;
            self.since = Instant::now();
            self.process = stack.spawn(&self.spec)?;
            match self.ready(&http).await {
                Ok(()) => show(Event::ServiceRestarted { name: &self.name }),
                // The next turn counts it.
                Err(LocalError::Exited { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Returns the client for addresses of this machine, without the environment's proxy.
fn http() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build()
}

/// Returns each service that a conversation needs, with the name of its process.
fn members(processors: u8) -> Vec<(Service, String)> {
    let further = (2..=processors).map(|number| {
        let name = format!("{}-{number}", Service::Processor.name());
        (Service::Processor, name)
    });
    let first = Service::ALL.map(|service| (service, service.name().to_owned()));
    first.into_iter().chain(further).collect()
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

    use super::{is_of_an_earlier_version, members, metadata};
    use crate::LocalError;

    #[test]
    fn a_package_is_read_with_the_files_of_its_folders() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("objects")).unwrap();
        for (path, text) in [("package.xml", "a"), ("objects/Lead.object", "b")] {
            std::fs::write(dir.path().join(path), text).unwrap();
        }
        let files = metadata(dir.path()).unwrap();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(files, [("objects/Lead.object", "b"), ("package.xml", "a")]);
        let none = metadata(&dir.path().join("none")).unwrap_err();
        assert!(none.to_string().ends_with("none cannot be read"), "{none}");
    }

    #[test]
    fn further_processors_have_names_of_their_own() {
        let names = |processors| -> Vec<String> {
            let members = members(processors).into_iter();
            members.map(|(_, name)| name).collect()
        };
        let one = ["ingest", "processor", "sink-crm", "sink-whatsapp"];
        assert_eq!(names(1), one);
        let three = [&one[..], &["processor-2", "processor-3"]].concat();
        assert_eq!(names(3), three);
    }

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
