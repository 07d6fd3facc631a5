//! Chooses the user as which PostgreSQL runs, because it refuses root.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use nix::unistd::{User, geteuid};

use crate::error::LocalError;

/// The user of a child process, if it is not the current user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunAs {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl RunAs {
    /// Returns the user to run as with the data folder `data`. That is the own user (`None`) unless
    /// it is root. Then it is the owner of existing data, else `postgres` or `nobody`.
    pub(crate) fn for_data(data: &Path) -> Result<Option<Self>, LocalError> {
        if !is_root() {
            return Ok(None);
        }
        match fs::metadata(data) {
            Ok(meta) if meta.uid() == 0 => Err(LocalError::DataOwnedByRoot {
                dir: data.to_owned(),
            }),
            Ok(meta) => Ok(Some(Self {
                uid: meta.uid(),
                gid: meta.gid(),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => service_user().map(Some),
            Err(error) => Err(LocalError::io("look at", data)(error)),
        }
    }

    /// Makes this user the owner of `path`.
    pub(crate) fn own(self, path: &Path) -> Result<(), LocalError> {
        chown(path, Some(self.uid), Some(self.gid))
            .map_err(LocalError::io("change the owner of", path))
    }
}

pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// Returns whether every user may pass through `dir` and the folders above it.
pub(crate) fn is_open_to_all(dir: &Path) -> bool {
    dir.ancestors()
        .all(|dir| fs::metadata(dir).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0))
}

/// Lets every user read and pass through the folder `dir`, independent of the umask.
pub(crate) fn open_to_all(dir: &Path) -> Result<(), LocalError> {
    add_mode(dir, 0o755)
}

/// Lets every user read all files below `dir`, and run those that the owner may run.
pub(crate) fn open_tree_to_all(dir: &Path) -> Result<(), LocalError> {
    open_to_all(dir)?;
    let entries = fs::read_dir(dir).map_err(LocalError::io("read the folder", dir))?;
    for entry in entries {
        let path = entry
            .map_err(LocalError::io("read the folder", dir))?
            .path();
        let meta = fs::symlink_metadata(&path).map_err(LocalError::io("look at", &path))?;
        if meta.is_dir() {
            open_tree_to_all(&path)?;
        } else if meta.is_file() {
            let runnable = meta.mode() & 0o100 != 0;
            add_mode(&path, if runnable { 0o555 } else { 0o444 })?;
        }
    }
    Ok(())
}

fn add_mode(path: &Path, mode: u32) -> Result<(), LocalError> {
    fs::metadata(path)
        .and_then(|meta| fs::set_permissions(path, Permissions::from_mode(meta.mode() | mode)))
        .map_err(LocalError::io("set the permissions of", path))
}

fn service_user() -> Result<RunAs, LocalError> {
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .filter(|user| !user.uid.is_root())
        .map(|user| RunAs {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        })
        .ok_or(LocalError::NoServiceUser)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_below_a_closed_one_is_not_open_to_all() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let close = |mode| fs::set_permissions(dir.path(), Permissions::from_mode(mode));

        close(0o700).unwrap();
        assert!(!is_open_to_all(&inner));
        close(0o755).unwrap();
        assert_eq!(
            is_open_to_all(&inner),
            is_open_to_all(&std::env::temp_dir())
        );
    }

    #[test]
    fn a_closed_tree_is_opened_for_reading_and_running_but_not_for_writing() {
        let dir = tempfile::tempdir().unwrap();
        let (bin, program, data) = (
            dir.path().join("bin"),
            dir.path().join("bin/program"),
            dir.path().join("bin/data"),
        );
        fs::create_dir(&bin).unwrap();
        for (path, mode) in [(&program, 0o700), (&data, 0o600), (&bin, 0o700)] {
            if path != &bin {
                fs::write(path, "").unwrap();
            }
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }

        open_tree_to_all(dir.path()).unwrap();

        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(
            [mode(&bin), mode(&program), mode(&data)],
            [0o755, 0o755, 0o644]
        );
    }

    #[test]
    fn only_root_runs_postgresql_as_another_user() {
        let dir = tempfile::tempdir().unwrap();
        let user = RunAs::for_data(&dir.path().join("missing")).unwrap();
        assert_eq!(user.is_some(), is_root());
        assert!(user.is_none_or(|user| user.uid != 0));
    }

    #[test]
    fn root_keeps_the_owner_of_existing_data() {
        let dir = tempfile::tempdir().unwrap();
        if !is_root() {
            assert_eq!(RunAs::for_data(dir.path()).unwrap(), None);
            return;
        }
        let refused = RunAs::for_data(dir.path()).unwrap_err();
        assert!(matches!(refused, LocalError::DataOwnedByRoot { .. }));
        let owner = RunAs {
            uid: 4242,
            gid: 4243,
        };
        owner.own(dir.path()).unwrap();
        assert_eq!(RunAs::for_data(dir.path()).unwrap(), Some(owner));
    }
}
