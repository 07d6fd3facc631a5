//! The screen that tells what runs where: pure text.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use leadstream_local::Stack;
use leadstream_schemas::{BaseUrl, Topic};

use super::settings::Settings;
use super::{data_dir_flag, program};
use crate::stack_file::StackFile;
use crate::terminal::{Ink, Style};

const PLACE_LABEL: usize = 17;
const COMMAND_LABEL: usize = 12;

/// All that the screen tells.
pub(super) struct Screen<'a> {
    file: &'a StackFile,
    /// As the user wrote it.
    data_dir: &'a Path,
    stand_ins: Vec<&'static str>,
    /// Java and the class path of Kafka's tools, when Kafka was started here.
    kafka_tools: Option<(PathBuf, String)>,
}

impl<'a> Screen<'a> {
    pub(super) fn new(stack: &Stack, settings: &'a Settings, file: &'a StackFile) -> Self {
        let java = stack.java().map(Path::to_owned);
        Self {
            file,
            data_dir: &settings.args.data_dir,
            stand_ins: settings.real.stand_ins(),
            kafka_tools: java.zip(stack.kafka_classpath()),
        }
    }

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

    /// What runs where.
    fn places(&self) -> Vec<(String, String)> {
        let file = self.file;
        let mut places = vec![
            ("webhook".to_owned(), file.webhooks.whatsapp.clone()),
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
                format!("stands in for {}", self.stand_ins.join(", ")),
            ));
        }
        places.push(("logs".to_owned(), self.in_data_dir("logs")));
        places.push((
            "addresses".to_owned(),
            format!("{}, with the secrets", self.in_data_dir("stack.json")),
        ));
        places
    }

    /// Commands to copy.
    fn commands(&self) -> Vec<(&'static str, String)> {
        let stack_json = self.in_data_dir("stack.json");
        let mut commands = vec![
            (
                "leads",
                format!(
                    "psql \"$(jq -r .database_url {stack_json})\" \\\n  -c 'TABLE lead_qualifications'"
                ),
            ),
            ("events", self.console_consumer(Topic::LeadEvents)),
        ];
        if let Some(sandbox) = &self.file.sandbox {
            let of = |path: &str| format!("curl -s {sandbox}/sandbox/{path}");
            let paths = [
                ("WhatsApp", "messages"),
                ("HubSpot", "hubspot/contacts"),
                ("Salesforce", "salesforce/leads"),
            ];
            commands.extend(
                paths
                    .into_iter()
                    .filter(|(name, _)| self.stand_ins.contains(name))
                    .map(|(name, path)| (name, of(path))),
            );
        }
        commands
    }

    fn console_consumer(&self, topic: Topic) -> String {
        let tool = match &self.kafka_tools {
            Some((java, class_path)) => format!(
                "{} \\\n  -cp '{class_path}' \\\n  org.apache.kafka.tools.consumer.ConsoleConsumer",
                java.display()
            ),
            None => "kafka-console-consumer.sh".to_owned(),
        };
        format!(
            "{tool} \\\n  --bootstrap-server {} --from-beginning \\\n  --topic {}",
            self.file.kafka,
            topic.name(&self.file.topic_prefix)
        )
    }

    fn in_data_dir(&self, name: &str) -> String {
        self.data_dir.join(name).display().to_string()
    }
}

/// What to do next.
pub(super) fn closing(data_dir: &Path, file: &StackFile, style: Style) -> String {
    let mut text = String::from("\n");
    if file.phone_number_id.is_some() {
        let chat = format!("{} chat{}", program(), data_dir_flag(data_dir));
        row(&mut text, COMMAND_LABEL, "be a lead", &chat, style);
    }
    let end = "ends everything; the data stays";
    row(&mut text, COMMAND_LABEL, "Ctrl-C", end, style);
    text
}

fn row(text: &mut String, width: usize, label: &str, value: &str, style: Style) {
    let label = format!("{label:<width$}");
    let indented = value.replace('\n', &format!("\n  {:width$}", ""));
    writeln!(text, "  {}{indented}", style.paint(Ink::Faint, &label)).unwrap_or_default();
}

/// The registry's URLs, which may hold credentials, without them.
fn registries(urls: &str) -> String {
    let urls = urls.split(',').map(BaseUrl::with_credentials);
    let urls: Vec<String> = urls.flatten().map(|(url, _)| url.to_string()).collect();
    urls.join(", ")
}

/// Host, port and database of a URL that may hold user and password.
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
    use super::*;
    use crate::stack_file::tests::sample;

    fn screen(file: &StackFile) -> Screen<'_> {
        Screen {
            file,
            data_dir: Path::new(".leadstream"),
            stand_ins: vec!["WhatsApp", "HubSpot", "Salesforce"],
            kafka_tools: Some(("java".into(), "/cache/kafka/*".into())),
        }
    }

    #[test]
    fn the_screen_has_every_address_and_no_secret_in_80_columns() {
        let file = sample();
        let text = screen(&file).render(Style::PLAIN);
        for told in [
            "http://127.0.0.1:8080/webhooks/whatsapp",
            "127.0.0.1:20001",
            "127.0.0.1:20002, database leadstream",
            "http://127.0.0.1:20003/apis/ccompat/v7",
            "http://127.0.0.1:20004",
            "http://127.0.0.1:20005/metrics",
            "stands in for WhatsApp, HubSpot, Salesforce",
            ".leadstream/logs",
            "--topic lead.events",
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
        let screen = Screen {
            stand_ins: Vec::new(),
            kafka_tools: None,
            ..screen(&file)
        };
        let text = screen.render(Style::PLAIN);
        assert!(
            !text.contains("sandbox") && !text.contains("curl"),
            "{text}"
        );
        assert!(text.contains("kafka-console-consumer.sh"), "{text}");
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
