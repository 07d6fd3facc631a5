//! Runs `leadstream recover`: folds the log again after a loss of data.

use leadstream_processor::recover::Report;

pub(crate) use leadstream_processor::recover::Args;

/// # Errors
/// Returns the reason why it cannot begin or continue; it may be run again.
#[expect(clippy::print_stdout, reason = "what the command tells its user")]
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let say = |text: String| println!("{text}");
    let Some(report) = leadstream_processor::recover::recover(&args, &say).await? else {
        println!("nothing to recover: PostgreSQL and Kafka agree");
        return Ok(());
    };
    let Report {
        records,
        held_events,
        held_replies,
        corrected,
        unexplained,
    } = report;
    println!(
        "recovered: {records} records folded; {held_events} events and {held_replies} replies held back"
    );
    if corrected > 0 {
        println!(
            "{corrected} leads stood elsewhere in the eyes of consumers, and have a new event"
        );
    }
    if unexplained > 0 {
        println!(
            "{unexplained} leads have events, and the log no longer holds what explains them: they are not in PostgreSQL"
        );
    }
    println!("start the processors");
    Ok(())
}
