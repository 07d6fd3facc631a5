//! Specifies how a child process is run and ended.

use std::{ffi::OsString, fmt, path::PathBuf, process::Stdio, time::Duration};

use nix::sys::signal::Signal;
use tokio::process::Command;

use crate::process::run_as::RunAs;

const DEFAULT_GRACE: Duration = Duration::from_secs(15);

/// The program, its arguments and environment, and the way to end it.
#[derive(Clone)]
pub struct ProcessSpec {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    current_dir: Option<PathBuf>,
    user: Option<RunAs>,
    pub(crate) stop_signal: Signal,
    pub(crate) grace: Duration,
}

/// Omits arguments and environment, which may hold secrets.
impl fmt::Debug for ProcessSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessSpec")
            .field("name", &self.name)
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

impl ProcessSpec {
    /// Creates a specification; `name` names the log file and the process in errors.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            current_dir: None,
            user: None,
            stop_signal: Signal::SIGTERM,
            grace: DEFAULT_GRACE,
        }
    }

    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable in addition to the inherited ones.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Sets the time after which [`Process::stop`] kills; 15 s by default.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    pub(crate) fn current_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.current_dir = Some(dir.into());
        self
    }

    pub(crate) fn user(mut self, user: Option<RunAs>) -> Self {
        self.user = user;
        self
    }

    pub(crate) fn stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = signal;
        self
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            // Only the owner receives Ctrl-C from the terminal; it stops its children in order.
            .process_group(0);
        if let Some(dir) = &self.current_dir {
            command.current_dir(dir);
        }
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_spec_shows_no_secret() {
        let spec = ProcessSpec::new("ingest", "leadstream")
            .env("META_APP_SECRET", "hush")
            .args(["--token", "hush"]);
        assert!(!format!("{spec:?}").contains("hush"));
    }
}
