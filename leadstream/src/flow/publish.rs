//! Runs `leadstream flow publish|list|show|rollback|funnel`: flows in PostgreSQL.

use std::path::PathBuf;

use clap::Subcommand;
use leadstream_processor::pool;
use leadstream_processor::publishing::{FunnelStep, Publisher, Version};
use leadstream_schemas::Timestamp;
use leadstream_service::config::DatabaseArgs;

use super::parse;
use crate::terminal::{Ink, Style, show};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Publish a version of a flow for new conversations; others keep their version
    ///
    /// It takes effect after 45 seconds at the earliest, so that every running processor has read it
    /// before. The time of a conversation's first message chooses its version, so all processors
    /// choose the same.
    Publish {
        /// A flow document (YAML)
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The time from which it is in effect, such as 2026-11-23T08:00:00Z
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<Timestamp>,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// List published versions with the number of conversations that follow each
    List {
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Print a published document
    Show {
        /// The flow's name
        #[arg(value_name = "FLOW")]
        name: String,
        /// The version; the one in effect now if omitted
        #[arg(value_name = "VERSION")]
        wanted: Option<u32>,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Withdraw the newest version for new conversations, and go back to the one before
    ///
    /// Conversations that follow it keep it to their end. If there are any, the command fails with
    /// their number, unless --in-use is given.
    Rollback {
        /// The flow's name
        #[arg(value_name = "FLOW")]
        name: String,
        /// Withdraw the version although conversations follow it
        #[arg(long)]
        in_use: bool,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Count what leads did at each step and where they are now, by version
    ///
    /// Reads the view `report_funnel`, which follows the commits within seconds.
    Funnel {
        /// The flow's name
        #[arg(value_name = "FLOW")]
        name: String,
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

pub(super) async fn run(action: Action) -> anyhow::Result<()> {
    let style = Style::stdout();
    match action {
        Action::Publish {
            file,
            from,
            database,
        } => {
            let (flow, text) = parse(&file)?;
            let publisher = open(database).await?;
            let from = publisher.publish(&flow, &text, from).await?;
            let reference = flow.reference();
            let line = format!(
                "{} version {} is in effect from {}",
                reference.name,
                reference.version,
                shown(from)
            );
            show(&format!("{}\n", style.paint(Ink::Good, &line)));
        }
        Action::List { database } => show(&table(&open(database).await?.list().await?)),
        Action::Show {
            name,
            wanted,
            database,
        } => show(&open(database).await?.document(&name, wanted).await?),
        Action::Rollback {
            name,
            in_use,
            database,
        } => {
            let back = open(database).await?.roll_back(&name, in_use).await?;
            show(&format!(
                "{name} version {} is withdrawn from {}: new conversations then follow version {}; {} keep theirs\n",
                back.withdrawn.version,
                shown(back.from),
                back.now.version,
                back.conversations
            ));
        }
        Action::Funnel { name, database } => {
            show(&funnel(&open(database).await?.funnel(&name).await?));
        }
    }
    Ok(())
}

async fn open(database: DatabaseArgs) -> anyhow::Result<Publisher> {
    let pool = database.connect(|url| pool(url, 2))?;
    Ok(Publisher::new(pool).await?)
}

fn time(text: &str) -> Result<Timestamp, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|_| "not a time with its zone; example: 2026-11-23T08:00:00Z".to_owned())
}

fn shown(at: Timestamp) -> String {
    let text = serde_json::to_value(at).unwrap_or_default();
    text.as_str().unwrap_or_default().to_owned()
}

fn table(versions: &[Version]) -> String {
    let mut text = String::new();
    for version in versions {
        let published = &version.published;
        let state = match published.new_conversations_until {
            Some(at) => format!("withdrawn from {}", shown(at)),
            None if version.holds => "holds".to_owned(),
            None => String::new(),
        };
        text.push_str(&format!(
            "{} {}  from {}  {} conversations, {} completed  {state}\n",
            published.name,
            published.version,
            shown(published.new_conversations_from),
            version.conversations.all,
            version.conversations.completed,
        ));
    }
    text
}

fn funnel(steps: &[FunnelStep]) -> String {
    if steps.is_empty() {
        return "no lead follows the flow yet\n".to_owned();
    }
    let width = steps
        .iter()
        .map(|it| it.state.len())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for version in steps.chunk_by(|one, next| one.flow == next.flow) {
        if let Some(first) = version.first() {
            text.push_str(&format!(
                "{} version {}\n",
                first.flow.name, first.flow.version
            ));
        }
        text.push_str(&format!(
            "{:<width$}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>11}  {:>9}\n",
            "", "reached", "answered", "retried", "open", "cold", "handed over", "opted out"
        ));
        for it in version {
            text.push_str(&format!(
                "{:<width$}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>11}  {:>9}\n",
                it.state,
                it.reached,
                it.answered,
                it.retried,
                it.open,
                it.cold,
                it.handed_over,
                it.opted_out
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::FlowRef;

    use super::*;

    #[test]
    fn the_funnel_has_a_table_for_each_version() {
        let step = |version, state: &str, reached| FunnelStep {
            flow: FlowRef {
                name: "sales".to_owned(),
                version,
            },
            state: state.to_owned(),
            reached,
            answered: 1,
            retried: 2,
            open: 3,
            cold: 4,
            handed_over: 5,
            opted_out: 6,
        };
        let text = funnel(&[step(1, "NAME", 70), step(1, "DONE", 8), step(2, "NAME", 9)]);
        assert_eq!(
            text,
            "sales version 1
       reached  answered   retried      open      cold  handed over  opted out
NAME        70         1         2         3         4            5          6
DONE         8         1         2         3         4            5          6
sales version 2
       reached  answered   retried      open      cold  handed over  opted out
NAME         9         1         2         3         4            5          6
"
        );
        assert_eq!(funnel(&[]), "no lead follows the flow yet\n");
    }
}
