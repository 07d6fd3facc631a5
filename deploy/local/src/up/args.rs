//! Defines the arguments of `leadstream up`, and the local defaults for missing ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use leadstream_kafka::KafkaArgs;
use leadstream_service::{ConfigError, Secret};

/// The text below the flags.
const FURTHER: &str = "\
Examples:
  leadstream up                                    everything on this machine
  leadstream up --ingest-address 127.0.0.1:9000    when port 8080 is taken
  leadstream up --once                             for scripts: play, check, end
  leadstream up --no-demo --fresh                  empty, and no conversation
  leadstream up --processors 2                     two processors share the work
  DATABASE_URL=postgres://me:secret@db/leads leadstream up
  KAFKA_BOOTSTRAP_SERVERS=kafka:9092 SCHEMA_REGISTRY_URL=http://registry:8081 \\
    leadstream up

Your own servers: those that you name are used, and none is started for them.
Missing topics and tables are created there. Services inherit the
environment, so each of their variables works, too: SCHEMA_REGISTRY_USERNAME,
LOG_LEVEL, PROCESSOR_PUBLISH_FLOW_FILE …

Real WhatsApp and CRMs, by variables; each takes the place of its stand-in:
  WhatsApp     META_ACCESS_TOKEN, META_APP_SECRET, META_VERIFY_TOKEN
  HubSpot      HUBSPOT_ACCESS_TOKEN; or HUBSPOT_CLIENT_ID,
               HUBSPOT_CLIENT_SECRET, HUBSPOT_REFRESH_TOKEN
  Salesforce   SALESFORCE_LOGIN_URL, SALESFORCE_CLIENT_ID,
               SALESFORCE_CLIENT_SECRET; or SALESFORCE_JWT_KEY_FILE,
               SALESFORCE_USERNAME
Each secret, DATABASE_URL included, may come from a file: META_APP_SECRET_FILE=…
No conversation is played then: it would reach real people or systems.

The data folder keeps data, logs, ports and local secrets. While the stack runs,
stack.json in it has every address and secret, and so has env, for the shell:
  . .leadstream/env; psql -c 'TABLE lead_qualifications'
Other commands find the stack by the same --data-dir, or in .leadstream here.

A service that ends starts again, after 1 to 16 seconds. When it has ended six
times without a minute between, everything ends with exit status 1. With --once
the first end of a service is enough.";

/// Settings of `leadstream up`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = FURTHER)]
pub struct Args {
    /// Folder for data, logs and local secrets
    #[arg(
        long,
        env = "LEADSTREAM_DATA_DIR",
        default_value = ".leadstream",
        value_name = "FOLDER"
    )]
    pub(crate) data_dir: PathBuf,
    /// Address of the webhooks
    #[arg(
        long,
        env = "INGEST_ADDRESS",
        default_value = "127.0.0.1:8080",
        value_name = "IP:PORT"
    )]
    pub(crate) ingest_address: SocketAddr,
    /// Play no conversation
    #[arg(long, conflicts_with = "once")]
    pub(crate) no_demo: bool,
    /// Play the conversation, check its results and end everything; exits with 0 on success
    #[arg(long)]
    pub(crate) once: bool,
    /// Processors that share the work
    #[arg(
        long,
        default_value_t = 1,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u8).range(1..=16)
    )]
    pub(crate) processors: u8,
    /// Begin with empty servers; the content of the data folder is removed
    #[arg(long)]
    pub(crate) fresh: bool,
    #[command(flatten)]
    pub(crate) kafka: KafkaArgs,
    /// Your own Confluent-compatible schema registry
    #[arg(
        long,
        env = "SCHEMA_REGISTRY_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Schema registry"
    )]
    pub(crate) schema_registry_url: Option<Secret>,
    /// Your own PostgreSQL, postgres://user:password@host/database; or DATABASE_URL_FILE
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Database"
    )]
    pub(crate) database_url: Option<Secret>,
}

/// The parts of the outside world that are real; the sandbox simulates the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Real {
    pub(super) whatsapp: bool,
    pub(super) hubspot: bool,
    pub(super) salesforce: bool,
}

impl Real {
    /// Chooses the real parts; `has` returns whether a variable of the environment has a value.
    ///
    /// # Errors
    /// Returns an error for real WhatsApp without the secret that signs its webhooks.
    pub(super) fn of(has: impl Fn(&str) -> bool) -> Result<Self, ConfigError> {
        let given = |name: &str| has(name) || has(&format!("{name}_FILE"));
        let real = Self {
            whatsapp: given("META_ACCESS_TOKEN"),
            hubspot: given("HUBSPOT_ACCESS_TOKEN") || given("HUBSPOT_CLIENT_ID"),
            salesforce: [
                "SALESFORCE_LOGIN_URL",
                "SALESFORCE_CLIENT_ID",
                "SALESFORCE_CLIENT_SECRET",
            ]
            .into_iter()
            .any(given),
        };
        if real.whatsapp && !given("META_APP_SECRET") {
            return Err(ConfigError::new(
                "META_APP_SECRET",
                "is not set, but META_ACCESS_TOKEN is: the real WhatsApp signs its webhooks with the secret of your Meta app; example: META_APP_SECRET=0123456789abcdef0123456789abcdef",
            ));
        }
        Ok(real)
    }

    /// Returns the names of the real systems.
    pub(super) fn names(self) -> Vec<&'static str> {
        self.split(true)
    }

    /// Returns the names of the simulated vendors.
    pub(super) fn stand_ins(self) -> Vec<&'static str> {
        self.split(false)
    }

    fn split(self, real: bool) -> Vec<&'static str> {
        [
            (self.whatsapp, "WhatsApp"),
            (self.hubspot, "HubSpot"),
            (self.salesforce, "Salesforce"),
        ]
        .into_iter()
        .filter_map(|(is_real, name)| (is_real == real).then_some(name))
        .collect()
    }
}

/// Returns the reason why the conversation is not played, if it is not.
pub(super) fn no_demo(args: &Args, real: Real, own_flow: bool) -> Option<String> {
    if args.no_demo {
        return Some("--no-demo".to_owned());
    }
    let names = real.names();
    if !names.is_empty() {
        let names = names.join(" and ");
        return Some(format!(
            "{names} would get made-up people, being the real one"
        ));
    }
    own_flow.then(|| "PROCESSOR_PUBLISH_FLOW_FILE has a flow of your own".to_owned())
}

/// Returns the address at which this machine reaches a listener on `address`.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn args(flags: &[&str]) -> Args {
        Command::parse_from([&["up"], flags].concat()).args
    }

    fn real(set: &[&str]) -> Result<Real, ConfigError> {
        Real::of(|name| set.contains(&name))
    }

    #[test]
    fn the_sandbox_simulates_vendors_without_credentials() {
        assert_eq!(real(&[]).unwrap(), Real::default());
        assert_eq!(
            real(&["HUBSPOT_ACCESS_TOKEN_FILE"]).unwrap().stand_ins(),
            ["WhatsApp", "Salesforce"]
        );
        assert_eq!(
            real(&["SALESFORCE_CLIENT_ID"]).unwrap().names(),
            ["Salesforce"]
        );
        let whatsapp = real(&["META_ACCESS_TOKEN", "META_APP_SECRET_FILE"]).unwrap();
        assert_eq!(whatsapp.names(), ["WhatsApp"]);
        let unsigned = real(&["META_ACCESS_TOKEN"]).unwrap_err().to_string();
        assert!(unsigned.starts_with("META_APP_SECRET is not set"));
    }

    #[test]
    fn the_conversation_is_played_to_the_sandbox_only() {
        let hubspot = real(&["HUBSPOT_ACCESS_TOKEN"]).unwrap();
        assert_eq!(no_demo(&args(&[]), Real::default(), false), None);
        assert_eq!(
            no_demo(&args(&["--no-demo"]), Real::default(), false).as_deref(),
            Some("--no-demo")
        );
        assert!(
            no_demo(&args(&["--once"]), hubspot, false).is_some_and(|why| why.contains("HubSpot"))
        );
        assert!(
            no_demo(&args(&[]), Real::default(), true)
                .is_some_and(|why| why.contains("PROCESSOR_PUBLISH_FLOW_FILE"))
        );
    }

    #[test]
    fn an_address_for_all_interfaces_is_reached_on_this_machine() {
        let reached = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(reached("[::]:8080"), "[::1]:8080");
        assert_eq!(reached("10.0.0.7:80"), "10.0.0.7:80");
    }

    #[test]
    fn help_text_fits_the_screen() {
        assert!(FURTHER.lines().all(|line| line.chars().count() <= 80));
    }
}
