//! Defines the errors that keep the local stack from running, each with its remedy.

use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

use crate::server::Server;

/// The reason why a stack or one of its processes did not start.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error(
        "another leadstream{} already runs on the data folder {}: stop it, or choose another data folder",
        owner_text(*.owner),
        .dir.display()
    )]
    AlreadyRunning { dir: PathBuf, owner: Option<u32> },

    #[error(
        "Java is missing (looked at JAVA_HOME and PATH); Kafka and the schema registry need Java 17 or newer: {install}"
    )]
    JavaMissing { install: &'static str },

    #[error(
        "{} is Java {found}; Kafka and the schema registry need Java 17 or newer: {install}; or set JAVA_HOME to a newer one",
        .java.display()
    )]
    JavaTooOld {
        java: PathBuf,
        found: u32,
        install: &'static str,
    },

    #[error("Maven is missing; it resolves Kafka, the schema registry and PostgreSQL: {install}")]
    MavenMissing { install: &'static str },

    #[error(
        "the disk that holds {} is nearly full: {free_mb} MB are free and {need_mb} MB are needed; free some space there, or move the folder to another disk",
        .path.display()
    )]
    DiskFull {
        path: PathBuf,
        free_mb: u64,
        need_mb: u64,
    },

    #[error(
        "port {port} (for {name}) is taken by another program: end that program (find it with `lsof -i :{port}`), or choose another port"
    )]
    PortTaken { name: String, port: u16 },

    #[error("no free port was found on 127.0.0.1 for {name}")]
    NoFreePort { name: String },

    #[error(
        "no PostgreSQL is built for {os} on {arch}: set the address of your own (DATABASE_URL), and of your own schema registry (SCHEMA_REGISTRY_URL)"
    )]
    UnsupportedPlatform {
        os: &'static str,
        arch: &'static str,
    },

    #[error(
        "PostgreSQL refuses to run as root and neither the user `postgres` nor `nobody` exists: create one (`useradd --system postgres`), or start as another user"
    )]
    NoServiceUser,

    #[error(
        "{} belongs to root, as whom PostgreSQL refuses to run: remove the folder, or start with fresh data",
        .dir.display()
    )]
    DataOwnedByRoot { dir: PathBuf },

    #[error(
        "an earlier version of Leadstream made the data folder {}, and this version cannot use it: start with --fresh, which removes its data, or choose another folder (--data-dir)",
        .dir.display()
    )]
    EarlierVersion { dir: PathBuf },

    #[error("{what} ended with {status}; the end of its output:\n{tail}")]
    Command {
        what: &'static str,
        status: ExitStatus,
        tail: String,
    },

    #[error("{name} ended with {status} before it was ready; the end of {}:\n{tail}", .log.display())]
    Exited {
        name: String,
        status: ExitStatus,
        log: PathBuf,
        tail: String,
    },

    #[error(
        "{name} was not ready within {} s ({last}); the end of {}:\n{tail}",
        .within.as_secs(),
        .log.display()
    )]
    NotReady {
        name: String,
        within: Duration,
        last: String,
        log: PathBuf,
        tail: String,
    },

    #[error("{name} ended with {status} while it was in use; the end of {}:\n{tail}", .log.display())]
    Died {
        name: String,
        status: ExitStatus,
        log: PathBuf,
        tail: String,
    },

    #[error("{server} was not started here, because it is external")]
    NotStartedHere { server: Server },

    #[error(
        "process {pid}, left by an earlier run on this data folder, could not be ended ({reason}): end it by hand with `kill -9 {pid}`"
    )]
    LeftoverAlive { pid: i32, reason: String },

    #[error("the local PostgreSQL refused to {doing}")]
    Database {
        doing: &'static str,
        #[source]
        source: sqlx::Error,
    },

    #[error("cannot {doing} {}", .path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl LocalError {
    /// Returns an IO failure for `map_err`, with the attempted action and the path.
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

fn owner_text(owner: Option<u32>) -> String {
    owner.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
