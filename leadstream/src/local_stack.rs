//! Gives a command the settings of the `leadstream up` that runs in its data folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use leadstream_local::stack_file::StackFile;
use leadstream_service::Secret;

/// The id of the argument `--data-dir`.
const DATA_DIR: &str = "data_dir";
const DEFAULT_DATA_DIR: &str = ".leadstream";
/// The settings that say which installation a command works on.
const CONNECTIONS: [&str; 3] = [
    "KAFKA_BOOTSTRAP_SERVERS",
    "SCHEMA_REGISTRY_URL",
    "DATABASE_URL",
];
/// Commands that find the stack themselves.
const LOCAL: [&str; 2] = ["up", "chat"];
/// A stack in the current folder must not change what a service connects to.
const SERVICES: [&str; 5] = ["ingest", "processor", "sink-crm", "sink-whatsapp", "api"];

type Settings = BTreeMap<String, String>;

/// Parses the arguments. If a stack runs in the data folder, missing settings are the stack's.
///
/// A user who names servers of their own keeps all of their own settings: no command works on parts of
/// two installations.
///
/// # Errors
/// Returns an error if `--data-dir` names no running stack, or another one than other settings.
pub(crate) fn parse(command: &Command) -> anyhow::Result<ArgMatches> {
    let matches = command.clone().get_matches();
    let path = path(&matches);
    let (Some(first), Some(leaf)) = (path.first(), leaf(&matches)) else {
        return Ok(matches);
    };
    let named = leaf.value_source(DATA_DIR) == Some(ValueSource::CommandLine);
    if LOCAL.contains(&first.as_str()) || (SERVICES.contains(&first.as_str()) && !named) {
        return Ok(matches);
    }
    let data_dir = leaf.get_one::<PathBuf>(DATA_DIR);
    let data_dir = data_dir.map_or(Path::new(DEFAULT_DATA_DIR), PathBuf::as_path);
    let stack = match StackFile::find(data_dir) {
        Ok(stack) => stack,
        Err(error) if named => return Err(error.into()),
        Err(_) => return Ok(matches),
    };
    let arguments = variables(command, &path);
    if let Some(other) = other_connection(&given(leaf, &arguments)?, &stack.settings) {
        if named {
            bail!(
                "{other} differs from that of the stack in {}: unset it, or leave out --data-dir",
                data_dir.display()
            );
        }
        return Ok(matches);
    }
    let defaults = defaults(arguments.keys(), &stack.settings)?;
    Ok(with_defaults(command.clone(), &path, &defaults).get_matches())
}

/// Returns whether a variable says which installation a command works on.
pub(crate) fn is_connection(variable: &str) -> bool {
    CONNECTIONS.contains(&variable)
}

/// Returns the names of the subcommands, such as `crm` and `status`.
fn path(matches: &ArgMatches) -> Vec<String> {
    let names = std::iter::successors(matches.subcommand(), |(_, matches)| matches.subcommand());
    names.map(|(name, _)| name.to_owned()).collect()
}

fn leaf(matches: &ArgMatches) -> Option<&ArgMatches> {
    let all = std::iter::successors(matches.subcommand(), |(_, matches)| matches.subcommand());
    all.last().map(|(_, matches)| matches)
}

/// Returns the argument's id for each variable that the command reads.
fn variables(command: &Command, path: &[String]) -> BTreeMap<String, String> {
    let leaf = path
        .iter()
        .try_fold(command, |command, name| command.find_subcommand(name));
    leaf.into_iter()
        .flat_map(Command::get_arguments)
        .filter(|arg| arg.get_action().takes_values())
        .filter_map(|arg| {
            let variable = arg.get_env()?.to_str()?.to_owned();
            Some((variable, arg.get_id().to_string()))
        })
        .collect()
}

/// Returns the connections that the user names, by flag, variable or file.
fn given(leaf: &ArgMatches, arguments: &BTreeMap<String, String>) -> anyhow::Result<Settings> {
    let mut given = Settings::new();
    for name in CONNECTIONS {
        let flag = arguments
            .get(name)
            .filter(|id| leaf.value_source(id) == Some(ValueSource::CommandLine))
            .and_then(|id| leaf.get_raw(id))
            .map(|values| {
                values
                    .collect::<Vec<_>>()
                    .join(OsString::from(",").as_os_str())
            });
        let variable = || std::env::var_os(name).filter(|value| !value.is_empty());
        let value = match flag.or_else(variable) {
            Some(value) => Some(value.to_string_lossy().into_owned()),
            None => Secret::resolve(None, name)?.map(|secret| secret.expose().to_owned()),
        };
        given.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(given)
}

/// Returns the name of a connection that is not the stack's.
fn other_connection<'a>(given: &'a Settings, stack: &Settings) -> Option<&'a str> {
    let mut given = given.iter();
    given
        .find(|(name, value)| stack.get(*name) != Some(*value))
        .map(|(name, _)| name.as_str())
}

/// Returns the stack's values for `variables`. One that a file holds is read from it.
fn defaults<'a>(
    variables: impl Iterator<Item = &'a String>,
    stack: &Settings,
) -> anyhow::Result<Settings> {
    let mut defaults = Settings::new();
    for name in variables {
        let in_file = format!("{name}_FILE");
        if std::env::var_os(&in_file).is_some() {
            continue;
        }
        if let Some(value) = stack.get(name) {
            defaults.insert(name.clone(), value.clone());
        } else if let Some(path) = stack.get(&in_file) {
            let value = std::fs::read_to_string(path).with_context(|| {
                format!("{in_file} of the stack names {path}, which cannot be read")
            })?;
            let value = value.trim_end_matches(['\r', '\n']).to_owned();
            defaults.insert(name.clone(), value);
        }
    }
    Ok(defaults)
}

/// Makes the values the defaults of the command at `path`: flags and variables stay stronger.
fn with_defaults(command: Command, path: &[String], defaults: &Settings) -> Command {
    if let Some((name, rest)) = path.split_first() {
        return command.mut_subcommand(name, |command| with_defaults(command, rest, defaults));
    }
    command.mut_args(|arg| {
        let name = arg.get_env().and_then(|name| name.to_str());
        let takes = arg.get_action().takes_values();
        match name.and_then(|name| defaults.get(name)).filter(|_| takes) {
            // Once per process.
            Some(value) => arg.default_value(&*value.clone().leak()),
            None => arg,
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn every_command_takes_missing_settings_from_the_stack() {
        let mut cli = Cli::command();
        cli.build();
        let stack = settings(&[
            ("KAFKA_BOOTSTRAP_SERVERS", "stack:1"),
            ("SCHEMA_REGISTRY_URL", "http://stack:2"),
            ("DATABASE_URL", "postgres://stack"),
            ("TOPIC_PREFIX", "eu."),
        ]);
        for line in [
            "topics plan",
            "lead show 4915",
            "crm status",
            "replies status",
            "dead-letters list",
            "flow list",
            "recover",
            "migrate",
        ] {
            let words: Vec<&str> = ["leadstream"].into_iter().chain(line.split(' ')).collect();
            let path: Vec<String> = line.split(' ').take(2).map(str::to_owned).collect();
            let path = &path[..path.len().min(if line.contains(' ') { 2 } else { 1 })];
            let with = with_defaults(Cli::command(), path, &stack);
            let matches = with.try_get_matches_from(words).unwrap();
            let (leaf, variables) = (leaf(&matches).unwrap(), variables(&cli, path));
            let mut read = 0;
            for (name, value) in &stack {
                let Some(id) = variables.get(name) else {
                    continue;
                };
                let found = leaf.get_raw(id).unwrap().next().unwrap();
                assert_eq!(found.to_str(), Some(value.as_str()), "{line}: {name}");
                read += 1;
            }
            assert!(read > 0, "{line}");
        }
    }

    #[test]
    fn a_flag_is_stronger_than_the_stack() {
        let stack = settings(&[("TOPIC_PREFIX", "eu."), ("KAFKA_BOOTSTRAP_SERVERS", "k:1")]);
        let path = ["topics".to_owned(), "plan".to_owned()];
        let matches = with_defaults(Cli::command(), &path, &stack)
            .try_get_matches_from(["leadstream", "topics", "plan", "--topic-prefix", "us."])
            .unwrap();
        let leaf = leaf(&matches).unwrap();
        assert_eq!(leaf.get_one::<String>("topic_prefix").unwrap(), "us.");
    }

    #[test]
    fn one_server_of_ones_own_makes_the_whole_stack_inapplicable() {
        let stack = settings(&[
            ("DATABASE_URL", "postgres://a"),
            ("KAFKA_BOOTSTRAP_SERVERS", "k:1"),
        ]);
        assert_eq!(other_connection(&settings(&[]), &stack), None);
        let same = settings(&[("DATABASE_URL", "postgres://a")]);
        assert_eq!(other_connection(&same, &stack), None);
        let other = settings(&[("DATABASE_URL", "postgres://b")]);
        assert_eq!(other_connection(&other, &stack), Some("DATABASE_URL"));
    }

    #[test]
    fn a_secret_that_a_file_of_the_stack_holds_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "secret\n").unwrap();
        let path = file.to_str().unwrap();
        let stack = settings(&[("HUBSPOT_ACCESS_TOKEN_FILE", path)]);
        let names = ["HUBSPOT_ACCESS_TOKEN".to_owned(), "TOPIC_PREFIX".to_owned()];
        let found = defaults(names.iter(), &stack).unwrap();
        assert_eq!(found, settings(&[("HUBSPOT_ACCESS_TOKEN", "secret")]));
        std::fs::remove_file(&file).unwrap();
        let error = defaults(names.iter(), &stack).unwrap_err().to_string();
        assert!(error.contains("HUBSPOT_ACCESS_TOKEN_FILE"), "{error}");
    }
}
