//! Manages log files of child processes: appends to them, bounds them, and quotes them in errors.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// Lines of a log that an error quotes.
pub(crate) const TAIL_LINES: usize = 20;

const ROTATE_ABOVE_BYTES: u64 = 10 * 1024 * 1024;
const TAIL_BYTES: u64 = 16 * 1024;

/// Opens `path` for appending; a large file first becomes `<path>.1`. Returns the file and the
/// offset where this run's lines begin.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    if fs::metadata(path).is_ok_and(|log| log.len() > ROTATE_ABOVE_BYTES) {
        let mut rotated = path.as_os_str().to_owned();
        rotated.push(".1");
        fs::rename(path, rotated)?;
    }
    let file = File::options().create(true).append(true).open(path)?;
    let start = file.metadata()?.len();
    Ok((file, start))
}

/// Returns the last `lines` lines written at or after the offset `from`, for an error text.
pub(crate) fn tail(path: &Path, from: u64, lines: usize) -> String {
    match read_end(path, from) {
        Ok(text) if text.trim().is_empty() => "(it wrote nothing)".to_owned(),
        Ok(text) => last_lines(&text, lines),
        Err(error) => format!("(unreadable: {error})"),
    }
}

/// Returns the last `lines` lines of `text`, without trailing blank ones.
pub(crate) fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn read_end(path: &Path, from: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(from.max(length.saturating_sub(TAIL_BYTES))))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_tail_holds_only_the_last_lines_of_this_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        fs::write(&path, "earlier run\n").unwrap();

        let (mut file, start) = open(&path).unwrap();
        assert_eq!(tail(&path, start, 2), "(it wrote nothing)");
        file.write_all(b"one\ntwo\nthree\n\n").unwrap();

        assert_eq!(tail(&path, start, 2), "two\nthree");
        assert_eq!(tail(&path, start, 9), "one\ntwo\nthree");
    }

    #[test]
    fn a_tail_reads_a_bounded_part_of_a_long_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        fs::write(&path, "x".repeat(100_000)).unwrap();
        assert_eq!(tail(&path, 0, 5).len() as u64, TAIL_BYTES);
    }

    #[test]
    fn a_large_log_is_rotated_when_it_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let large = File::create(&path).unwrap();
        large.set_len(ROTATE_ABOVE_BYTES + 1).unwrap();

        let (file, start) = open(&path).unwrap();

        assert_eq!((start, file.metadata().unwrap().len()), (0, 0));
        let rotated = fs::metadata(dir.path().join("a.log.1")).unwrap();
        assert_eq!(rotated.len(), ROTATE_ABOVE_BYTES + 1);
    }
}
