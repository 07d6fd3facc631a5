//! Describes the machine, and measures the resources that it and its processes use.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::Serialize;

/// Linux gives times in `/proc` in hundredths of a second, whatever the kernel's own tick.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// Cores that this process may use.
    cores: usize,
    model: String,
    memory_gib: Option<f64>,
    system: String,
    /// `release` or `debug`.
    pub(super) build: &'static str,
}

impl Machine {
    pub(super) fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            model: field(&read("/proc/cpuinfo"), "model name")
                .unwrap_or("unknown processor")
                .to_owned(),
            memory_gib: field(&read("/proc/meminfo"), "MemTotal").and_then(gib),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        }
    }

    /// Returns one line for people.
    pub(super) fn line(&self) -> String {
        let memory = self
            .memory_gib
            .map(|gib| format!(", {gib:.0} GiB"))
            .unwrap_or_default();
        let Self {
            cores,
            model,
            system,
            build,
            ..
        } = self;
        format!("{cores} cores of {model}{memory}, {system}; {build} build")
    }
}

/// Returns the value after `name:` in a file of such lines.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn gib(size: &str) -> Option<f64> {
    Some(kib(size)? / 1024.0 / 1024.0)
}

/// Parses a size. `/proc` writes kB and means KiB.
fn kib(size: &str) -> Option<f64> {
    size.strip_suffix("kB")?.trim().parse().ok()
}

/// Returns the processor time of a process so far in seconds; `None` where there is no `/proc`.
pub(super) fn cpu_seconds(pid: i32) -> Option<f64> {
    process_seconds(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Returns [`cpu_seconds`] of a process and all its descendants, including those that have ended.
pub(super) fn tree_cpu_seconds(root: i32) -> Option<f64> {
    let processes: Vec<Relation> = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|pid| relation(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect();
    tree_seconds(&processes, root)
}

/// A process with its parent and the processor time of itself and of its children that have ended.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Relation {
    pid: i32,
    parent: i32,
    seconds: f64,
}

fn relation(pid: i32, stat: &str) -> Option<Relation> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: Option<Vec<f64>> = fields
        .get(11..15)?
        .iter()
        .map(|ticks| ticks.parse().ok())
        .collect();
    Some(Relation {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        seconds: ticks?.iter().sum::<f64>() / TICKS_PER_SECOND,
    })
}

fn tree_seconds(processes: &[Relation], root: i32) -> Option<f64> {
    let mut seconds = processes.iter().find(|it| it.pid == root)?.seconds;
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for child in processes.iter().filter(|it| it.parent == parent) {
            seconds += child.seconds;
            parents.push(child.pid);
        }
    }
    Some(seconds)
}

/// Returns the processor time of the calling thread so far.
pub(super) fn own_cpu_seconds() -> Option<f64> {
    process_seconds(&fs::read_to_string("/proc/thread-self/stat").ok()?)
}

/// Returns the memory of a process (its resident set) in MiB.
pub(super) fn memory(pid: i32) -> Option<f64> {
    mib(&status(pid)?, "VmRSS")
}

/// Returns the peak memory of a process in MiB.
pub(super) fn peak_memory(pid: i32) -> Option<f64> {
    mib(&status(pid)?, "VmHWM")
}

fn status(pid: i32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/status")).ok()
}

fn mib(text: &str, name: &str) -> Option<f64> {
    Some(kib(field(text, name)?)? / 1024.0)
}

/// Returns user and system time in a process's `stat`: its 14th and 15th fields. The second is the
/// program's name in brackets, which may hold spaces.
fn process_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// Raises the limit of open files, up to the system's limit, for this process and those that it
/// starts. A shell's usual limit is less than a burst needs.
pub(super) fn allow_open_files(files: u64) -> anyhow::Result<()> {
    let (now, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(
        Resource::RLIMIT_NOFILE,
        now.max(files.min(most)),
        most,
    )?)
}

/// Returns the seconds that all cores together have worked since the start of the machine.
fn busy_seconds() -> Option<f64> {
    machine_seconds(&fs::read_to_string("/proc/stat").ok()?)
}

/// Returns user, nice, system, irq and softirq of the line of all cores: no idling, no waiting, no
/// guests.
fn machine_seconds(stat: &str) -> Option<f64> {
    let times: Vec<f64> = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace()
        .map_while(|time| time.parse().ok())
        .collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, ..] = times.as_slice() else {
        return None;
    };
    Some((user + nice + system + irq + softirq) / TICKS_PER_SECOND)
}

/// Time, and how many cores worked meanwhile.
#[derive(Debug)]
pub(super) struct Meter {
    started: Instant,
    busy: Option<f64>,
}

impl Meter {
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
            busy: busy_seconds(),
        }
    }

    /// Returns the time since the start, and the mean number of busy cores if the system provides
    /// it.
    pub(super) fn stop(self) -> (Duration, Option<f64>) {
        let elapsed = self.started.elapsed();
        let cores = busy_seconds()
            .zip(self.busy)
            .map(|(after, before)| (after - before) / elapsed.as_secs_f64());
        (elapsed, cores)
    }
}

#[cfg(test)]
mod tests {
    use super::{field, gib, machine_seconds, mib, process_seconds, relation, tree_seconds};

    #[test]
    fn times_are_read_from_proc() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 9 0 0 0 150 25 0 0 20 0 9 0 100 1 2";
        assert_eq!(process_seconds(stat), Some(1.75));
        let all = "cpu  100 10 50 9000 77 3 2 5 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(machine_seconds(all), Some(1.65));
        assert_eq!((process_seconds(""), machine_seconds("")), (None, None));
    }

    #[test]
    fn a_process_counts_with_its_descendants_alive_and_dead() {
        let stat = |pid: i32, parent: i32, own: u32, dead: u32| {
            let text =
                format!("{pid} (post gres) S {parent} 7 7 0 -1 0 9 0 0 0 {own} 0 {dead} 0 20 0");
            relation(pid, &text).unwrap()
        };
        let processes = [
            stat(1, 0, 100, 0),
            stat(7, 1, 100, 50),
            stat(8, 7, 25, 0),
            stat(9, 8, 25, 0),
        ];
        assert_eq!(tree_seconds(&processes, 7), Some(2.0));
        assert_eq!(tree_seconds(&processes, 5), None);
    }

    #[test]
    fn the_machine_is_read_from_proc() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2.0: fast\n";
        assert_eq!(field(text, "model name"), Some("Some CPU @ 2.0: fast"));
        assert_eq!(gib("2097152 kB"), Some(2.0));
    }

    #[test]
    fn memory_is_read_from_proc() {
        let status = "Name:\tleadstream\nVmHWM:\t   66560 kB\nVmRSS:\t   65536 kB\n";
        assert_eq!(mib(status, "VmHWM"), Some(65.0));
        assert_eq!(mib(status, "VmRSS"), Some(64.0));
        assert_eq!(mib("Name:\tleadstream\n", "VmHWM"), None);
    }
}
