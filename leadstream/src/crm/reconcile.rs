//! Runs `leadstream crm reconcile`: compares the records of CRMs with the ledger.

use leadstream_service::config::DatabaseArgs;
use leadstream_service::counted;
use leadstream_sink_crm::tool::{ReconcileOptions, Reconciled, reconcile};
use leadstream_sink_crm::{CrmArgs, Ledger};

/// Settings of `leadstream crm reconcile`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Only this CRM: hubspot, salesforce
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Requeue leads that differ; the running service sends them in its order and at its rate
    #[arg(long)]
    apply: bool,
    /// Start from the beginning although an earlier run was interrupted
    #[arg(long)]
    restart: bool,
    /// Print each difference with the lead's id, and each CRM's report, as lines of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ledger: DatabaseArgs,
    #[command(flatten)]
    crm: Box<CrmArgs>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let ledger = Ledger::connect(&args.ledger)?;
    let options = ReconcileOptions {
        crm: args.only,
        apply: args.apply,
        restart: args.restart,
    };
    let reports = reconcile(&args.crm, &ledger, &options, |drift| {
        if args.json
            && let Ok(line) = serde_json::to_string(drift)
        {
            println!("{line}");
        }
    })
    .await?;
    for report in &reports {
        if args.json {
            println!("{}", serde_json::to_string(report)?);
        } else {
            print_report(report, args.apply);
        }
    }
    Ok(())
}

fn print_report(report: &Reconciled, applied: bool) {
    let crm = report.crm;
    let earlier = match report.compared_before {
        0 => String::new(),
        before => format!(" ({before} more by an earlier run)"),
    };
    println!(
        "{crm}: {} compared{earlier}, {} synced",
        counted(report.compared, "lead"),
        report.synced
    );
    if report.customers > 0 {
        let customers = counted(report.customers, "lead");
        println!("{crm}: {customers} not compared: the records are those of customers");
    }
    for differing in &report.differences {
        let field = differing.field.as_deref().unwrap_or("(record)");
        println!(
            "{crm}: {:>9}  {field}: {}",
            differing.leads, differing.reason
        );
    }
    if applied {
        println!("{crm}: {} requeued", counted(report.requeued, "lead"));
    } else if !report.differences.is_empty() {
        println!("{crm}: nothing was requeued: add --apply");
    }
    if let Some(reason) = &report.unfinished {
        println!("{crm}: not finished: {reason}");
    }
}
