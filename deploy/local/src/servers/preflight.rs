//! Checks the preconditions of a server's start: Java, Maven, free space on the disk.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::statvfs::statvfs;

use crate::error::LocalError;

const JAVA_AT_LEAST: u32 = 17;

const BREWED_JAVA: [&str; 4] = [
    "/opt/homebrew/opt/openjdk@17/bin/java",
    "/opt/homebrew/opt/openjdk/bin/java",
    "/usr/local/opt/openjdk@17/bin/java",
    "/usr/local/opt/openjdk/bin/java",
];

const INSTALL_JAVA: &str = if cfg!(target_os = "macos") {
    "run `brew install openjdk@17`"
} else {
    "run `apt-get install -y openjdk-17-jre-headless` (where that is not offered, `openjdk-21-jre-headless`)"
};

const INSTALL_MAVEN: &str = if cfg!(target_os = "macos") {
    "run `brew install maven`"
} else {
    "run `apt-get install -y maven`"
};

/// Returns the first Java launcher that is new enough: of JAVA_HOME, PATH, or Homebrew's own
/// folders.
pub(crate) fn java() -> Result<PathBuf, LocalError> {
    let home = env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    // Homebrew does not add its Java to PATH.
    let brewed = BREWED_JAVA.into_iter().map(PathBuf::from);
    let candidates = home.into_iter().chain(find_in_path("java")).chain(brewed);
    choose_java(candidates.filter_map(|java| Some((java_version(&java)?, java))))
}

fn choose_java(found: impl Iterator<Item = (u32, PathBuf)>) -> Result<PathBuf, LocalError> {
    let mut too_old = None;
    for (version, java) in found {
        if version >= JAVA_AT_LEAST {
            return Ok(java);
        }
        too_old.get_or_insert((version, java));
    }
    Err(match too_old {
        Some((found, java)) => LocalError::JavaTooOld {
            java,
            found,
            install: INSTALL_JAVA,
        },
        None => LocalError::JavaMissing {
            install: INSTALL_JAVA,
        },
    })
}

/// Returns the version; `None` also for a launcher without a Java behind it, as macOS has one.
fn java_version(java: &Path) -> Option<u32> {
    let output = Command::new(java).arg("-version").output().ok()?;
    java_major(&String::from_utf8_lossy(&output.stderr))
}

/// Returns Maven's launcher.
pub(crate) fn maven() -> Result<PathBuf, LocalError> {
    find_in_path("mvn").ok_or(LocalError::MavenMissing {
        install: INSTALL_MAVEN,
    })
}

/// Checks that the disk of the existing folder `dir` has `need_mb` MB free.
pub(crate) fn disk(dir: &Path, need_mb: u64) -> Result<(), LocalError> {
    let stat =
        statvfs(dir).map_err(|error| LocalError::io("measure the disk of", dir)(error.into()))?;
    let free_mb = mb(stat.blocks_available(), stat.fragment_size());
    if free_mb < need_mb {
        return Err(LocalError::DiskFull {
            path: dir.to_owned(),
            free_mb,
            need_mb,
        });
    }
    Ok(())
}

/// Converts numbers whose width depends on the system.
fn mb(blocks: impl Into<u64>, block_bytes: impl Into<u64>) -> u64 {
    blocks.into().saturating_mul(block_bytes.into()) >> 20
}

fn find_in_path(program: &str) -> Option<PathBuf> {
    find_in(&env::var_os("PATH")?, program)
}

fn find_in(path: &OsStr, program: &str) -> Option<PathBuf> {
    env::split_paths(path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Returns the major version in `java -version`: `17` of "17.0.15", `8` of "1.8.0_292".
fn java_major(text: &str) -> Option<u32> {
    let quoted = text.split('"').nth(1)?;
    let mut numbers = quoted.split(|c: char| !c.is_ascii_digit());
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_java_prints() {
        for (text, major) in [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK", Some(17)),
            ("java version \"1.8.0_292\"\n", Some(8)),
            ("openjdk version \"21\" 2023-09-19", Some(21)),
            ("openjdk version \"24-ea\" 2025-03-18", Some(24)),
            (
                "Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"17.0.2\"",
                Some(17),
            ),
            ("Unable to locate a Java Runtime.", None),
            ("openjdk version \"\"", None),
        ] {
            assert_eq!(java_major(text), major, "{text}");
        }
    }

    #[test]
    fn the_first_java_that_is_new_enough_is_taken() {
        let found = [(11, "/a"), (21, "/b"), (17, "/c")].map(|(v, java)| (v, java.into()));
        assert_eq!(choose_java(found.into_iter()).unwrap(), Path::new("/b"));
        let missing = choose_java(std::iter::empty()).unwrap_err();
        assert!(matches!(missing, LocalError::JavaMissing { .. }));
    }

    #[test]
    fn a_nearly_full_disk_is_named_with_what_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        disk(dir.path(), 0).unwrap();
        let text = disk(dir.path(), u64::MAX).unwrap_err().to_string();
        assert!(text.contains(&dir.path().display().to_string()), "{text}");
        assert!(text.contains("MB are needed"), "{text}");
    }

    #[test]
    fn a_program_is_found_in_the_first_folder_that_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mvn");
        std::fs::write(&file, "").unwrap();
        let path = env::join_paths([Path::new("/nonexistent"), dir.path()]).unwrap();
        assert_eq!(find_in(&path, "mvn"), Some(file));
        assert_eq!(find_in(&path, "java"), None);
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_installs_it() {
        let maven = LocalError::MavenMissing {
            install: INSTALL_MAVEN,
        };
        assert!(maven.to_string().contains("install"), "{maven}");
        let old = choose_java([(11, "/usr/bin/java".into())].into_iter()).unwrap_err();
        assert!(
            old.to_string().contains("/usr/bin/java is Java 11"),
            "{old}"
        );
        assert!(old.to_string().contains("install"), "{old}");
    }
}
