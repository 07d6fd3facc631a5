//! The subcommands. Their help is also the reference in docs/reference.

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use leadstream_processor::StoreError;
use leadstream_service::migrations::{BEFORE_FIRST_RELEASE, SchemaError};
use leadstream_service::{ConfigError, lifecycle};
use tokio::runtime::Runtime;

use crate::{
    chat, crm, dead_letters, doctor, events, flow, health, lead, local_stack, migrate, recover,
    replay, replies, topics, up, verify,
};

/// Turns WhatsApp conversations into qualified leads in a CRM, on Kafka, committed to PostgreSQL.
///
/// `leadstream up` runs everything on this machine; the services below it run beside your own Kafka
/// and PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "leadstream", version, propagate_version = true)]
pub(crate) struct Cli {
    /// Folder of a running `leadstream up`, whose addresses and secrets the command uses; tools look
    /// into .leadstream without it
    #[arg(
        long,
        global = true,
        env = "LEADSTREAM_DATA_DIR",
        value_name = "FOLDER",
        help_heading = "Local stack"
    )]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine and play one conversation
    Up(Box<leadstream_local::up::Args>),
    /// Write to the bot of a running `leadstream up` as a lead
    Chat(leadstream_local::chat::Args),
    /// Run the service that receives WhatsApp webhooks and writes them to Kafka
    Ingest(leadstream_ingest::Args),
    /// Run the service that folds inputs into leads and commits them to PostgreSQL
    Processor(leadstream_processor::Args),
    /// Run the service that forwards lead events to HubSpot, Salesforce and signed webhooks
    SinkCrm(leadstream_sink_crm::Args),
    /// Run the service that sends replies through the WhatsApp Cloud API
    SinkWhatsapp(leadstream_sink_whatsapp::Args),
    /// Run the HTTP API for leads and commands
    Api(Box<leadstream_api::Args>),
    /// Ask a service on this host whether it can work: the health check of a container
    Health(health::Args),
    /// Migrate the database to this version's schema
    Migrate(migrate::Args),
    /// Check a deployment: print what is right, what is not, and how to fix it
    ///
    /// Checks what the settings name, as the services would use it. That is Kafka and its topics, the
    /// schema registry, the database, the webhook, the WhatsApp numbers and the CRMs. It changes nothing.
    /// It ends with status 1 if anything is wrong.
    #[command(verbatim_doc_comment)]
    Doctor(Box<doctor::Args>),
    /// Fold the log again from PostgreSQL's offsets after a loss of data
    ///
    /// Use it if processors refuse to start. Either Kafka's offset is ahead of PostgreSQL's (a restored
    /// backup, a replica that lost commits), or the log no longer holds the next offset. Stop all
    /// processors, keep their settings, and run it:
    ///
    /// 1. It refuses while a processor is a member of the consumer group. It refuses if records are
    ///    lost, unless you accept that. If PostgreSQL and Kafka agree, it does nothing.
    ///
    /// 2. It records that a recovery has begun and takes over every partition. Until its end, no
    ///    processor can commit, even if it starts or still runs.
    ///
    /// 3. It reads which events and replies were published since the oldest affected input.
    ///
    /// 4. It publishes the outbox. Then it folds the log to its end, partition by partition in the order
    ///    of time. It publishes no event a second time. It suppresses replies to inputs that were
    ///    processed before, and gives none to Kafka twice.
    ///
    /// 5. If a lead's last published event differs from the log, it publishes one more event of cause
    ///    `replay`.
    ///
    /// 6. It sets the group's offsets. Start the processors.
    ///
    /// Run an interrupted recovery again: it continues where it stopped. It may write dead letters and
    /// forwarded inputs a second time. Readers recognise those by their position or id.
    #[command(verbatim_doc_comment)]
    Recover(Box<recover::Args>),
    /// Verify that rows, journals, identities and reports of leads agree
    ///
    /// It reads PostgreSQL only, in short read-only transactions, and changes nothing. Processors keep
    /// running; a replica is enough. It compares:
    ///
    /// * the columns of each lead with its stored form,
    /// * the stored conversation with the fold of the lead's journal,
    /// * the lead's identities with `lead_identities`, in both directions,
    /// * the report with the row, unless its refresh is queued.
    ///
    /// Exits with 1 if anything differs. The output has the ids of leads and no answers.
    #[command(verbatim_doc_comment)]
    Verify(verify::Args),
    /// Preview what another version of a flow would change in existing leads
    Replay(replay::Args),
    /// Show or create the Kafka topics, their settings, schemas and the ACLs that services need
    Topics(topics::Args),
    /// Show and explain one lead, or give it a command: restart, release, assign, say, erase
    Lead(lead::Args),
    /// Check, simulate, test, publish and observe flow documents
    Flow(flow::Args),
    /// Check, provision, compare and requeue what the CRMs get
    Crm(crm::Args),
    /// Show the results of replies to leads; retry or cancel them
    Replies(replies::Args),
    /// Print the events of leads, and follow them
    ///
    /// Prints the events that the topic holds, in the order of time, and with --follow each further one.
    /// The output contains answers of leads.
    #[command(verbatim_doc_comment)]
    Events(events::Args),
    /// List, show, redrive or discard dead letters of any topic; resume halted partitions
    DeadLetters(Box<dead_letters::Args>),
}

/// Builds the runtime. `shared` leaves a core to the threads of the Kafka client. On two cores,
/// ingest then answers a fifth more webhooks and spends a quarter less on each.
/// `TOKIO_WORKER_THREADS` overrides it.
fn runtime(shared: bool) -> std::io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if shared && std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        builder.worker_threads((cores - 1).max(1));
    }
    builder.enable_all().build()
}

impl Cli {
    /// Parses the arguments, with the settings of a stack that runs here.
    ///
    /// # Errors
    /// Returns an error if a named data folder has no running stack, or if settings contradict it.
    pub(crate) fn of_arguments() -> anyhow::Result<Self> {
        let matches = local_stack::parse(&Self::command())?;
        Ok(Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
    }

    /// Runs the command to its end.
    #[must_use]
    pub(crate) fn run(self) -> ExitCode {
        let runtime = match runtime(matches!(self.command, Command::Ingest(_))) {
            Ok(runtime) => runtime,
            Err(error) => return failed(&error),
        };
        let code = runtime.block_on(async {
            match self.command {
                Command::Up(args) => tool(Box::pin(up::run(*args))).await,
                Command::Chat(args) => tool(chat::run(args)).await,
                Command::Ingest(args) => {
                    let service = args.service.clone();
                    lifecycle::run("ingest", service, |context| {
                        Box::pin(leadstream_ingest::run(args, context))
                    })
                    .await
                }
                Command::Processor(args) => {
                    let service = args.service.clone();
                    lifecycle::run("processor", service, |context| {
                        leadstream_processor::run(args, context)
                    })
                    .await
                }
                Command::SinkCrm(args) => {
                    let service = args.service.clone();
                    lifecycle::run("sink-crm", service, |context| {
                        leadstream_sink_crm::run(args, context)
                    })
                    .await
                }
                Command::SinkWhatsapp(args) => {
                    let service = args.service.clone();
                    lifecycle::run("sink-whatsapp", service, |context| {
                        leadstream_sink_whatsapp::run(args, context)
                    })
                    .await
                }
                Command::Api(args) => {
                    let service = args.service.clone();
                    lifecycle::run("api", service, |context| {
                        leadstream_api::run(*args, context)
                    })
                    .await
                }
                Command::Health(args) => tool(async { health::run(&args) }).await,
                Command::Migrate(args) => tool(migrate::run(args)).await,
                Command::Doctor(args) => tool(Box::pin(doctor::run(*args))).await,
                Command::Recover(args) => tool(Box::pin(recover::run(*args))).await,
                Command::Verify(args) => tool(Box::pin(verify::run(args))).await,
                Command::Replay(args) => tool(Box::pin(replay::run(args))).await,
                Command::Topics(args) => Box::pin(tool(topics::run(args))).await,
                Command::Lead(args) => tool(Box::pin(lead::run(args))).await,
                Command::Flow(args) => tool(Box::pin(flow::run(args))).await,
                Command::Crm(args) => tool(crm::run(args)).await,
                Command::Replies(args) => tool(Box::pin(replies::run(args))).await,
                Command::Events(args) => tool(events::run(args)).await,
                Command::DeadLetters(args) => Box::pin(tool(dead_letters::run(*args))).await,
            }
        });
        // A call to an unavailable Kafka may never return.
        runtime.shutdown_timeout(Duration::from_secs(1));
        code
    }
}

/// Runs a tool: 0, or another status with the error and its causes in one line.
async fn tool(command: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    match command.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let failure = failed(&*error);
            let missing = |it: &ConfigError| local_stack::is_connection(it.variable());
            if error
                .chain()
                .any(|it| it.downcast_ref().is_some_and(missing))
            {
                note(
                    "or start `leadstream up` in this folder, or name its data folder with --data-dir",
                );
            }
            match error.downcast_ref() {
                Some(StoreError::Schema(SchemaError::BeforeFirstRelease { .. })) => {
                    ExitCode::from(BEFORE_FIRST_RELEASE)
                }
                _ => failure,
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "a note beside the error of a command")]
fn note(text: &str) {
    eprintln!("leadstream: {text}");
}

#[expect(clippy::print_stderr, reason = "the error of a command")]
pub(crate) fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    eprintln!("leadstream: {}", lifecycle::chain(error));
    ExitCode::FAILURE
}
