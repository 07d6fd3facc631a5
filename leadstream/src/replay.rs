//! Runs `leadstream replay …`: what other versions of flows would change in existing leads.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, bail};
use chrono::{NaiveDate, NaiveTime};
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use leadstream_processor::AccountsArgs;
use leadstream_processor::lead::{Address, HoldReason};
use leadstream_processor::replaying::{
    Document, Group, LeadPreview, Preview, Replayer, Selection, Side,
};
use leadstream_schemas::{Account, LeadId, Timestamp};
use leadstream_service::config::DatabaseArgs;
use leadstream_service::counted;
use serde_json::{Value, json};

use crate::terminal::{Style, show, table};

/// Settings of `leadstream replay`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Fold the journals of leads with other versions of flows, and count what would change
    ///
    /// It reads PostgreSQL only and changes nothing. The documents need not be published. A lead whose
    /// journal does not reach back to its first input counts as `history`.
    ///
    /// A lead on hold would not simply take the other version, for example because a message would answer a
    /// question that it was not asked. The guide on replays explains each reason.
    Preview(Box<PreviewArgs>),
}

#[derive(Clone, Debug, clap::Args)]
struct PreviewArgs {
    /// Flow document that replaces every published version of its flow; once for each flow
    #[arg(long = "flow", required = true, value_name = "FILE")]
    flows: Vec<PathBuf>,
    /// Only leads that first wrote in these days, such as 2026-01-01..2026-02-01, without the last one
    #[arg(long, value_name = "FROM..TO", value_parser = days)]
    began: Option<(Timestamp, Timestamp)>,
    /// Only leads in this state
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only this share of the leads, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=100))]
    sample: Option<u32>,
    /// Only this lead, with both conversations and its answers: number, user id, LID or lead id
    #[arg(long, value_name = "WA_ID", conflicts_with_all = ["began", "state", "sample"])]
    lead: Option<String>,
    /// Account of the lead, where ACCOUNTS groups numbers
    #[arg(long, default_value = "", value_name = "ACCOUNT")]
    account: Account,
    /// Exit with 1 if leads would be held for one of these reasons, separated by commas
    #[arg(long, value_name = "REASON,…", value_delimiter = ',', value_parser = reasons())]
    fail_on: Vec<HoldReason>,
    /// Share of the time in which it reads, in percent; it waits for the rest
    #[arg(long, default_value_t = 25, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=100))]
    share: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    accounts: AccountsArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

fn reasons() -> impl TypedValueParser<Value = HoldReason> {
    let names = PossibleValuesParser::new(HoldReason::ALL.iter().map(|it| it.as_str()));
    names.try_map(|name| {
        let mut all = HoldReason::ALL.iter().copied();
        all.find(|it| it.as_str() == name).ok_or("no such reason")
    })
}

fn days(text: &str) -> Result<(Timestamp, Timestamp), String> {
    let day = |text: &str| -> Option<Timestamp> {
        let day: NaiveDate = text.parse().ok()?;
        let begin = day.and_time(NaiveTime::MIN).and_utc();
        Some(Timestamp::from_millis(begin.timestamp_millis()))
    };
    let range = text.split_once("..");
    let range = range.and_then(|(from, to)| Some((day(from)?, day(to)?)));
    range
        .filter(|(from, to)| from < to)
        .ok_or_else(|| "use two days, the earlier first: 2026-01-01..2026-02-01".to_owned())
}

/// # Errors
/// Returns an error if a document cannot be used, if the database is unavailable, or if a lead would be
/// held for a reason of --fail-on.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let Action::Preview(args) = args.action;
    let mut documents = Vec::new();
    for path in &args.flows {
        let (_, text) = crate::flow::parse(path)?;
        let file = path.display().to_string();
        documents.push(Document { file, text });
    }
    let mut replayer = Replayer::open(&args.database, documents).await?;
    if let Some(id) = &args.lead {
        return lead(&replayer, &args, id).await;
    }
    let selection = Selection {
        state: args.state.clone(),
        began: args.began,
        sample: args.sample,
    };
    let preview = replayer.preview(&selection, args.share).await?;
    if args.json {
        show(&format!("{}\n", json!(preview)));
    } else {
        show(&shown(&preview, Style::stdout()));
    }
    fail_on(&args.fail_on, |reason| preview.held(reason))
}

fn fail_on(reasons: &[HoldReason], held: impl Fn(HoldReason) -> u64) -> anyhow::Result<()> {
    let held = reasons.iter().map(|it| (it.as_str(), held(*it)));
    let held: Vec<String> = held
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{} for {reason}", counted(count, "lead")))
        .collect();
    if !held.is_empty() {
        bail!("would be held: {}", held.join(", "));
    }
    Ok(())
}

async fn lead(replayer: &Replayer, args: &PreviewArgs, id: &str) -> anyhow::Result<()> {
    let address = Address::of(&args.account, id, args.accounts.accounts.as_ref());
    let address = address.with_context(|| format!("ACCOUNTS has no account `{}`", args.account))?;
    let preview = replayer.lead(&address).await?;
    let preview = preview.context("no lead has this id and follows one of the flows")?;
    if args.json {
        show(&format!("{}\n", json!(preview)));
    } else {
        show(&sides(&preview, Style::stdout()));
    }
    let held = preview.hold;
    fail_on(&args.fail_on, |reason| {
        u64::from(held == Some(reason.as_str()))
    })
}

fn shown(preview: &Preview, style: Style) -> String {
    let row = |what: String, group: &Group| {
        let examples: Vec<&str> = group.examples.iter().map(LeadId::as_str).collect();
        [what, group.leads.to_string(), examples.join(", ")]
    };
    let mut rows = vec![[
        "unchanged".to_owned(),
        preview.unchanged.to_string(),
        String::new(),
    ]];
    rows.extend(
        preview
            .changes
            .iter()
            .map(|(kinds, group)| row(kinds.clone(), group)),
    );
    for (reason, group) in &preview.holds {
        rows.push(row(format!("on hold: {reason}"), group));
    }
    if preview.unreadable.leads > 0 {
        rows.push(row("unreadable".to_owned(), &preview.unreadable));
    }
    let mut out = format!("{} evaluated\n\n", counted(preview.leads, "lead"));
    out += &table(&["would be", "leads", "examples"], &rows, style);
    for (step, count) in &preview.misread_at {
        let _ = writeln!(
            out,
            "misread at {step}, which was not asked: {}",
            counted(*count, "lead")
        );
    }
    out
}

/// Returns both conversations of a lead side by side.
fn sides(preview: &LeadPreview, style: Style) -> String {
    let kinds = preview.kinds.join("+");
    let outcome = match (preview.hold, kinds.as_str()) {
        (Some(reason), "") => format!("on hold: {reason}"),
        (Some(reason), kinds) => format!("on hold: {reason}; {kinds}"),
        (None, "") => "unchanged".to_owned(),
        (None, kinds) => kinds.to_owned(),
    };
    let mut out = format!("{}: {outcome}\n\n", preview.lead_id);
    let before = fields(&preview.before);
    let after = preview.after.as_ref().map(fields).unwrap_or_default();
    let mut names: Vec<&String> = before.iter().chain(&after).map(|(name, _)| name).collect();
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    let value = |of: &[(String, String)], name: &str| {
        let found = of.iter().find(|(it, _)| it == name);
        found.map_or_else(|| "–".to_owned(), |(_, value)| value.clone())
    };
    let rows: Vec<[String; 3]> = names
        .into_iter()
        .map(|name| [name.clone(), value(&before, name), value(&after, name)])
        .collect();
    out += &table(&["", "in force", "replayed"], &rows, style);
    out
}

fn fields(side: &Side) -> Vec<(String, String)> {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned)
    };
    let assignee = side.assignee.clone().unwrap_or_else(|| "–".to_owned());
    let mut fields: Vec<(String, String)> = [
        (
            "flow",
            format!("{} version {}", side.flow.name, side.flow.version),
        ),
        ("state", side.state.clone()),
        ("step", side.step.clone()),
        ("score", side.score.to_string()),
        ("completed", side.is_completed.to_string()),
        ("assignee", assignee),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let data = side
        .data
        .iter()
        .map(|(name, value)| (format!("data.{name}"), text(value)));
    fields.extend(data);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_two_and_in_order() {
        let (from, to) = days("2026-01-01..2026-02-01").unwrap();
        assert_eq!(from.to_string(), "2026-01-01T00:00:00.000Z");
        assert_eq!(to.millis() - from.millis(), 31 * 86_400_000);
        for text in [
            "",
            "2026-01-01",
            "2026-02-01..2026-01-01",
            "2026-01-01..2026-01-01",
            "a..b",
        ] {
            assert!(days(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_held_reason_that_is_named_fails() {
        let held = |reason| u64::from(reason == HoldReason::Misread) * 2;
        assert!(fail_on(&[], held).is_ok() && fail_on(&[HoldReason::Asks], held).is_ok());
        let error = fail_on(&[HoldReason::Asks, HoldReason::Misread], held).unwrap_err();
        assert_eq!(error.to_string(), "would be held: 2 leads for misread");
    }

    #[test]
    fn a_preview_names_examples_and_misread_steps() {
        let group = |id: &str| Group {
            leads: 1,
            examples: vec![id.into()],
        };
        let preview = Preview {
            leads: 3,
            unchanged: 1,
            changes: [("score".to_owned(), group("4917"))].into(),
            holds: [("misread", group("3512"))].into(),
            misread_at: [("AWAITING_COMPANY".to_owned(), 1)].into(),
            ..Preview::default()
        };
        let expected = "3 leads evaluated\n\nwould be          leads  examples\nunchanged         1\nscore             1      4917\non hold: misread  1      3512\nmisread at AWAITING_COMPANY, which was not asked: 1 lead\n";
        assert_eq!(shown(&preview, Style::PLAIN), expected);
    }
}
