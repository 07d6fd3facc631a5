//! Records running children, so that the next start ends the children of a killed owner.
//!
//! A process is identified by its id and its start time. So an id that the system has given to
//! another process is never signalled.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::sleep};

use crate::error::LocalError;

const GRACE: Duration = Duration::from_secs(20);
const KILL_WITHIN: Duration = Duration::from_secs(10);
const POLL_EVERY: Duration = Duration::from_millis(50);

/// One child, which leads a process group of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) pid: i32,
    /// See [`start_time`].
    pub(crate) started: String,
    /// The signal that stops the process, such as `SIGTERM`.
    pub(crate) stop_signal: String,
}

impl Record {
    /// Returns the path of the record of the child `name` below `dir`.
    pub(crate) fn path(dir: &Path, name: &str, pid: i32) -> PathBuf {
        dir.join(format!("{name}-{pid}.json"))
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_vec(self)?)
    }

    fn is_alive(&self) -> bool {
        start_time(self.pid).is_some_and(|started| started == self.started)
    }

    fn signal(&self, signal: Signal) -> Result<(), LocalError> {
        if !self.is_alive() {
            return Ok(());
        }
        match killpg(Pid::from_raw(self.pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(self.still_alive(error.desc())),
        }
    }

    fn still_alive(&self, reason: &str) -> LocalError {
        LocalError::LeftoverAlive {
            pid: self.pid,
            reason: reason.to_owned(),
        }
    }

    /// Sends the stop signal, and SIGKILL after the grace period.
    pub(crate) async fn end(&self) -> Result<(), LocalError> {
        let stop = Signal::from_str(&self.stop_signal).unwrap_or(Signal::SIGTERM);
        for (signal, within) in [(stop, GRACE), (Signal::SIGKILL, KILL_WITHIN)] {
            self.signal(signal)?;
            // A stopped process receives no other signal until it is resumed.
            self.signal(Signal::SIGCONT)?;
            let deadline = Instant::now() + within;
            while Instant::now() < deadline {
                if !self.is_alive() {
                    return Ok(());
                }
                sleep(POLL_EVERY).await;
            }
        }
        Err(self.still_alive("it survived SIGKILL"))
    }
}

/// Ends every recorded process below `dir` that still runs, and removes the records. Returns how
/// many were ended.
pub(crate) async fn clear(dir: &Path) -> Result<usize, LocalError> {
    let mut ending = JoinSet::new();
    let entries = fs::read_dir(dir).map_err(LocalError::io("read the folder", dir))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        ending.spawn(async move {
            let alive = read(&path).filter(Record::is_alive);
            if let Some(record) = &alive {
                record.end().await?;
            }
            fs::remove_file(&path).map_err(LocalError::io("remove", &path))?;
            Ok::<_, LocalError>(alive.is_some())
        });
    }
    let mut ended = 0;
    while let Some(outcome) = ending.join_next().await {
        match outcome {
            Ok(was_alive) => ended += usize::from(was_alive?),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    Ok(ended)
}

/// Reads a record. One that a crash cut short names no process and is ignored.
fn read(path: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Returns the start time of the process `pid`, in a form that only serves for comparison. Returns
/// `None` if there is no such process, or if it has ended and was not reaped.
pub(crate) fn start_time(pid: i32) -> Option<String> {
    if cfg!(target_os = "linux") {
        // Ticks count from the boot, so the boot belongs to the identity.
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let ticks = linux_start_ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        return Some(format!("{}/{ticks}", boot.trim()));
    }
    let output = Command::new("ps")
        .args(["-o", "stat=,lstart=", "-p", &pid.to_string()])
        .env("LC_ALL", "C")
        .output()
        .ok()?;
    ps_start(&String::from_utf8_lossy(&output.stdout))
}

/// Returns field 22 of `/proc/<pid>/stat`. The command's name may hold blanks and brackets. So
/// fields count from the last bracket, after which field 3, the state, follows.
fn linux_start_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    let ticks = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(ticks)
}

fn ps_start(line: &str) -> Option<String> {
    let (state, started) = line.trim().split_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::CommandExt, process::Child};

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep")
            .arg("600")
            .process_group(0)
            .spawn()
            .unwrap()
    }

    fn record(child: &Child) -> Record {
        let pid = i32::try_from(child.id()).unwrap();
        Record {
            pid,
            started: start_time(pid).unwrap(),
            stop_signal: "SIGTERM".into(),
        }
    }

    #[tokio::test]
    async fn a_recorded_process_is_ended_and_its_record_removed() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = sleeper();
        record(&child)
            .write(&dir.path().join("sleeper-1.json"))
            .unwrap();

        assert_eq!(clear(dir.path()).await.unwrap(), 1);

        assert!(!child.wait().unwrap().success());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_stopped_process_is_ended_too() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = sleeper();
        let record = record(&child);
        record.write(&dir.path().join("sleeper-1.json")).unwrap();
        record.signal(Signal::SIGSTOP).unwrap();

        assert_eq!(clear(dir.path()).await.unwrap(), 1);
        assert!(!child.wait().unwrap().success());
    }

    #[tokio::test]
    async fn a_process_that_merely_has_the_recorded_id_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = sleeper();
        let earlier = Record {
            started: "another boot/1".into(),
            ..record(&child)
        };
        earlier.write(&dir.path().join("sleeper-1.json")).unwrap();

        assert_eq!(clear(dir.path()).await.unwrap(), 0);

        assert!(child.try_wait().unwrap().is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn a_record_cut_short_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("kafka-1.json"), "{\"pid\":").unwrap();
        assert_eq!(clear(dir.path()).await.unwrap(), 0);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_ended_process_that_was_not_reaped_has_no_start_time() {
        let mut child = sleeper();
        let pid = i32::try_from(child.id()).unwrap();
        child.kill().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while start_time(pid).is_some() {
            assert!(Instant::now() < deadline, "still counted as running");
        }
        child.wait().unwrap();
    }

    #[test]
    fn the_start_is_read_behind_a_name_with_blanks_and_brackets() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 0 0";
        assert_eq!(linux_start_ticks(stat), Some(987_654));
        assert_eq!(linux_start_ticks(&stat.replace(" S ", " Z ")), None);
        assert_eq!(linux_start_ticks("nonsense"), None);
    }

    #[test]
    fn the_start_is_read_from_ps() {
        let started = ps_start("Ss   Mon Nov 23 10:15:00 2026\n");
        assert_eq!(started.as_deref(), Some("Mon Nov 23 10:15:00 2026"));
        assert_eq!(ps_start("Z    Mon Nov 23 10:15:00 2026"), None);
        assert_eq!(ps_start(""), None);
    }
}
