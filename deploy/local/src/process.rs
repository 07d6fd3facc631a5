//! Supervises a child process: a server, or one of Leadstream's own services.

pub(crate) mod leftovers;
pub(crate) mod log;
pub(crate) mod run_as;
pub(crate) mod spec;

use std::{
    fmt,
    future::{Future, pending},
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    process::Child,
    sync::watch,
    time::{sleep, timeout},
};

use crate::error::LocalError;
use crate::process::leftovers::{Record, start_time};
use crate::process::spec::ProcessSpec;

const PROBE_EVERY: Duration = Duration::from_millis(100);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A running child in a process group of its own. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    log: PathBuf,
    log_start: u64,
    exit: watch::Receiver<Option<ExitStatus>>,
    stop_signal: Signal,
    grace: Duration,
}

impl Process {
    /// Starts `spec` with its output in `<logs>/<name>.log`, recorded below `pids`.
    pub(crate) fn spawn(spec: &ProcessSpec, logs: &Path, pids: &Path) -> Result<Self, LocalError> {
        let log = logs.join(format!("{}.log", spec.name));
        let (output, log_start) = log::open(&log).map_err(LocalError::io("open the log", &log))?;
        let errors = output
            .try_clone()
            .map_err(LocalError::io("open the log", &log))?;
        let child = spec
            .command()
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(LocalError::io("start", &spec.program))?;
        let raw_pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = raw_pid.ok_or_else(|| LocalError::Io {
            doing: "start",
            path: spec.program.clone(),
            source: io::Error::other("it has no process id"),
        })?;
        let (sender, exit) = watch::channel(None);
        let record = Record::path(pids, &spec.name, pid);
        tokio::spawn(supervise(child, record.clone(), sender));
        let process = Self {
            name: spec.name.clone(),
            pid: Pid::from_raw(pid),
            log,
            log_start,
            exit,
            stop_signal: spec.stop_signal,
            grace: spec.grace,
        };
        // A process without a start time has ended already.
        if let Some(started) = start_time(pid) {
            let stop_signal = spec.stop_signal.as_str().to_owned();
            Record {
                pid,
                started,
                stop_signal,
            }
            .write(&record)
            .map_err(LocalError::io("write", &record))?;
        }
        Ok(process)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the process id, which is its group's id, too.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Returns the file that receives its standard output and standard error.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Returns the last lines that this run wrote.
    pub fn log_tail(&self) -> String {
        log::tail(&self.log, self.log_start, log::TAIL_LINES)
    }

    /// Returns the exit status, once it has ended.
    pub fn exited(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits until the process ends.
    pub fn wait(&self) -> impl Future<Output = ExitStatus> + Send + use<> {
        let mut exit = self.exit.clone();
        async move {
            loop {
                if let Some(status) = *exit.borrow_and_update() {
                    return status;
                }
                if exit.changed().await.is_err() {
                    // The runtime that supervised the process has ended, so its end cannot be
                    // observed.
                    pending::<()>().await;
                }
            }
        }
    }

    /// Waits until `probe` succeeds. Fails with the end of the log when the process ends first,
    /// or when `within` has passed.
    pub async fn ready<F, P, E>(&self, within: Duration, mut probe: F) -> Result<(), LocalError>
    where
        F: FnMut() -> P,
        P: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        let mut last = "no answer yet".to_owned();
        let probing = async {
            loop {
                last = match timeout(PROBE_TIMEOUT, probe()).await {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "no answer in time".to_owned(),
                };
                sleep(PROBE_EVERY).await;
            }
        };
        tokio::select! {
            biased;
            status = self.wait() => Err(LocalError::Exited {
                name: self.name.clone(),
                status,
                log: self.log.clone(),
                tail: self.log_tail(),
            }),
            () = probing => Ok(()),
            () = sleep(within) => Err(LocalError::NotReady {
                name: self.name.clone(),
                within,
                last,
                log: self.log.clone(),
                tail: self.log_tail(),
            }),
        }
    }

    /// Sends the stop signal, and SIGKILL after the grace period. Returns when the process has
    /// ended.
    pub async fn stop(&self) -> ExitStatus {
        self.signal(self.stop_signal);
        // A paused process receives no other signal until it is resumed.
        self.signal(Signal::SIGCONT);
        match timeout(self.grace, self.wait()).await {
            Ok(status) => status,
            Err(_) => {
                tracing::warn!(
                    process.name = self.name,
                    process.grace_seconds = self.grace.as_secs(),
                    "process did not end when asked to, killing it"
                );
                self.kill().await
            }
        }
    }

    /// Sends SIGKILL. Returns when the process has ended.
    pub async fn kill(&self) -> ExitStatus {
        self.signal(Signal::SIGKILL);
        self.wait().await
    }

    /// Sends SIGSTOP: the process keeps its connections and answers nothing.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Sends SIGCONT: the process continues after [`Process::pause`].
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if self.exited().is_none()
            && let Err(error) = killpg(self.pid, signal)
        {
            tracing::debug!(
                process.name = self.name,
                signal.name = signal.as_str(),
                error = error.desc(),
                "signal reached no process"
            );
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// Reaps the child, removes its record, and wakes those who wait.
async fn supervise(mut child: Child, record: PathBuf, exit: watch::Sender<Option<ExitStatus>>) {
    let status = child.wait().await.unwrap_or_else(|error| {
        tracing::warn!(error = %error, "exit status of a child is unknown");
        ExitStatus::from_raw(0xff00)
    });
    if let Err(error) = std::fs::remove_file(&record) {
        tracing::debug!(path = %record.display(), error = %error, "record of a process was not removed");
    }
    exit.send_replace(Some(status));
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Instant};

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn shell(&self, script: &str) -> Process {
            let spec = ProcessSpec::new("shell", "/bin/sh").args(["-c", script]);
            Process::spawn(&spec, self.0.path(), self.0.path()).unwrap()
        }

        fn records(&self) -> usize {
            let entries = fs::read_dir(self.0.path()).unwrap();
            entries
                .filter(|entry| entry.as_ref().unwrap().path().extension() == Some("json".as_ref()))
                .count()
        }
    }

    const SOON: Duration = Duration::from_secs(20);

    async fn wrote(process: &Process, word: &str) {
        let probe = || {
            let found = process.log_tail().contains(word);
            async move { found.then_some(()).ok_or("not written yet") }
        };
        process.ready(SOON, probe).await.unwrap();
    }

    #[tokio::test]
    async fn a_child_that_ends_early_fails_at_once_with_its_last_words() {
        let dir = Folder::new();
        let process = dir.shell("echo first; echo port 1 is taken >&2; exit 3");
        let began = Instant::now();

        let error = process
            .ready(SOON, || async { Err("not yet") })
            .await
            .unwrap_err();

        assert!(began.elapsed() < SOON);
        assert!(matches!(&error, LocalError::Exited { status, .. } if status.code() == Some(3)));
        assert!(
            error.to_string().ends_with("first\nport 1 is taken"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_child_that_never_is_ready_fails_with_the_last_probe() {
        let dir = Folder::new();
        let process = dir.shell("exec sleep 600");
        let error = process
            .ready(Duration::from_millis(300), || async {
                Err("connection refused")
            })
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("(connection refused)"),
            "{error}"
        );
        process.kill().await;
    }

    #[tokio::test]
    async fn a_running_child_is_recorded_until_it_ends() {
        let dir = Folder::new();
        let process = dir.shell("exec sleep 600");
        assert_eq!(dir.records(), 1);
        assert_eq!(process.exited(), None);

        let status = process.stop().await;

        assert_eq!(status.signal(), Some(Signal::SIGTERM as i32));
        assert_eq!(process.exited(), Some(status));
        assert_eq!(dir.records(), 0);
    }

    #[tokio::test]
    async fn a_child_that_ignores_the_signal_is_killed_after_its_grace() {
        let dir = Folder::new();
        let spec = ProcessSpec::new("stubborn", "/bin/sh")
            .args(["-c", "trap '' TERM; echo ready; exec sleep 600"])
            .grace(Duration::from_millis(200));
        let process = Process::spawn(&spec, dir.0.path(), dir.0.path()).unwrap();
        wrote(&process, "ready").await;

        assert_eq!(process.stop().await.signal(), Some(Signal::SIGKILL as i32));
    }

    #[tokio::test]
    async fn a_paused_child_does_nothing_until_it_is_resumed_or_stopped() {
        let dir = Folder::new();
        let process = dir.shell("trap 'echo asked; exit 0' TERM; echo ready; while :; do :; done");
        wrote(&process, "ready").await;
        process.pause();
        if cfg!(target_os = "linux") {
            let stat = format!("/proc/{}/stat", process.pid());
            let stopped = || {
                let stopped = fs::read_to_string(&stat).unwrap().contains(") T ");
                async move { stopped.then_some(()).ok_or("still running") }
            };
            process.ready(SOON, stopped).await.unwrap();
        }

        let status = process.stop().await;

        assert!(status.success(), "{status}");
        assert!(process.log_tail().ends_with("asked"));
    }

    #[tokio::test]
    async fn a_dropped_child_does_not_live_on() {
        let dir = Folder::new();
        let process = dir.shell("exec sleep 600");
        let ended = process.wait();
        drop(process);
        let status = timeout(SOON, ended).await.unwrap();
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let dir = Folder::new();
        let spec = ProcessSpec::new("ghost", "/nonexistent/ghost");
        let error = Process::spawn(&spec, dir.0.path(), dir.0.path()).unwrap_err();
        assert_eq!(error.to_string(), "cannot start /nonexistent/ghost");
    }
}
