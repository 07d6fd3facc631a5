//! Renders the screen that lists the running parts and their addresses. Pure.

use std::fmt::Write;
use std::path::Path;

use leadstream_local::stack_file::StackFile;
use leadstream_local::up::Overview;
use leadstream_schemas::BaseUrl;

use crate::terminal::{Ink, Style};

const PLACE_LABEL: usize = 17;
const COMMAND_LABEL: usize = 12;

/// Renders the running parts as text.
pub(super) struct Screen<'a>(pub(super) Overview<'a>);

impl Screen<'_> {
    pub(super) fn render(&self, style: Style) -> String {
        let mut text = format!("\n{}\n\n", style.paint(Ink::Heading, "Leadstream is up"));
        for (label, value) in self.places() {
            row(&mut text, PLACE_LABEL, &label, &value, style);
        }
        let heading = style.paint(Ink::Heading, "Look inside");
        write!(text, "\n{heading}\n\n").unwrap_or_default();
        for (label, command) in self.commands() {
            row(&mut text, COMMAND_LABEL, label, &command, style);
        }
        text
    }

    /// Returns the running parts with their addresses.
    fn places(&self) -> Vec<(String, String)> {
        let file = self.0.file;
        let mut places = vec![
            ("webhook".to_owned(), file.webhooks.whatsapp.clone()),
            ("API".to_owned(), file.api.clone()),
            ("Kafka".to_owned(), file.kafka.clone()),
            (
                "schema registry".to_owned(),
                registries(&file.schema_registry),
            ),
            (
                "PostgreSQL".to_owned(),
                without_credentials(&file.database_url),
            ),
        ];
        for (service, metrics) in &file.metrics {
            places.push((service.clone(), metrics.clone()));
        }
        if let Some(sandbox) = &file.sandbox {
            places.push(("sandbox".to_owned(), sandbox.clone()));
            places.push((
                String::new(),
                format!("simulates {}", self.0.stand_ins.join(", ")),
            ));
        }
        places.push(("logs".to_owned(), self.in_data_dir("logs")));
        let (json, shell) = (self.in_data_dir("stack.json"), self.in_data_dir("env"));
        places.push((
            "addresses".to_owned(),
            format!("{json} and, for your shell, {shell}\nboth with the secrets"),
        ));
        places
    }

    /// Returns commands that the user may copy.
    fn commands(&self) -> Vec<(&'static str, String)> {
        let env = self.in_data_dir("env");
        // A path without a slash would be looked up in PATH.
        let env = if env.starts_with(['/', '.']) {
            env
        } else {
            format!("./{env}")
        };
        let mut commands = vec![
            ("events", command(self.0.data_dir, "events --follow")),
            (
                "leads",
                format!("(. {env}; psql -c 'TABLE lead_qualifications')"),
            ),
            (
                "API",
                format!(
                    "(. {env}; curl -s \\\n  -H \"authorization: Bearer $API_TOKEN\" \"$API_URL/v1/leads\")"
                ),
            ),
        ];
        if let Some(sandbox) = &self.0.file.sandbox {
            let of = |path: &str| format!("curl -s {sandbox}/sandbox/{path}");
            let paths = [
                ("WhatsApp", "messages"),
                ("HubSpot", "hubspot/contacts"),
                ("Salesforce", "salesforce/leads"),
            ];
            commands.extend(
                paths
                    .into_iter()
                    .filter(|(name, _)| self.0.stand_ins.contains(name))
                    .map(|(name, path)| (name, of(path))),
            );
        }
        commands
    }

    fn in_data_dir(&self, name: &str) -> String {
        self.0.data_dir.join(name).display().to_string()
    }
}

/// Returns the next steps for the user.
pub(super) fn closing(data_dir: &Path, file: &StackFile, style: Style) -> String {
    let mut text = String::from("\n");
    if file.phone_number_id.is_some() {
        let chat = command(data_dir, "chat");
        row(&mut text, COMMAND_LABEL, "be a lead", &chat, style);
    }
    let end = "ends everything; the data stays";
    row(&mut text, COMMAND_LABEL, "Ctrl-C", end, style);
    text
}

/// Returns a command for the stack, which the user can copy.
fn command(data_dir: &Path, command: &str) -> String {
    format!("{} {command}{}", program(), data_dir_flag(data_dir))
}

/// Returns the program as the user called it.
fn program() -> String {
    std::env::args()
        .next()
        .unwrap_or_else(|| "leadstream".to_owned())
}

/// Returns `--data-dir` if it is needed to find the stack.
fn data_dir_flag(data_dir: &Path) -> String {
    if data_dir == Path::new(".leadstream") {
        String::new()
    } else {
        format!(" --data-dir {}", data_dir.display())
    }
}

fn row(text: &mut String, width: usize, label: &str, value: &str, style: Style) {
    let label = format!("{label:<width$}");
    let indented = value.replace('\n', &format!("\n  {:width$}", ""));
    writeln!(text, "  {}{indented}", style.paint(Ink::Faint, &label)).unwrap_or_default();
}

/// Returns the registry's URLs without credentials.
fn registries(urls: &str) -> String {
    let urls = urls.split(',').map(BaseUrl::with_credentials);
    let urls: Vec<String> = urls.flatten().map(|(url, _)| url.to_string()).collect();
    urls.join(", ")
}

/// Returns host, port and database of a URL that may hold user and password.
fn without_credentials(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let place = place.split_once('?').map_or(place, |(place, _)| place);
    match place.split_once('/') {
        Some((host, database)) => format!("{host}, database {database}"),
        None => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use leadstream_local::stack_file::Webhooks;

    use super::*;

    fn sample() -> StackFile {
        StackFile {
            kafka: "127.0.0.1:20001".into(),
            topic_prefix: String::new(),
            schema_registry: "http://127.0.0.1:20003/apis/ccompat/v7".into(),
            database_url: "postgres://leadstream:pw@127.0.0.1:20002/leadstream".into(),
            webhooks: Webhooks {
                whatsapp: "http://127.0.0.1:8080/webhooks/whatsapp".into(),
                wasender: "http://127.0.0.1:8080/webhooks/wasender".into(),
            },
            phone_number_id: Some("106540352242922".into()),
            meta_app_secret: "app".into(),
            meta_verify_token: "verify".into(),
            wasender_webhook_secret: "wasender".into(),
            api: "http://127.0.0.1:20006".into(),
            api_token: "token".into(),
            sandbox: Some("http://127.0.0.1:20004".into()),
            metrics: [("ingest".into(), "http://127.0.0.1:20005/metrics".into())].into(),
            settings: [].into(),
            pid: 1,
        }
    }

    fn screen(file: &StackFile) -> Screen<'_> {
        Screen(Overview {
            file,
            data_dir: Path::new(".leadstream"),
            stand_ins: vec!["WhatsApp", "HubSpot", "Salesforce"],
        })
    }

    #[test]
    fn the_screen_has_every_address_and_no_secret_in_80_columns() {
        let file = sample();
        // The program's own path may be of any length.
        let text = screen(&file)
            .render(Style::PLAIN)
            .replace(&super::program(), "leadstream");
        for told in [
            "http://127.0.0.1:8080/webhooks/whatsapp",
            "127.0.0.1:20001",
            "127.0.0.1:20002, database leadstream",
            "http://127.0.0.1:20003/apis/ccompat/v7",
            "http://127.0.0.1:20004",
            "http://127.0.0.1:20005/metrics",
            "simulates WhatsApp, HubSpot, Salesforce",
            ".leadstream/logs",
            "http://127.0.0.1:20006",
            " events --follow",
            "(. .leadstream/env; psql",
            "$API_TOKEN",
        ] {
            assert!(text.contains(told), "{told} is missing in {text}");
        }
        assert!(!text.contains("pw@"), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }

    #[test]
    fn what_is_real_has_no_address_in_the_sandbox() {
        let file = StackFile {
            sandbox: None,
            phone_number_id: None,
            ..sample()
        };
        let screen = Screen(Overview {
            stand_ins: Vec::new(),
            ..screen(&file).0
        });
        let text = screen.render(Style::PLAIN);
        assert!(!text.contains("sandbox"), "{text}");
        assert!(!closing(Path::new("x"), &file, Style::PLAIN).contains("chat"));
    }

    #[test]
    fn credentials_are_left_out_of_an_address() {
        for url in [
            "postgres://me:p@ss@db:5432/leads?sslmode=require",
            "postgres://db:5432/leads",
        ] {
            assert_eq!(without_credentials(url), "db:5432, database leads");
        }
        assert_eq!(without_credentials("postgres://me:x@db"), "db");
        assert_eq!(
            registries("http://me:x@a:8081/,http://b/v7"),
            "http://a:8081, http://b/v7"
        );
    }
}
