//! Assigns loopback ports, and remembers them in the data folder so that addresses stay the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use rand::Rng;

use crate::error::LocalError;

/// Below the range from which systems take the ports of outgoing connections. A client that keeps
/// trying a port of that range while its server is down may occupy the port itself.
const RANGE: std::ops::Range<u16> = 20_000..32_000;
const ATTEMPTS: usize = 200;
/// Ports that are chosen at every start, below the stored ones.
const PASSING: std::ops::Range<u16> = 10_000..20_000;

/// Returns a loopback address that nothing listens on now, and that no client takes meanwhile. It
/// is for a process that is started on it. No address is returned twice.
///
/// # Errors
/// [`LocalError::NoFreePort`].
pub fn free_address() -> Result<SocketAddr, LocalError> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut random = rand::rng();
    let port = (0..ATTEMPTS)
        .map(|_| random.random_range(PASSING))
        .find(|port| !given.contains(port) && is_free(*port))
        .ok_or_else(|| LocalError::NoFreePort {
            name: "a process".to_owned(),
        })?;
    given.insert(port);
    Ok((Ipv4Addr::LOCALHOST, port).into())
}

/// The ports of one data folder, by the name of the listener.
#[derive(Debug)]
pub(crate) struct Ports {
    file: PathBuf,
    by_name: BTreeMap<String, u16>,
}

impl Ports {
    /// Reads the stored ports; none if the file is missing or unreadable.
    pub(crate) fn load(file: PathBuf) -> Self {
        let by_name = fs::read(&file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self { file, by_name }
    }

    /// Returns the port for `name`. That is the `wanted` one, which must be free, else the
    /// remembered one. If there is none, or something else has taken it, it is a new one.
    fn assign(&mut self, name: &str, wanted: Option<u16>) -> Result<u16, LocalError> {
        let port = match wanted {
            Some(port) if is_free(port) => port,
            Some(port) => {
                return Err(LocalError::PortTaken {
                    name: name.to_owned(),
                    port,
                });
            }
            None => self
                .by_name
                .get(name)
                .copied()
                .filter(|&port| is_free(port))
                .or_else(|| self.find_free())
                .ok_or_else(|| LocalError::NoFreePort {
                    name: name.to_owned(),
                })?,
        };
        self.by_name.insert(name.to_owned(), port);
        let text = serde_json::to_vec_pretty(&self.by_name).unwrap_or_default();
        fs::write(&self.file, text).map_err(LocalError::io("write", &self.file))?;
        Ok(port)
    }

    fn find_free(&self) -> Option<u16> {
        let mut random = rand::rng();
        (0..ATTEMPTS)
            .map(|_| random.random_range(RANGE))
            .find(|port| !self.by_name.values().any(|used| used == port) && is_free(*port))
    }
}

/// Calls [`Ports::assign`] for ports that several tasks share.
pub(crate) fn assign(
    ports: &Mutex<Ports>,
    name: &str,
    wanted: Option<u16>,
) -> Result<u16, LocalError> {
    let mut ports = ports.lock().unwrap_or_else(PoisonError::into_inner);
    ports.assign(name, wanted)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(dir: &tempfile::TempDir) -> Ports {
        Ports::load(dir.path().join("ports.json"))
    }

    #[test]
    fn no_passing_address_is_given_twice() {
        let given: BTreeSet<SocketAddr> = (0..50).map(|_| free_address().unwrap()).collect();
        assert_eq!(given.len(), 50);
    }

    #[test]
    fn a_port_stays_the_same_on_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let first = ports(&dir).assign("kafka", None).unwrap();
        assert!(RANGE.contains(&first));
        assert_eq!(ports(&dir).assign("kafka", None).unwrap(), first);
    }

    #[test]
    fn a_remembered_port_that_was_taken_meanwhile_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let first = ports(&dir).assign("kafka", None).unwrap();
        let _taker = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();

        let second = ports(&dir).assign("kafka", None).unwrap();

        assert_ne!(first, second);
        assert_eq!(ports(&dir).assign("kafka", None).unwrap(), second);
    }

    #[test]
    fn a_wanted_port_is_taken_as_it_is_and_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let free = ports(&dir).assign("scratch", None).unwrap();
        assert_eq!(ports(&dir).assign("ingest", Some(free)).unwrap(), free);
        assert_eq!(ports(&dir).assign("ingest", None).unwrap(), free);
    }

    #[test]
    fn a_wanted_port_that_is_taken_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let taker = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taker.local_addr().unwrap().port();

        let error = ports(&dir).assign("ingest", Some(port)).unwrap_err();

        let text = error.to_string();
        assert!(
            text.contains(&format!("port {port} (for ingest)")),
            "{text}"
        );
    }

    #[test]
    fn names_never_share_a_port_that_was_found_for_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut ports = ports(&dir);
        let mut found: Vec<u16> = (0..50)
            .map(|index| ports.assign(&format!("server-{index}"), None).unwrap())
            .collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 50);
    }

    #[test]
    fn a_damaged_file_remembers_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ports.json"), "not json").unwrap();
        assert!(ports(&dir).assign("kafka", None).is_ok());
    }
}
