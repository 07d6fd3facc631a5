//! Lays out the data folder, and locks it for one stack.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crate::error::LocalError;

/// An open data folder, which is locked until it is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    root: PathBuf,
    lock: File,
}

impl DataDir {
    /// Creates the folder if it is missing, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, LocalError> {
        fs::create_dir_all(path).map_err(LocalError::io("make the data folder", path))?;
        let root = path
            .canonicalize()
            .map_err(LocalError::io("open the data folder", path))?;
        let lock = lock(&root)?;
        let dir = Self { root, lock };
        // Each start empties the folder: a killed Java leaves its unpacked libraries in it.
        remove(&dir.tmp())?;
        for folder in [dir.logs(), dir.pids(), dir.tmp()] {
            fs::create_dir_all(&folder).map_err(LocalError::io("make the folder", &folder))?;
        }
        Ok(dir)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(crate) fn pids(&self) -> PathBuf {
        self.root.join("pids")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // Closing is not enough: a child that is starting can still hold a copy.
        let _ = self.lock.unlock();
    }
}

/// Removes a file or a folder with its content, if it exists.
pub(crate) fn remove(path: &Path) -> Result<(), LocalError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(LocalError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn lock(root: &Path) -> Result<File, LocalError> {
    let path = root.join("lock");
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(LocalError::io("open the lock file", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let _ = file.read_to_string(&mut owner);
            return Err(LocalError::AlreadyRunning {
                dir: root.to_owned(),
                owner: owner.trim().parse().ok(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(LocalError::io("lock", path)(error)),
    }
    file.set_len(0)
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map_err(LocalError::io("write the lock file", path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_s_error_names_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let _first = DataDir::open(dir.path()).unwrap();

        let error = DataDir::open(dir.path()).unwrap_err();

        let owner = format!("(process {})", std::process::id());
        assert!(matches!(error, LocalError::AlreadyRunning { .. }));
        assert!(error.to_string().contains(&owner), "{error}");
    }

    #[test]
    fn the_folder_is_free_again_when_its_owner_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        drop(DataDir::open(dir.path()).unwrap());
        DataDir::open(dir.path()).unwrap();
    }

    #[test]
    fn opening_makes_the_folder_and_empties_only_the_temporary_part() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("a/b");
        drop(DataDir::open(&root).unwrap());
        fs::write(root.join("tmp/library.so"), "").unwrap();
        fs::write(root.join("logs/kafka.log"), "").unwrap();

        let open = DataDir::open(&root).unwrap();

        assert_eq!(fs::read_dir(open.tmp()).unwrap().count(), 0);
        assert!(open.logs().join("kafka.log").exists());
    }

    #[test]
    fn what_is_not_there_counts_as_removed() {
        let dir = tempfile::tempdir().unwrap();
        remove(&dir.path().join("nothing")).unwrap();
        fs::create_dir_all(dir.path().join("some/thing")).unwrap();
        remove(&dir.path().join("some")).unwrap();
        assert!(!dir.path().join("some").exists());
    }
}
