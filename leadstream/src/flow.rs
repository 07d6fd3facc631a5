//! Runs `leadstream flow …`: checks, simulates, tests and publishes flow documents.

mod online;
mod publish;
mod simulate;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use leadstream_processor::flow::{Flow, document_schema};
use leadstream_processor::flows::Flows;
use leadstream_processor::simulator::{TranscriptFile, transcripts_schema};
use leadstream_service::counted;

use crate::terminal::{Ink, Style, show};

/// Settings of `leadstream flow`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Print every error of flow documents with file, line, column and remedy
    ///
    /// It finds dead ends, unknown fields, unreachable steps, loops without a question, missing
    /// languages, texts that WhatsApp would refuse, and expressions that could fail. Exits with 1 if a
    /// document has an error.
    Check {
        /// Flow documents (YAML)
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        online: Box<online::OnlineArgs>,
    },
    /// Simulate a flow in the terminal, without any server
    ///
    /// Each line is a message of the lead. Lines that begin with `/` are commands: `/help` lists them.
    Simulate {
        /// A flow document (YAML); the default flow if omitted
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Write the conversation as a transcript to a file, behind those that it has
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
    },
    /// Run the transcripts of flow documents and show where they differ
    ///
    /// The transcripts of `sales.yaml` are in `sales.test.yaml`. Exits with 1 if one differs.
    Test {
        /// Flow documents (YAML)
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// File of transcripts at another place
        #[arg(long, value_name = "FILE")]
        transcripts: Option<PathBuf>,
        /// Write the results of the flow into the transcripts where they differ
        ///
        /// Rewrites `bot`, `state`, `score`, `completed`, `assignee` and `data` of these turns.
        /// Everything else stays as it is, comments included.
        #[arg(long)]
        update: bool,
    },
    /// Print the JSON Schema of flow documents, with which editors complete them
    Schema {
        /// The schema of files of transcripts
        #[arg(long)]
        transcripts: bool,
    },
    #[command(flatten)]
    Published(publish::Action),
}

/// Runs a command about flows.
///
/// # Errors
/// Returns an error if a document has errors, if a transcript differs, or if the database is
/// unavailable.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    match args.action {
        Action::Check { files, online } => check(&files, &online).await,
        Action::Simulate { file, record } => simulate::run(file.as_deref(), record.as_deref()),
        Action::Test {
            files,
            transcripts,
            update,
        } => test(&files, transcripts.as_deref(), update),
        Action::Schema { transcripts } => {
            show(&if transcripts {
                transcripts_schema()
            } else {
                document_schema()
            });
            Ok(())
        }
        Action::Published(action) => publish::run(action).await,
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Returns the flow of a file that has no errors.
pub(crate) fn parse(path: &Path) -> anyhow::Result<(Flow, String)> {
    let text = read(path)?;
    let checked = Flow::check(&path.display().to_string(), &text);
    let error = checked.findings.into_iter().find(|it| it.is_error);
    match (checked.flow, error) {
        (Some(flow), None) => Ok((flow, text)),
        (_, Some(error)) => bail!(error.at),
        (None, None) => bail!("{} is no flow", path.display()),
    }
}

async fn check(files: &[PathBuf], online: &online::OnlineArgs) -> anyhow::Result<()> {
    let style = Style::stdout();
    let platform = online.platform().await?;
    let mut refused = 0;
    for path in files {
        let name = path.display().to_string();
        let checked = Flow::check(&name, &read(path)?);
        for finding in &checked.findings {
            let ink = if finding.is_error {
                Ink::Bad
            } else {
                Ink::Heading
            };
            show(&format!("{}\n", style.paint(ink, &finding.to_string())));
        }
        match &checked.flow {
            Some(flow) => {
                let reference = flow.reference();
                let steps = flow.states().count() - 1;
                let line = format!(
                    "{name}: {} version {}, {}, in {}",
                    reference.name,
                    reference.version,
                    counted(steps, "step"),
                    flow.languages().join(", ")
                );
                show(&format!("{}\n", style.paint(Ink::Good, &line)));
                let wrong = platform.as_ref().map(|it| it.findings(flow));
                let wrong = wrong.unwrap_or_default();
                for reason in &wrong {
                    let line = format!("{name}: error: {reason}");
                    show(&format!("{}\n", style.paint(Ink::Bad, &line)));
                }
                refused += usize::from(!wrong.is_empty());
            }
            None => refused += 1,
        }
    }
    if refused > 0 {
        bail!("refused: {refused} of {}", counted(files.len(), "document"));
    }
    Ok(())
}

fn test(files: &[PathBuf], transcripts: Option<&Path>, update: bool) -> anyhow::Result<()> {
    let style = Style::stdout();
    let (mut played, mut differing) = (0_usize, 0_usize);
    for path in files {
        let (flow, _) = parse(path)?;
        let beside = path.with_extension("test.yaml");
        let path = transcripts.unwrap_or(&beside);
        let file = TranscriptFile::parse(&path.display().to_string(), &read(path)?)?;
        let flows = Flows::new(flow, Vec::new());
        if update {
            let (text, turns) = file.updated(&flows)?;
            if turns > 0 {
                std::fs::write(path, text)
                    .with_context(|| format!("{} cannot be written", path.display()))?;
            }
            let turns = counted(turns, "turn");
            show(&format!("{}: {turns} rewritten\n", path.display()));
            continue;
        }
        for result in file.play(&flows)? {
            played += 1;
            if result.differences.is_empty() {
                let line = style.paint(Ink::Good, "ok");
                show(&format!("{line}    {}\n", result.name));
                continue;
            }
            differing += 1;
            let line = style.paint(Ink::Bad, "differs");
            show(&format!("{line} {}\n", result.name));
            for difference in &result.differences {
                show(&format!("{difference}\n"));
            }
        }
    }
    if differing > 0 {
        bail!(
            "different: {differing} of {}",
            counted(played, "transcript")
        );
    }
    Ok(())
}
