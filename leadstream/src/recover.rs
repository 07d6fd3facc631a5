//! Runs `leadstream recover`: folds the log again after a loss of data.

use leadstream_processor::recover::{Outcome, Report};
use leadstream_service::counted;

pub(crate) use leadstream_processor::recover::Args;

/// # Errors
/// Returns the reason why it cannot begin or continue; it may be run again.
#[expect(clippy::print_stdout, reason = "what the command tells its user")]
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let say = |text: String| println!("{text}");
    let report = match leadstream_processor::recover::recover(&args, &say).await? {
        Outcome::Nothing => {
            println!("nothing to recover: PostgreSQL and Kafka agree");
            return Ok(());
        }
        Outcome::Planned => {
            println!("nothing was folded: add --apply");
            return Ok(());
        }
        Outcome::Recovered(report) => report,
    };
    let Report {
        records,
        held_events,
        held_replies,
        corrected,
        unexplained,
    } = report;
    println!(
        "recovered: {} folded; {} and {} held back",
        counted(records, "record"),
        counted(held_events, "event"),
        counted(held_replies, "reply")
    );
    if corrected > 0 {
        println!(
            "new events, because consumers had another state: {}",
            counted(corrected, "lead")
        );
    }
    if unexplained > 0 {
        println!(
            "not in PostgreSQL, because the log no longer explains their events: {}",
            counted(unexplained, "lead")
        );
    }
    println!("start the processors");
    Ok(())
}
