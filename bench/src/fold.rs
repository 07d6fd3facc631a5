//! Folds conversations in this process and measures the processor's time for an input: without
//! servers, decoding and SQL. So a change of the fold shows although the machine is noisy.

#![expect(clippy::print_stdout, reason = "the output of a command")]

use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{Context, bail};
use leadstream_processor::flow::{DEFAULT_FLOW, Flow};
use leadstream_processor::flows::Flows;
use leadstream_processor::lead::{Inbound, Input, Lead};
use leadstream_schemas::{Content, InputKind, LeadInput, Platform, Sender, Timestamp};
use nix::time::{ClockId, clock_gettime};

/// The journal length of a processor.
const JOURNAL: usize = 32;

/// Settings of the measurement.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Flow document (YAML); by default the default flow
    #[arg(long, value_name = "FILE")]
    flow: Option<std::path::PathBuf>,
    /// Texts of each lead, in their order
    #[arg(
        long,
        value_delimiter = '|',
        default_value = "Hi|John Doe|I am not sure|$7,500 a month|Thanks!",
        value_name = "TEXT|…"
    )]
    texts: Vec<String>,
    /// Leads in each round
    #[arg(long, default_value = "20000", value_name = "COUNT")]
    leads: NonZeroUsize,
    /// Number of rounds
    #[arg(long, default_value = "5", value_name = "COUNT")]
    rounds: NonZeroUsize,
}

/// Prints the median of the rounds, and the bytes of a lead in its stored form.
///
/// # Errors
/// Returns an error if the flow or a text cannot be read.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let text = match &args.flow {
        Some(file) => std::fs::read_to_string(file).with_context(|| file.display().to_string())?,
        None => DEFAULT_FLOW.to_owned(),
    };
    let flows = Flows::new(Flow::parse("flow", &text)?, Vec::new());
    let (leads, texts) = (args.leads.get(), args.texts.len());
    let inputs = (0..leads)
        .map(|lead| conversation(lead, &args.texts))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut rounds = Vec::new();
    let mut bytes = 0;
    for _ in 0..args.rounds.get() {
        let started = processor_time()?;
        bytes = inputs.iter().try_fold(0, |sum, inputs| {
            Ok::<_, anyhow::Error>(sum + fold(&flows, inputs)?)
        })?;
        rounds.push(processor_time()?.saturating_sub(started));
    }
    rounds.sort_unstable();
    let median = rounds.get(rounds.len() / 2).copied().unwrap_or_default();
    let each = median.as_nanos() / u128::try_from(leads * texts.max(1))?;
    println!(
        "{each} ns of processor time for an input, {} bytes for a lead",
        bytes / leads
    );
    Ok(())
}

/// Returns the inputs of a lead, ten seconds apart.
fn conversation(lead: usize, texts: &[String]) -> anyhow::Result<Vec<Input>> {
    let mut inputs = Vec::with_capacity(texts.len());
    for (at, body) in (1_767_603_600..).step_by(10).zip(texts) {
        let record = LeadInput {
            id: format!("wamid.{lead}.{at}").into(),
            kind: InputKind::Message,
            platform: Platform::WhatsappCloud,
            number: "106540352242922".to_owned(),
            sender: Sender {
                wa_id: Some(format!("4915{lead:09}")),
                ..Sender::default()
            },
            sent_at: Timestamp::from_secs(at),
            received_at: Timestamp::from_secs(at + 1),
            item: 0,
            content: Content::Text { body: body.clone() },
            referral: None,
            raw: None,
        };
        match Inbound::try_from(record)? {
            Inbound::Message(input) => inputs.push(input),
            _ => bail!("`{body}` is no message"),
        }
    }
    Ok(inputs)
}

/// Folds a lead's inputs as the processor does, from and to the stored form, and returns the bytes of
/// the last.
fn fold(flows: &Flows, inputs: &[Input]) -> anyhow::Result<usize> {
    let mut stored = Vec::new();
    for input in inputs {
        let mut lead = match stored.as_slice() {
            [] => Lead::new(input),
            stored => Lead::from_bytes(stored)?,
        };
        lead.journal.admit(flows, input, JOURNAL, || false)?;
        stored = lead.to_bytes()?;
    }
    Ok(stored.len())
}

fn processor_time() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}
