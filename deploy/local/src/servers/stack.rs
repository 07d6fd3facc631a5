//! Controls the stack as a whole: starts, stops, kills and pauses its servers.

mod starter;

use std::{
    fmt,
    future::pending,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Mutex,
};

use crate::error::LocalError;
use crate::process::Process;
use crate::process::leftovers;
use crate::process::spec::ProcessSpec;
use crate::progress::Progress;
use crate::server::Server;
use crate::servers::data_dir::DataDir;
use crate::servers::kafka;
use crate::servers::managed::Managed;
use crate::servers::ports::{self, Ports};
use crate::servers::postgres;
use crate::servers::stack::starter::{Programs, Starter};

/// The servers to start, and their addresses. A server whose address is given is not started.
#[derive(Clone)]
pub struct StackOptions {
    /// Data, ports, password and logs of the stack; created if missing.
    pub data_dir: PathBuf,
    /// Bootstrap servers of an external Kafka.
    pub kafka: Option<String>,
    /// The address that a second listener of the local Kafka advertises. The caller's proxy listens
    /// there, and connects to [`Stack::kafka_proxy_listener`].
    pub kafka_advertised_listener: Option<SocketAddr>,
    /// Base address of an external Confluent-compatible registry.
    pub schema_registry: Option<String>,
    /// Address of an external database, `postgres://…`.
    pub database_url: Option<String>,
    /// Start with empty servers.
    pub fresh: bool,
    pub progress: Progress,
}

impl StackOptions {
    /// Returns options to start all servers, keep existing data and show nothing.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            kafka: None,
            kafka_advertised_listener: None,
            schema_registry: None,
            database_url: None,
            fresh: false,
            progress: Progress::silent(),
        }
    }
}

/// Omits the addresses of database and registry, which may hold passwords.
impl fmt::Debug for StackOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackOptions")
            .field("data_dir", &self.data_dir)
            .field("kafka", &self.kafka)
            .field("fresh", &self.fresh)
            .finish_non_exhaustive()
    }
}

/// A running stack, which locks its data folder. Dropping it kills the servers; [`Stack::stop`]
/// stops them in order.
pub struct Stack {
    kafka: String,
    kafka_proxy_listener: Option<SocketAddr>,
    schema_registry: String,
    database_url: String,
    programs: Option<Programs>,
    ports: Mutex<Ports>,
    kafka_server: Option<Managed>,
    registry_server: Option<Managed>,
    postgres_server: Option<Managed>,
    // The last field: the lock is released after the servers have ended.
    dir: DataDir,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("data_dir", &self.dir.root())
            .field("kafka", &self.kafka)
            .finish_non_exhaustive()
    }
}

impl Stack {
    /// Ends the processes that an earlier run left, starts the servers, and returns when
    /// all are ready. After an error, no server runs.
    pub async fn start(options: StackOptions) -> Result<Self, LocalError> {
        let dir = DataDir::open(&options.data_dir)?;
        end_leftovers(&dir, &options.progress).await?;
        if options.fresh {
            kafka::remove_data(&dir)?;
            postgres::remove_data(&dir)?;
        }
        let starter = Starter::new(dir, options);
        let (kafka, storage) =
            tokio::try_join!(Box::pin(starter.kafka()), Box::pin(starter.storage()))?;
        Ok(Self {
            kafka: kafka.servers,
            kafka_proxy_listener: kafka.proxy_listener,
            schema_registry: storage.registry_url,
            database_url: storage.database_url,
            programs: starter.programs.into_inner(),
            ports: starter.ports,
            kafka_server: kafka.server,
            registry_server: storage.registry,
            postgres_server: storage.postgres,
            dir: starter.dir,
        })
    }

    /// Returns the bootstrap servers.
    pub fn kafka(&self) -> &str {
        &self.kafka
    }

    /// Returns the listener that advertises [`StackOptions::kafka_advertised_listener`].
    pub fn kafka_proxy_listener(&self) -> Option<SocketAddr> {
        self.kafka_proxy_listener
    }

    /// Returns the base address of the Confluent-compatible API, without a slash at the end.
    pub fn schema_registry(&self) -> &str {
        &self.schema_registry
    }

    /// Returns the address of the database `leadstream`, with its password.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Returns whether PostgreSQL was started here, in the data folder.
    pub fn runs_postgres(&self) -> bool {
        self.postgres_server.is_some()
    }

    /// Returns the Java class path of Kafka's clients and tools; `None` when no server was started.
    pub fn kafka_classpath(&self) -> Option<String> {
        let programs = self.programs.as_ref()?;
        Some(programs.artefacts.kafka_classpath())
    }

    /// Returns the checked Java launcher; `None` when no server was started.
    pub fn java(&self) -> Option<&Path> {
        Some(&self.programs.as_ref()?.java)
    }

    /// Returns the data folder's absolute path.
    pub fn data_dir(&self) -> &Path {
        self.dir.root()
    }

    /// Returns a loopback port for `name`, the same as on the last start if possible. A `wanted`
    /// one must be free.
    pub fn port(&self, name: &str, wanted: Option<u16>) -> Result<u16, LocalError> {
        ports::assign(&self.ports, name, wanted)
    }

    /// Starts another child process, logged and recorded like the servers.
    pub fn spawn(&self, spec: &ProcessSpec) -> Result<Process, LocalError> {
        Process::spawn(spec, &self.dir.logs(), &self.dir.pids())
    }

    /// Returns the id of the current process: Kafka's only one, or the parent of all PostgreSQL's
    /// others.
    pub async fn pid(&self, server: Server) -> Result<i32, LocalError> {
        Ok(self.managed(server)?.pid().await)
    }

    /// Sends SIGKILL.
    pub async fn kill(&self, server: Server) -> Result<(), LocalError> {
        self.managed(server)?.kill().await;
        Ok(())
    }

    /// Sends SIGSTOP. Of PostgreSQL it stops only the process that accepts connections.
    pub async fn pause(&self, server: Server) -> Result<(), LocalError> {
        self.managed(server)?.pause().await;
        Ok(())
    }

    /// Sends SIGCONT.
    pub async fn resume(&self, server: Server) -> Result<(), LocalError> {
        self.managed(server)?.resume().await;
        Ok(())
    }

    /// Restarts a server at the same address; returns when it
    /// is ready.
    pub async fn restart(&self, server: Server) -> Result<(), LocalError> {
        Box::pin(self.managed(server)?.restart()).await
    }

    /// Waits until one of the servers ends; the error has its name and the end of its log.
    pub async fn failed(&self) -> LocalError {
        tokio::select! {
            error = died(self.kafka_server.as_ref()) => error,
            error = died(self.registry_server.as_ref()) => error,
            error = died(self.postgres_server.as_ref()) => error,
        }
    }

    /// Stops the servers in order, PostgreSQL last. Returns when all have ended.
    pub async fn stop(self) {
        tokio::join!(
            stop(self.kafka_server.as_ref()),
            stop(self.registry_server.as_ref())
        );
        stop(self.postgres_server.as_ref()).await;
    }

    fn servers(&self) -> impl Iterator<Item = &Managed> {
        [
            &self.kafka_server,
            &self.registry_server,
            &self.postgres_server,
        ]
        .into_iter()
        .flatten()
    }

    fn managed(&self, server: Server) -> Result<&Managed, LocalError> {
        self.servers()
            .find(|managed| managed.server() == server)
            .ok_or(LocalError::NotStartedHere { server })
    }
}

async fn stop(server: Option<&Managed>) {
    if let Some(server) = server {
        server.stop().await;
    }
}

async fn died(server: Option<&Managed>) -> LocalError {
    match server {
        Some(server) => server.died().await,
        None => pending().await,
    }
}

async fn end_leftovers(dir: &DataDir, progress: &Progress) -> Result<(), LocalError> {
    let step = progress.step("left-overs");
    step.doing("ending what an earlier run left");
    match leftovers::clear(&dir.pids()).await? {
        0 => step.forget(),
        ended => step.done(&format!("ended {ended} that a killed run had left")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_given(dir: &Path) -> StackOptions {
        StackOptions {
            kafka: Some("broker:9092".into()),
            schema_registry: Some("http://registry:8081".into()),
            database_url: Some("postgres://ann:hush@db/leads".into()),
            ..StackOptions::new(dir)
        }
    }

    #[tokio::test]
    async fn what_is_given_from_outside_is_not_started() {
        let dir = tempfile::tempdir().unwrap();
        let stack = Stack::start(all_given(dir.path())).await.unwrap();

        assert_eq!(stack.kafka(), "broker:9092");
        assert_eq!(stack.schema_registry(), "http://registry:8081");
        assert_eq!(stack.database_url(), "postgres://ann:hush@db/leads");
        assert_eq!((stack.java(), stack.kafka_classpath()), (None, None));
        let error = stack.kill(Server::Kafka).await.unwrap_err();
        assert!(
            error.to_string().starts_with("kafka was not started here"),
            "{error}"
        );
        stack.stop().await;
    }

    #[tokio::test]
    async fn one_folder_holds_one_stack_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = Stack::start(all_given(dir.path())).await.unwrap();
        let second = Stack::start(all_given(dir.path())).await.unwrap_err();
        assert!(
            matches!(second, LocalError::AlreadyRunning { .. }),
            "{second}"
        );
        first.stop().await;
        Stack::start(all_given(dir.path()))
            .await
            .unwrap()
            .stop()
            .await;
    }

    #[tokio::test]
    async fn a_further_child_and_its_port_are_kept_in_the_data_folder() {
        let dir = tempfile::tempdir().unwrap();
        let stack = Stack::start(all_given(dir.path())).await.unwrap();
        let port = stack.port("ingest", None).unwrap();
        assert_eq!(stack.port("ingest", None).unwrap(), port);

        let spec = ProcessSpec::new("ingest", "/bin/sh").args(["-c", "echo up"]);
        let child = stack.spawn(&spec).unwrap();
        assert!(child.wait().await.success());

        assert_eq!(child.log(), stack.data_dir().join("logs/ingest.log"));
        assert_eq!(child.log_tail(), "up");
        stack.stop().await;
    }

    #[test]
    fn printed_options_show_no_password() {
        let options = all_given(Path::new("/data"));
        assert!(!format!("{options:?}").contains("hush"));
    }
}
