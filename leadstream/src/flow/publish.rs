//! Runs `leadstream flow publish|list|show|withdraw|rollback|funnel`: flows in PostgreSQL.

use std::path::PathBuf;

use clap::Subcommand;
use leadstream_processor::flows::Publication;
use leadstream_processor::pool;
use leadstream_processor::publishing::{FunnelStep, Publisher, Version, VersionState};
use leadstream_schemas::Timestamp;
use leadstream_service::config::DatabaseArgs;
use leadstream_service::counted;
use serde_json::{Value, json};

use super::parse;
use crate::terminal::{Ink, Style, show};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Publish a version of a flow for new conversations; others keep their version
    ///
    /// It takes effect after 45 seconds at the earliest, so that every running processor has read it
    /// before. The time of a conversation's first message chooses its version, so all processors
    /// choose the same.
    ///
    /// A flow without `chosen_by` is the default. If another flow is, --default replaces it. A keyword,
    /// referral or number that starts another flow is refused.
    Publish {
        /// A flow document (YAML)
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The time from which it is in effect, such as 2026-11-23T08:00:00Z
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<Timestamp>,
        /// Replace the default, the flow of every conversation that no other flow is chosen for
        #[arg(long)]
        default: bool,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// List published versions: what starts each, from when, and how many conversations follow it
    List {
        /// Print each version as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Print a document as it was published
    #[command(disable_version_flag = true)]
    Show {
        /// The flow's name
        #[arg(value_name = "FLOW")]
        name: String,
        /// The version; if omitted, the one in force, or the newest one before its time
        #[arg(value_name = "VERSION")]
        wanted: Option<u32>,
        /// The version, as VERSION
        #[arg(long = "version", value_name = "VERSION", conflicts_with = "wanted")]
        version: Option<u32>,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Withdraw a flow: new conversations do not follow it from a time on
    ///
    /// Conversations that follow it keep their version to the end. The default can be withdrawn only
    /// if another flow without `chosen_by` is published.
    Withdraw {
        /// The flow's name
        #[arg(value_name = "FLOW")]
        name: String,
        /// The time from which it is withdrawn, such as 2026-11-23T08:00:00Z; 45 s from now if omitted
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<Timestamp>,
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
        /// Print each step as a line of JSON
        #[arg(long)]
        json: bool,
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
            default,
            database,
        } => {
            let (flow, text) = parse(&file)?;
            let publisher = open(database).await?;
            let publication = Publication {
                flow: &flow,
                text: &text,
                from,
                is_default: default,
            };
            let from = publisher.publish(&publication).await?;
            let reference = flow.reference();
            let line = format!(
                "{} version {} is in force from {}",
                reference.name,
                reference.version,
                shown(from)
            );
            show(&format!("{}\n", style.paint(Ink::Good, &line)));
        }
        Action::List { json, database } => {
            let versions = open(database).await?.list().await?;
            if json {
                show(&lines(versions.iter().map(version_object)));
            } else {
                show(&table(&versions));
            }
        }
        Action::Show {
            name,
            wanted,
            version,
            database,
        } => {
            let publisher = open(database).await?;
            show(&publisher.document(&name, wanted.or(version)).await?);
        }
        Action::Withdraw {
            name,
            from,
            database,
        } => {
            let it = open(database).await?.withdraw(&name, from).await?;
            show(&format!(
                "{name} is withdrawn from {}: new conversations then follow other flows; {} keep their version\n",
                shown(it.from),
                it.conversations
            ));
        }
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
        Action::Funnel {
            name,
            json,
            database,
        } => {
            let steps = open(database).await?.funnel(&name).await?;
            if json {
                show(&lines(steps.iter().map(step_object)));
            } else {
                show(&funnel(&steps));
            }
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

fn lines(objects: impl Iterator<Item = Value>) -> String {
    objects.map(|object| format!("{object}\n")).collect()
}

fn state(version: &Version) -> &'static str {
    match version.state {
        VersionState::Withdrawn => "withdrawn",
        VersionState::Planned => "planned",
        VersionState::InForce => "in_force",
        VersionState::Superseded => "superseded",
    }
}

fn version_object(version: &Version) -> Value {
    let published = &version.published;
    json!({
        "flow": published.name,
        "version": published.version,
        "state": state(version),
        "from": published.new_conversations_from,
        "until": published.new_conversations_until,
        "is_default": version.is_default,
        "keywords": version.started_by.keywords,
        "referrals": version.started_by.referrals,
        "numbers": version.started_by.numbers,
        "conversations": version.conversations.all,
        "completed": version.conversations.completed,
    })
}

fn step_object(step: &FunnelStep) -> Value {
    json!({
        "flow": step.flow.name,
        "version": step.flow.version,
        "state": step.state,
        "reached": step.reached,
        "answered": step.answered,
        "retried": step.retried,
        "open": step.open,
        "cold": step.cold,
        "handed_over": step.handed_over,
        "opted_out": step.opted_out,
    })
}

fn table(versions: &[Version]) -> String {
    let mut text = String::new();
    for version in versions {
        let published = &version.published;
        let state = match (version.state, published.new_conversations_until) {
            (VersionState::Withdrawn, Some(at)) => format!("withdrawn since {}", shown(at)),
            (_, Some(at)) => format!("withdrawn from {}", shown(at)),
            (VersionState::Planned, _) => "planned".to_owned(),
            (VersionState::InForce, _) => "in force".to_owned(),
            _ => "superseded".to_owned(),
        };
        text.push_str(&format!(
            "{} {}  from {}  {state}  {}, {} completed\n",
            published.name,
            published.version,
            shown(published.new_conversations_from),
            counted(version.conversations.all, "conversation"),
            version.conversations.completed,
        ));
        if matches!(version.state, VersionState::InForce | VersionState::Planned) {
            text.push_str(&format!("    started by {}\n", starts(version)));
        }
    }
    text
}

/// Words what starts a conversation with a version.
fn starts(version: &Version) -> String {
    let by = &version.started_by;
    let listed = |what: &str, list: &[String]| {
        (!list.is_empty()).then(|| format!("{what} {}", list.join(", ")))
    };
    let lists = [
        listed("keywords", &by.keywords),
        listed("referrals", &by.referrals),
        listed("numbers", &by.numbers),
    ];
    let lists: Vec<String> = lists.into_iter().flatten().collect();
    match (lists.is_empty(), version.is_default) {
        (false, _) => lists.join("; "),
        (true, true) => "default: every other conversation".to_owned(),
        (true, false) => "nothing, because another flow is the default".to_owned(),
    }
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
    use leadstream_processor::flow::StartedBy;
    use leadstream_processor::flows::Published;
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
        let object = step_object(&step(1, "NAME", 70));
        let expected = json!({
            "flow": "sales", "version": 1, "state": "NAME", "reached": 70, "answered": 1,
            "retried": 2, "open": 3, "cold": 4, "handed_over": 5, "opted_out": 6,
        });
        assert_eq!(object, expected);
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

    #[test]
    fn the_list_says_what_starts_each_flow_and_since_when() {
        let version = |name: &str, state, keywords: &[&str], is_default, until| Version {
            published: Published {
                name: name.to_owned(),
                version: 2,
                text: String::new(),
                new_conversations_from: Timestamp::from_secs(0),
                new_conversations_until: until,
            },
            state,
            started_by: StartedBy {
                keywords: keywords.iter().map(|&it| it.to_owned()).collect(),
                ..StartedBy::default()
            },
            is_default,
            conversations: leadstream_processor::Conversations::default(),
        };
        let until = Some(Timestamp::from_secs(60));
        let expected = json!({
            "flow": "word", "version": 2, "state": "in_force",
            "from": "1970-01-01T00:00:00.000Z", "until": "1970-01-01T00:01:00.000Z",
            "is_default": false, "keywords": ["Demo"], "referrals": [], "numbers": [],
            "conversations": 0, "completed": 0,
        });
        let word = version("word", VersionState::InForce, &["Demo"], false, until);
        assert_eq!(version_object(&word), expected);
        let text = table(&[
            version(
                "word",
                VersionState::InForce,
                &["Demo", "Trial"],
                false,
                until,
            ),
            version("main", VersionState::InForce, &[], true, None),
            version("next", VersionState::Planned, &[], false, None),
            version("old", VersionState::Superseded, &[], false, None),
            version("gone", VersionState::Withdrawn, &[], false, until),
        ]);
        assert_eq!(
            text,
            "word 2  from 1970-01-01T00:00:00.000Z  withdrawn from 1970-01-01T00:01:00.000Z  0 conversations, 0 completed
    started by keywords Demo, Trial
main 2  from 1970-01-01T00:00:00.000Z  in force  0 conversations, 0 completed
    started by default: every other conversation
next 2  from 1970-01-01T00:00:00.000Z  planned  0 conversations, 0 completed
    started by nothing, because another flow is the default
old 2  from 1970-01-01T00:00:00.000Z  superseded  0 conversations, 0 completed
gone 2  from 1970-01-01T00:00:00.000Z  withdrawn since 1970-01-01T00:01:00.000Z  0 conversations, 0 completed
"
        );
    }
}
