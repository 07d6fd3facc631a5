//! Runs `leadstream crm provision`: creates the fields that a mapping writes and CRMs lack.

use std::path::PathBuf;

use leadstream_sink_crm::CrmArgs;
use leadstream_sink_crm::tool::provision;

/// Settings of `leadstream crm provision`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Folder for the Salesforce metadata package
    #[arg(long, default_value = "salesforce-metadata", value_name = "FOLDER")]
    salesforce_folder: PathBuf,
    /// Create it; without this, it is only printed
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    crm: Box<CrmArgs>,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<()> {
    for made in provision(&args.crm, &args.salesforce_folder, args.apply).await? {
        if made.steps.is_empty() {
            println!("{}: nothing is missing", made.crm);
        }
        for step in &made.steps {
            println!("{}: {step}", made.crm);
        }
        for note in &made.notes {
            println!("{}: {note}", made.crm);
        }
    }
    if !args.apply {
        println!("nothing was created: add --apply");
    }
    Ok(())
}
