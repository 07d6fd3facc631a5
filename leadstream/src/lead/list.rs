//! Runs `leadstream lead list`: leads by filters, page by page.

use anyhow::Context;
use chrono::Utc;
use leadstream_processor::commanding::{
    LeadCursor, LeadFilter, LeadPage, LeadRepository, LeadSummary, MAX_LEADS,
};
use leadstream_schemas::Account;
use leadstream_service::config::DatabaseArgs;

use crate::since::Since;
use crate::terminal::{Style, show, table};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct List {
    /// State of the leads: a step of the flow, COLD, HUMAN_HANDOFF, OPTED_OUT or MERGED
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Sales representative to whom the leads are assigned; '' for nobody
    #[arg(long, value_name = "NAME")]
    assignee: Option<String>,
    /// Name of the flow that the leads follow
    #[arg(long, value_name = "NAME")]
    flow: Option<String>,
    /// Lowest score of the leads
    #[arg(long, value_name = "POINTS", allow_negative_numbers = true)]
    min_score: Option<i32>,
    /// Highest score of the leads
    #[arg(long, value_name = "POINTS", allow_negative_numbers = true)]
    max_score: Option<i32>,
    /// Time since which the leads have been silent: 2026-11-30, 2026-11-30T10:00:00Z, or 2d ago
    #[arg(long, value_name = "TIME", value_parser = Since::parse)]
    silent_since: Option<Since>,
    /// Account of the leads, where ACCOUNTS groups numbers; '' for the default one. Without it, all
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<Account>,
    /// Leads of a page
    #[arg(
        long,
        default_value_t = 50,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LEADS))
    )]
    limit: u32,
    /// What the page before names as the next one
    #[arg(long, value_name = "CURSOR")]
    after: Option<LeadCursor>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let pool = self
            .database
            .connect(|url| leadstream_processor::pool(url, 1))?;
        let leads = LeadRepository::open(pool, None).await?;
        let filter = LeadFilter {
            accounts: self.account.map(|account| vec![account]),
            state: self.state,
            assignee: self.assignee,
            flow: self.flow,
            min_score: self.min_score,
            max_score: self.max_score,
            silent_since: self.silent_since.map(|since| since.before(Utc::now())),
        };
        let page = leads.list(&filter, self.after.as_ref(), self.limit).await;
        let page = page.context("the leads cannot be listed")?;
        if self.json {
            show(&format!("{}\n", serde_json::to_string_pretty(&page)?));
        } else {
            show(&text(&page, Style::stdout()));
        }
        Ok(())
    }
}

fn text(page: &LeadPage, style: Style) -> String {
    if page.leads.is_empty() {
        return "no lead matches\n".to_owned();
    }
    let heads = ["lead", "state", "score", "last message", "assignee", "name"];
    let rows: Vec<_> = page.leads.iter().map(cells).collect();
    let mut out = table(&heads, &rows, style);
    if let Some(next) = &page.next {
        out.push_str(&format!("\nmore leads: add --after {next}\n"));
    }
    out
}

fn cells(lead: &LeadSummary) -> [String; 6] {
    let state = if lead.step == lead.state {
        lead.state.clone()
    } else {
        format!("{} ({})", lead.state, lead.step)
    };
    [
        lead.lead_id.to_string(),
        state,
        lead.score.to_string(),
        lead.last_interaction.to_string(),
        lead.assignee.clone().unwrap_or_default(),
        lead.name.clone().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::Timestamp;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let lead = |lead_id: &str, state: &str, name: Option<&str>| LeadSummary {
            lead_id: lead_id.into(),
            account: Account::DEFAULT,
            wa_id: None,
            user_id: None,
            lid: None,
            name: name.map(str::to_owned),
            state: state.to_owned(),
            step: "AWAITING_NAME".to_owned(),
            score: 10,
            is_completed: false,
            assignee: None,
            flow_name: "qualification".to_owned(),
            flow_version: 3,
            revision: leadstream_schemas::Revision(2),
            first_seen: Timestamp::from_secs(0),
            last_interaction: Timestamp::from_secs(1),
        };
        let page = LeadPage {
            leads: vec![
                lead("4915", "AWAITING_NAME", None),
                lead("eu/US.1349120865", "COLD", Some("Zoë")),
            ],
            next: Some("abc".to_owned()),
        };
        let expected = "\
lead              state                 score  last message              assignee  name
4915              AWAITING_NAME         10     1970-01-01T00:00:01.000Z
eu/US.1349120865  COLD (AWAITING_NAME)  10     1970-01-01T00:00:01.000Z            Zoë

more leads: add --after abc
";
        assert_eq!(text(&page, Style::PLAIN), expected);
        assert_eq!(
            text(&LeadPage::default(), Style::PLAIN),
            "no lead matches\n"
        );
    }
}
