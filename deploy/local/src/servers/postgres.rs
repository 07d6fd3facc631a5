//! Runs PostgreSQL: one cluster per data folder, password-protected, on loopback.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::Signal;
use rand::Rng;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::error::LocalError;
use crate::process::leftovers::start_time;
use crate::process::log::{TAIL_LINES, last_lines};
use crate::process::run_as::{RunAs, is_open_to_all, is_root, open_to_all};
use crate::process::spec::ProcessSpec;
use crate::server::Server;
use crate::servers::access::{Access, USER};
use crate::servers::artefacts::Artefacts;
use crate::servers::data_dir::{DataDir, remove};

pub(crate) const READY_WITHIN: Duration = Duration::from_secs(60);
/// A start logs this text while backends of a killed predecessor still run; they end soon.
pub(crate) const ORPHANS: &str = "pre-existing shared memory block";

const DATA: &str = "postgres";
const LOCATION: &str = "postgres.path";
const PASSWORD: &str = "postgres.password";
const ROOT_DATA: &str = "/var/lib/leadstream";
const GRACE: Duration = Duration::from_secs(30);

/// Initialises the cluster once, and describes the server.
pub(crate) async fn prepare(
    dir: &DataDir,
    artefacts: &Artefacts,
    port: u16,
) -> Result<(ProcessSpec, Access), LocalError> {
    let data = data_path(dir)?;
    let user = RunAs::for_data(&data)?;
    let password = if data.is_dir() {
        let path = dir.path(PASSWORD);
        fs::read_to_string(&path).map_err(LocalError::io("read the password in", path))?
    } else {
        initialise(dir, artefacts, &data, user).await?
    };
    remove_stale_pid(&data)?;
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        // TCP only: a socket's path has a short limit on its length.
        "unix_socket_directories=".to_owned(),
        "max_connections=200".to_owned(),
        "shared_buffers=256MB".to_owned(),
        "max_wal_size=2GB".to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
    ];
    let spec = ProcessSpec::new(Server::Postgres.name(), artefacts.postgres("postgres"))
        .args(["-D".into(), data.clone().into_os_string()])
        .args(settings.into_iter().flat_map(|set| ["-c".to_owned(), set]))
        .env("LC_ALL", "C")
        .current_dir(data)
        .user(user)
        // Fast shutdown: ends sessions and writes a checkpoint, where SIGTERM waits for clients.
        .stop_signal(Signal::SIGINT)
        .grace(GRACE);
    Ok((spec, Access::new(port, password)))
}

pub(crate) fn remove_data(dir: &DataDir) -> Result<(), LocalError> {
    remove(&data_path(dir)?)?;
    remove(&dir.path(LOCATION))?;
    remove(&dir.path(PASSWORD))
}

/// Returns the path of the cluster. It is in the data folder, unless PostgreSQL's user cannot reach
/// it there because root owns it. The choice is remembered.
fn data_path(dir: &DataDir) -> Result<PathBuf, LocalError> {
    let location = dir.path(LOCATION);
    if let Ok(path) = fs::read_to_string(&location) {
        return Ok(path.into());
    }
    let inside = dir.path(DATA);
    if !is_root() || inside.is_dir() || is_open_to_all(dir.root()) {
        return Ok(inside);
    }
    let path = root_data(dir.root());
    fs::write(&location, path.as_os_str().as_encoded_bytes())
        .map_err(LocalError::io("write", location))?;
    Ok(path)
}

fn root_data(data_dir: &Path) -> PathBuf {
    let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
    Path::new(ROOT_DATA)
        .join(hex::encode(&digest[..8]))
        .join(DATA)
}

/// Initialises in another folder and renames it. An interrupted run then never looks complete.
async fn initialise(
    dir: &DataDir,
    artefacts: &Artefacts,
    data: &Path,
    user: Option<RunAs>,
) -> Result<String, LocalError> {
    if data.starts_with(ROOT_DATA) {
        for folder in data.ancestors().skip(1).take(2) {
            fs::create_dir_all(folder).map_err(LocalError::io("make the folder", folder))?;
            open_to_all(folder)?;
        }
    }
    let partial = data.with_extension("partial");
    remove(&partial)?;
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&partial)
        .map_err(LocalError::io("make the folder", &partial))?;
    let password = new_password();
    let password_path = dir.path(PASSWORD);
    write_secret(&password_path, &password)?;
    // initdb reads the password as another user, so it gets its own copy.
    let password_copy = data.with_extension("initial-password");
    write_secret(&password_copy, &password)?;
    if let Some(user) = user {
        user.own(&partial)?;
        user.own(&password_copy)?;
    }
    let initialised = initdb(artefacts, &partial, &password_copy, user).await;
    remove(&password_copy)?;
    initialised?;
    fs::rename(&partial, data).map_err(LocalError::io("name the folder", data))?;
    Ok(password)
}

async fn initdb(
    artefacts: &Artefacts,
    data: &Path,
    password_file: &Path,
    user: Option<RunAs>,
) -> Result<(), LocalError> {
    let program = artefacts.postgres("initdb");
    let mut command = Command::new(&program);
    command
        .arg("--pgdata")
        .arg(data)
        .arg("--pwfile")
        .arg(password_file)
        .args(["--username", USER, "--auth", "scram-sha-256"])
        .args(["--encoding", "UTF8", "--locale", "C"])
        .args([
            "--locale-provider",
            "builtin",
            "--builtin-locale",
            "C.UTF-8",
        ])
        .env("LC_ALL", "C")
        .current_dir(data)
        .kill_on_drop(true);
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    let output = command
        .output()
        .await
        .map_err(LocalError::io("start", &program))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        return Err(LocalError::Command {
            what: "PostgreSQL's initdb",
            status: output.status,
            tail: last_lines(&String::from_utf8_lossy(&text), TAIL_LINES),
        });
    }
    Ok(())
}

/// Removes a pid file whose process has ended. After a reboot another program can have that id, and
/// PostgreSQL would take it for a running server. The shared memory's own lock still guards the
/// data.
fn remove_stale_pid(data: &Path) -> Result<(), LocalError> {
    let path = data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(());
    };
    let running = text
        .lines()
        .next()
        .and_then(|pid| pid.trim().parse().ok())
        // A process that has ended and was not reaped still has its name.
        .filter(|&pid| start_time(pid).is_some())
        .and_then(command_name)
        .is_some_and(|name| name == "postgres");
    if running { Ok(()) } else { remove(&path) }
}

/// Returns the file name of the program that the process `pid` runs.
fn command_name(pid: i32) -> Option<String> {
    let name = if cfg!(target_os = "linux") {
        fs::read_to_string(format!("/proc/{pid}/comm")).ok()?
    } else {
        let output = std::process::Command::new("ps")
            .args(["-o", "comm=", "-p", &pid.to_string()])
            .output()
            .ok()?;
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    Some(
        Path::new(name.trim())
            .file_name()?
            .to_string_lossy()
            .into_owned(),
    )
}

fn new_password() -> String {
    hex::encode(rand::rng().random::<[u8; 16]>())
}

fn write_secret(path: &Path, secret: &str) -> Result<(), LocalError> {
    // A file of an interrupted run can belong to another user.
    remove(path)?;
    fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(secret.as_bytes()))
        .map_err(LocalError::io("write", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_password_file_is_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, "older").unwrap();
        let password = new_password();
        write_secret(&path, &password).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), password);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(password.len(), 32);
        assert_ne!(password, new_password());
    }

    #[test]
    fn a_pid_file_of_a_process_that_is_no_server_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("postmaster.pid");
        remove_stale_pid(dir.path()).unwrap();

        // This test runner has the recorded id, as after a reboot.
        fs::write(&path, format!("{}\n/data\n", std::process::id())).unwrap();
        remove_stale_pid(dir.path()).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn the_place_of_the_data_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        fs::write(dir.path(LOCATION), "/elsewhere/postgres").unwrap();
        assert_eq!(data_path(&dir).unwrap(), Path::new("/elsewhere/postgres"));
    }

    #[test]
    fn data_that_others_cannot_reach_gets_a_place_of_its_own_under_root() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        let expected = if is_root() {
            root_data(dir.root())
        } else {
            dir.path(DATA)
        };
        assert_eq!(data_path(&dir).unwrap(), expected);
        assert_eq!(data_path(&dir).unwrap(), expected);
        assert_ne!(root_data(Path::new("/a")), root_data(Path::new("/b")));
    }
}
