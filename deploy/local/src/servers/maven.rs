//! Runs Maven once and shows its downloads.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::Path,
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::error::LocalError;
use crate::process::log::{TAIL_LINES, last_lines};
use crate::progress::Step;

/// Runs the launcher `maven` with the text `pom`, which writes below `output`.
pub(crate) async fn run(
    maven: &Path,
    pom_text: &str,
    output: &Path,
    platform: &str,
    step: &Step,
) -> Result<(), LocalError> {
    let pom = output.join("pom.xml");
    fs::write(&pom, pom_text).map_err(LocalError::io("write", &pom))?;
    // The launcher writes its own errors to standard error.
    let complaints = output.join("maven.err");
    let stderr = File::create(&complaints).map_err(LocalError::io("write", &complaints))?;
    let mut folder = OsString::from("-Dstack.output=");
    folder.push(output);
    let mut child = Command::new(maven)
        .args(["-B", "-C", "-Dstyle.color=never", "-f"])
        .arg(&pom)
        .arg(folder)
        .arg(format!("-Dstack.platform={platform}"))
        .arg("generate-resources")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .kill_on_drop(true)
        .spawn()
        .map_err(LocalError::io("start", maven))?;
    let mut text = String::new();
    let mut files = 0_u32;
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout).lines();
        let read = LocalError::io("read the output of", maven);
        loop {
            match lines.next_line().await {
                Ok(Some(line)) => show(&line, &mut files, &mut text, step),
                Ok(None) => break,
                Err(error) => return Err(read(error)),
            }
        }
    }
    let status = child
        .wait()
        .await
        .map_err(LocalError::io("wait for", maven))?;
    if !status.success() {
        text.push_str(&fs::read_to_string(&complaints).unwrap_or_default());
        return Err(LocalError::Command {
            what: "Maven",
            status,
            tail: last_lines(&text, TAIL_LINES),
        });
    }
    Ok(())
}

/// Shows a download; collects all other lines for an error text.
fn show(line: &str, files: &mut u32, text: &mut String, step: &Step) {
    match parse_transfer(line) {
        Some(Transfer::Begun(file)) => {
            step.doing(format!("{file} (after {files} files)"));
        }
        Some(Transfer::Done(what)) => {
            *files += 1;
            // Hundreds of small files would hide the few that take time.
            if what.contains(" MB at ") {
                step.note(what);
            }
        }
        None => {
            text.push_str(line);
            text.push('\n');
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Transfer<'a> {
    /// File name.
    Begun(&'a str),
    /// File name with its size and speed, as Maven words them.
    Done(&'a str),
}

/// Reads Maven's lines `Downloading from <repository>: <url>` and
/// `Downloaded from <repository>: <url> (<size> at <speed>)`.
fn parse_transfer(line: &str) -> Option<Transfer<'_>> {
    let line = line.strip_prefix("[INFO] ").unwrap_or(line);
    let (verb, rest) = line.split_once(" from ")?;
    let (_, url) = rest.split_once(": ")?;
    let path_end = url.find(' ').unwrap_or(url.len());
    let name_start = url[..path_end].rfind('/').map_or(0, |slash| slash + 1);
    match verb {
        "Downloading" => Some(Transfer::Begun(&url[name_start..path_end])),
        "Downloaded" => Some(Transfer::Done(&url[name_start..])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_are_read_from_what_maven_prints() {
        let file = "https://host/maven/org/a/1/a-1.jar";
        assert_eq!(
            parse_transfer(&format!("[INFO] Downloading from central: {file}")),
            Some(Transfer::Begun("a-1.jar"))
        );
        assert_eq!(
            parse_transfer(&format!(
                "Downloaded from central: {file} (54 MB at 9.1 MB/s)"
            )),
            Some(Transfer::Done("a-1.jar (54 MB at 9.1 MB/s)"))
        );
        assert_eq!(parse_transfer("[INFO] Scanning for projects..."), None);
        assert_eq!(
            parse_transfer("[ERROR] Could not transfer a from b: c"),
            None
        );
    }
}
