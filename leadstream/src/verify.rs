//! Runs `leadstream verify`: checks that the rows of leads agree with each other.

use anyhow::bail;
use leadstream_processor::verifying::{self, Finding, FindingKind};
use leadstream_service::config::DatabaseArgs;
use leadstream_service::counted;
use serde_json::json;

use crate::terminal::{Ink, Style, show};

/// Settings of `leadstream verify`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Share of the time in which it reads, in percent; it waits for the rest
    #[arg(long, default_value_t = 25, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=100))]
    share: u32,
    /// Print each difference as a line of JSON, and then the counts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// # Errors
/// Returns an error if something differs, or if the database is unavailable.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let style = Style::stdout();
    let print = |finding: &Finding| {
        if args.json {
            show(&format!("{}\n", json!(finding)));
        } else {
            let line = format!(
                "{}: {}: {}",
                finding.lead_id,
                name(finding.kind),
                finding.what
            );
            show(&format!("{}\n", style.paint(Ink::Bad, &line)));
        }
    };
    let verified = verifying::verify(&args.database, args.share, print).await?;
    if args.json {
        show(&format!("{}\n", json!(verified)));
    } else {
        show(&format!(
            "verified: {}, {}, {}\n",
            counted(verified.leads, "lead"),
            identities(verified.identities),
            counted(verified.reports, "report"),
        ));
        if verified.outdated > 0 {
            let leads = counted(verified.outdated, "lead");
            show(&format!(
                "an earlier version folded them, and this one folds them otherwise: {leads}; that is no damage\n"
            ));
        }
    }
    if verified.findings > 0 {
        bail!(
            "different: {}; docs/guides/replay.md says what each means",
            counted(verified.findings, "place")
        );
    }
    Ok(())
}

const fn name(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Column => "column",
        FindingKind::Body => "body",
        FindingKind::Identity => "identity",
        FindingKind::Report => "report",
        FindingKind::Lead => "lead",
    }
}

fn identities(count: u64) -> String {
    match count {
        1 => "1 identity".to_owned(),
        count => format!("{count} identities"),
    }
}
