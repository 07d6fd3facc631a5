//! Provides the servers' programs: Maven resolves them once, and they are unpacked into the user's
//! cache folder.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use lzma_rust2::XzReader;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::error::LocalError;
use crate::process::run_as::{is_root, open_to_all, open_tree_to_all};
use crate::progress::Progress;
use crate::servers::maven;
use crate::servers::preflight;

const POM: &str = include_str!("../../pom.xml");
/// Disk space for the unpacked programs, Maven's cache, and the first data.
const FIRST_UNPACK_MB: u64 = 1_500;
const PARTIAL_PREFIX: &str = ".partial-";

/// The folders of the unpacked programs.
#[derive(Debug, Clone)]
pub(crate) struct Artefacts {
    root: PathBuf,
}

impl Artefacts {
    /// The class path of Kafka's servers and tools, in Java's wildcard form.
    pub(crate) fn kafka_classpath(&self) -> String {
        self.root.join("kafka/*").to_string_lossy().into_owned()
    }

    pub(crate) fn registry(&self) -> PathBuf {
        self.root.join("registry")
    }

    pub(crate) fn postgres(&self, program: &str) -> PathBuf {
        self.root.join("postgres/bin").join(program)
    }
}

/// Returns the unpacked programs; runs Maven when they are not in the cache yet.
///
/// The folder's name is a hash of its sources. It gets that name only when it is complete, so its
/// presence shows a finished unpack.
pub(crate) async fn ensure(progress: &Progress) -> Result<Artefacts, LocalError> {
    let platform = platform(env::consts::OS, env::consts::ARCH)?;
    let cache = cache_dir()?;
    let root = cache.join(format!("stack-{}", fingerprint(POM, platform)));
    if !root.is_dir() {
        make_open_folder(&cache)?;
        let _lock = lock(cache.join("lock"), progress).await?;
        // Another start may have unpacked them while this one waited.
        if !root.is_dir() {
            resolve(&cache, &root, platform, progress).await?;
        }
    }
    Ok(Artefacts { root })
}

async fn resolve(
    cache: &Path,
    root: &Path,
    platform: &str,
    progress: &Progress,
) -> Result<(), LocalError> {
    remove_abandoned(cache)?;
    preflight::disk(cache, FIRST_UNPACK_MB)?;
    let launcher = preflight::maven()?;
    let partial = tempfile::Builder::new()
        .prefix(PARTIAL_PREFIX)
        .tempdir_in(cache)
        .map_err(LocalError::io("make a folder in", cache))?;
    let step = progress.step("servers");
    step.note(
        "resolving Kafka, the schema registry and PostgreSQL with Maven (once, about 250 MB)",
    );
    maven::run(&launcher, POM, partial.path(), platform, &step).await?;

    step.doing("unpacking");
    let folder = partial.path().join("postgres");
    spawn_blocking(move || unpack_postgres(&folder))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    open_to_all(partial.path())?;
    fs::rename(partial.path(), root).map_err(LocalError::io("name the unpacked folder", root))?;
    step.done("resolved");
    Ok(())
}

/// Unpacks PostgreSQL, which is a tar within a jar.
fn unpack_postgres(folder: &Path) -> Result<(), LocalError> {
    let archive = fs::read_dir(folder)
        .map_err(LocalError::io("read the folder", folder))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ext| ext == "txz"))
        .ok_or_else(|| {
            LocalError::io("find the archive of PostgreSQL in", folder)(
                std::io::ErrorKind::NotFound.into(),
            )
        })?;
    let file = File::open(&archive).map_err(LocalError::io("open", &archive))?;
    tar::Archive::new(XzReader::new(std::io::BufReader::new(file), true))
        .unpack(folder)
        .map_err(LocalError::io("unpack", &archive))?;
    fs::remove_file(&archive).map_err(LocalError::io("remove", &archive))?;
    open_tree_to_all(folder)
}

/// Removes the remains of a killed unpack; nobody else unpacks while the cache's lock is held.
fn remove_abandoned(cache: &Path) -> Result<(), LocalError> {
    let entries = fs::read_dir(cache).map_err(LocalError::io("read the folder", cache))?;
    for entry in entries.flatten() {
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(PARTIAL_PREFIX)
        {
            crate::servers::data_dir::remove(&entry.path())?;
        }
    }
    Ok(())
}

async fn lock(path: PathBuf, progress: &Progress) -> Result<File, LocalError> {
    let file = File::create(&path).map_err(LocalError::io("open the lock file", &path))?;
    if file.try_lock().is_ok() {
        return Ok(file);
    }
    let step = progress.step("servers");
    step.note("another start is resolving them, waiting for it");
    let locked = spawn_blocking(move || file.lock().map(|()| file))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
        .map_err(LocalError::io("lock", path))?;
    step.done("resolved");
    Ok(locked)
}

/// Creates the cache folder. PostgreSQL's user can pass through it, independent of the umask.
fn make_open_folder(cache: &Path) -> Result<(), LocalError> {
    fs::create_dir_all(cache).map_err(LocalError::io("make the cache folder", cache))?;
    open_to_all(cache)
}

fn fingerprint(pom: &str, platform: &str) -> String {
    let digest = Sha256::new()
        .chain_update(platform)
        .chain_update([0])
        .chain_update(pom)
        .finalize();
    hex::encode(&digest[..8])
}

/// Returns the platform's name in the PostgreSQL artefacts.
fn platform(os: &'static str, arch: &'static str) -> Result<&'static str, LocalError> {
    match (os, arch) {
        ("linux", "x86_64") => Ok("linux-amd64"),
        ("linux", "aarch64") => Ok("linux-arm64v8"),
        ("macos", "x86_64") => Ok("darwin-amd64"),
        ("macos", "aarch64") => Ok("darwin-arm64v8"),
        _ => Err(LocalError::UnsupportedPlatform { os, arch }),
    }
}

fn cache_dir() -> Result<PathBuf, LocalError> {
    let set = |name| env::var_os(name).map(PathBuf::from);
    choose_cache(
        is_root(),
        cfg!(target_os = "macos"),
        set("XDG_CACHE_HOME"),
        set("HOME"),
    )
    .ok_or_else(|| {
        LocalError::io(
            "find the cache folder: set HOME or XDG_CACHE_HOME; without them it would be",
            "",
        )(std::io::ErrorKind::NotFound.into())
    })
}

fn choose_cache(
    root: bool,
    macos: bool,
    xdg: Option<PathBuf>,
    home: Option<PathBuf>,
) -> Option<PathBuf> {
    if root {
        // PostgreSQL's user cannot read root's home.
        return Some("/var/cache/leadstream".into());
    }
    let cache = match xdg.filter(|dir| dir.is_absolute()) {
        Some(dir) => dir,
        None => home?.join(if macos { "Library/Caches" } else { ".cache" }),
    };
    Some(cache.join("leadstream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_lies_where_the_system_keeps_caches() {
        let xdg = || Some(PathBuf::from("/x"));
        let home = || Some(PathBuf::from("/home/ann"));
        let is = |path: &str| Some(PathBuf::from(path));
        assert_eq!(
            choose_cache(false, false, xdg(), home()),
            is("/x/leadstream")
        );
        assert_eq!(
            choose_cache(false, false, None, home()),
            is("/home/ann/.cache/leadstream")
        );
        assert_eq!(
            choose_cache(false, false, Some("relative".into()), home()),
            is("/home/ann/.cache/leadstream")
        );
        assert_eq!(
            choose_cache(false, true, None, home()),
            is("/home/ann/Library/Caches/leadstream")
        );
        assert_eq!(
            choose_cache(true, false, xdg(), home()),
            is("/var/cache/leadstream")
        );
        assert_eq!(choose_cache(false, false, None, None), None);
    }

    #[test]
    fn another_pom_or_platform_is_unpacked_elsewhere() {
        let one = fingerprint("pom", "linux-amd64");
        assert_eq!(one.len(), 16);
        assert_eq!(one, fingerprint("pom", "linux-amd64"));
        assert_ne!(one, fingerprint("pom 2", "linux-amd64"));
        assert_ne!(one, fingerprint("pom", "linux-arm64v8"));
    }

    #[test]
    fn a_platform_without_postgresql_is_refused_by_name() {
        assert_eq!(platform("macos", "aarch64").unwrap(), "darwin-arm64v8");
        let error = platform("freebsd", "x86_64").unwrap_err().to_string();
        assert!(error.contains("freebsd on x86_64"), "{error}");
    }

    #[test]
    fn an_abandoned_unpack_is_removed_and_a_complete_one_kept() {
        let cache = tempfile::tempdir().unwrap();
        for name in [".partial-x/kafka", "stack-1/kafka"] {
            fs::create_dir_all(cache.path().join(name)).unwrap();
        }
        remove_abandoned(cache.path()).unwrap();
        assert!(!cache.path().join(".partial-x").exists());
        assert!(cache.path().join("stack-1/kafka").exists());
    }
}
