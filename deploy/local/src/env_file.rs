//! Writes the settings of a running stack as a file for the shell: one's own tools then find it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::private_file;
use crate::stack_file::{StackFile, StackFileError, failed};

const NAME: &str = "env";
/// The variable that names the file in each shell that read it.
pub(crate) const READ_FROM: &str = "LEADSTREAM_ENV_FILE";

/// Writes the file for `stack` to the folder `data_dir`, an absolute path.
///
/// # Errors
/// [`StackFileError::Io`].
pub(crate) fn write(stack: &StackFile, data_dir: &Path) -> Result<(), StackFileError> {
    let path = data_dir.join(NAME);
    private_file::write(&path, content(stack, data_dir).as_bytes()).map_err(failed("written", path))
}

/// # Errors
/// [`StackFileError::Io`].
pub(crate) fn remove(data_dir: &Path) -> Result<(), StackFileError> {
    let path = data_dir.join(NAME);
    private_file::remove(&path).map_err(failed("removed", path))
}

fn content(stack: &StackFile, data_dir: &Path) -> String {
    let path = data_dir.join(NAME).display().to_string();
    let mut variables = stack.settings.clone();
    variables.extend(postgres(&stack.database_url));
    variables.insert("API_URL".to_owned(), stack.api.clone());
    variables.insert("API_TOKEN".to_owned(), stack.api_token.clone());
    if let Some(sandbox) = &stack.sandbox {
        variables.insert("SANDBOX_URL".to_owned(), sandbox.clone());
    }
    let folder = data_dir.display().to_string();
    variables.insert("LEADSTREAM_DATA_DIR".to_owned(), folder);
    variables.insert(READ_FROM.to_owned(), path.clone());
    let mut text = format!(
        "# Addresses and secrets of a running `leadstream up`, for your own tools: . {}\n",
        quoted(&path)
    );
    for (name, value) in &variables {
        let _ = writeln!(text, "export {name}={}", quoted(value));
    }
    text
}

/// Returns what psql and other programs of PostgreSQL read, as far as the URL says it.
fn postgres(url: &str) -> BTreeMap<String, String> {
    let Ok(url) = Url::parse(url) else {
        return BTreeMap::new();
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let variables = [
        ("PGHOST", url.host_str().map(decoded)),
        ("PGPORT", url.port().map(|port| port.to_string())),
        ("PGUSER", Some(decoded(url.username()))),
        ("PGPASSWORD", url.password().map(decoded)),
        (
            "PGDATABASE",
            Some(decoded(url.path().trim_start_matches('/'))),
        ),
        (
            "PGSSLMODE",
            url.query_pairs()
                .find(|(name, _)| name == "sslmode")
                .map(|(_, value)| value.into_owned()),
        ),
    ];
    variables
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.filter(|it| !it.is_empty())?)))
        .collect()
}

/// Quotes a value for a POSIX shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;
    use crate::stack_file::tests::sample;

    #[test]
    fn a_shell_reads_each_value_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut stack = sample();
        let odd = "it's \"$HOME\" `x` \\ ü\nnext";
        stack.settings.insert("KAFKA_CONFIG".into(), odd.into());
        stack.database_url = "postgres://me:p%40ss%27@db:5433/leads?sslmode=require".into();
        let file = dir.path().join(NAME);
        write(&stack, dir.path()).unwrap();
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let script = r#". "$0"; printf '%s|' "$KAFKA_CONFIG" "$PGHOST" "$PGPORT" "$PGUSER" "$PGPASSWORD" "$PGDATABASE" "$PGSSLMODE" "$API_URL" "$API_TOKEN" "$SANDBOX_URL" "$LEADSTREAM_ENV_FILE""#;
        let output = Command::new("/bin/sh")
            .args(["-euc", script])
            .arg(&file)
            .output()
            .unwrap();

        let read = String::from_utf8(output.stdout).unwrap();
        let expected = [
            odd,
            "db",
            "5433",
            "me",
            "p@ss'",
            "leads",
            "require",
            &stack.api,
            &stack.api_token,
            "http://127.0.0.1:20004",
            file.to_str().unwrap(),
        ];
        assert_eq!(read, format!("{}|", expected.join("|")));
        remove(dir.path()).unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn what_the_database_url_does_not_say_is_left_to_psql() {
        let names = |url| postgres(url).into_keys().collect::<Vec<_>>();
        assert_eq!(names("postgres://db/leads"), ["PGDATABASE", "PGHOST"]);
        assert_eq!(names("no url"), Vec::<String>::new());
    }
}
