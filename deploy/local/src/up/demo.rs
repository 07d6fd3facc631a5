//! Plays one conversation through the real webhook, shows it, and checks the result.

mod observe;
mod script;
mod text;

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use leadstream_kafka::KafkaArgs;
use leadstream_sandbox::{CrmRecord, SandboxClient};
use leadstream_schemas::Topic;
use leadstream_service::database;
use sqlx::PgPool;
use tokio::time::{Instant, sleep, timeout};

use observe::{Events, row};
use script::{Outcome, SCRIPT, Turn};

use super::event::{Event, Label, Observation, Show};
use crate::deployment::Service;
use crate::phone::{Content, Phone, random_wa_id};
use crate::stack_file::StackFile;

/// The longest time of each step.
const WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const PROFILE_NAME: &str = "Johnny";

/// Plays the conversation with a new number, shows each step, and checks the result.
///
/// # Errors
/// Returns the service that was too slow, with its log, or all differences from the script.
pub(super) async fn run(
    kafka: &KafkaArgs,
    file: &StackFile,
    logs: &Path,
    show: &Show,
) -> anyhow::Result<()> {
    let (Some(number), Some(sandbox)) = (&file.phone_number_id, &file.sandbox) else {
        bail!("without the sandbox's WhatsApp no conversation can be played");
    };
    let sandbox = SandboxClient::new(sandbox)?;
    let phone = Phone::new(
        &file.webhooks.whatsapp,
        &file.meta_app_secret,
        number,
        sandbox.clone(),
        random_wa_id(),
        PROFILE_NAME,
    )
    .await?;
    let kafka = KafkaArgs {
        kafka_bootstrap_servers: Some(file.kafka.clone()),
        ..kafka.clone()
    };
    let events = Events::from_now(&kafka, kafka.topic(Topic::LeadEvents)).await?;
    // The address may hold a password, so the error is left out.
    let database = file.database_url.parse().ok();
    let database = database.context("the database's address cannot be used")?;
    let database = database::pool(database, 1);
    show(Event::Began {
        wa_id: phone.wa_id(),
        number,
    });
    let mut stage = Stage {
        phone,
        sandbox,
        events,
        database,
        logs: Logs(logs),
        show,
        sent: Instant::now(),
    };
    let outcome = stage.play().await?;
    stage.database.close().await;
    let problems = script::problems(&outcome);
    if !problems.is_empty() {
        bail!(
            "the conversation did not come out as it must:\n  {}",
            problems.join("\n  ")
        );
    }
    show(Event::Checked);
    Ok(())
}

/// The stack on which the conversation is played.
struct Stage<'a> {
    phone: Phone,
    sandbox: SandboxClient,
    events: Events,
    database: PgPool,
    logs: Logs<'a>,
    show: &'a Show,
    /// The time at which the current message was sent.
    sent: Instant,
}

impl Stage<'_> {
    async fn play(&mut self) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome {
            wa_id: self.phone.wa_id().to_owned(),
            ..Outcome::default()
        };
        for (turn, revision) in SCRIPT.iter().zip(1..) {
            self.turn(turn, revision, &mut outcome).await?;
        }
        let revision = SCRIPT.len();
        outcome.contact = self.crm(Crm::Hubspot, revision).await?;
        outcome.lead = self.crm(Crm::Salesforce, revision).await?;
        Ok(outcome)
    }

    /// Sends one message and observes its effects in the order of their causes.
    async fn turn(
        &mut self,
        turn: &Turn,
        revision: i64,
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        self.sent = Instant::now();
        self.show(Label::Lead, turn.says);
        self.phone
            .send(&Content::text(turn.says), WITHIN, |_| {})
            .await
            .with_context(|| self.logs.of(Service::Ingest))?;
        self.show(Label::Webhook, "answered 200");

        let (database, wa_id) = (&self.database, self.phone.wa_id());
        let found = until(|| async { row(database, wa_id, revision).await });
        let what = "commit the lead's row";
        let row = self.logs.within(Service::Processor, what, found).await?;
        self.show(Label::Row, &text::row(&row));
        outcome.row = Some(row);

        let event = self.events.next_of(self.phone.wa_id());
        let what = "publish the lead's event";
        let event = self.logs.within(Service::Processor, what, event).await?;
        self.show(Label::Event, &text::event(&event));
        outcome.events.push(event);

        let delivered = timeout(WITHIN + LOOK_EVERY, self.phone.delivered(WITHIN)).await;
        let delivered = delivered
            .ok()
            .transpose()
            .context("the sandbox's WhatsApp")?
            .unwrap_or_default();
        if delivered.is_empty() {
            bail!(self.logs.too_slow(Service::SinkWhatsapp, "send the reply"));
        }
        for message in delivered {
            let text = message.text.unwrap_or_default();
            self.show(Label::Bot, &text);
            outcome.replies.push(text);
        }
        Ok(())
    }

    /// Returns the record of the lead, once `revision` was written to it.
    async fn crm(&self, crm: Crm, revision: usize) -> anyhow::Result<Option<CrmRecord>> {
        let (sandbox, wa_id) = (&self.sandbox, self.phone.wa_id());
        let written = until(|| async move {
            let record = match crm {
                Crm::Hubspot => sandbox.contact(wa_id).await?,
                Crm::Salesforce => sandbox.lead(wa_id).await?,
            };
            let field = crm.revision_field();
            let is_written = |record: &CrmRecord| script::number(record, field) == Some(revision);
            Ok(record.filter(is_written))
        });
        let what = format!("write the lead's last state to {crm}");
        let record = self.logs.within(Service::SinkCrm, &what, written).await?;
        let (label, text) = match crm {
            Crm::Hubspot => (Label::Hubspot, text::contact(&record)),
            Crm::Salesforce => (Label::Salesforce, text::lead(&record)),
        };
        self.show(label, &text);
        Ok(Some(record))
    }

    fn show(&self, label: Label, text: &str) {
        (self.show)(Event::Observed(Observation {
            label,
            after: self.sent.elapsed(),
            text,
        }));
    }
}

/// The service that does a step of the conversation, and the path of its log.
#[derive(Clone, Copy)]
struct Logs<'a>(&'a Path);

impl Logs<'_> {
    /// Waits for `step`; an error or a time-out names the service and its log.
    async fn within<T>(
        self,
        service: Service,
        what: &str,
        step: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        match timeout(WITHIN, step).await {
            Ok(done) => done.with_context(|| self.of(service)),
            Err(_) => bail!(self.too_slow(service, what)),
        }
    }

    fn too_slow(self, service: Service, what: &str) -> String {
        format!(
            "{} did not {what} within {} s; {}",
            service.name(),
            WITHIN.as_secs(),
            self.of(service)
        )
    }

    fn of(self, service: Service) -> String {
        let log = self.0.join(format!("{}.log", service.name()));
        format!("the log of {} is {}", service.name(), log.display())
    }
}

#[derive(Clone, Copy)]
enum Crm {
    Hubspot,
    Salesforce,
}

impl Crm {
    const fn revision_field(self) -> &'static str {
        match self {
            Self::Hubspot => "leadstream_revision",
            Self::Salesforce => "Leadstream_Revision__c",
        }
    }
}

impl fmt::Display for Crm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hubspot => "HubSpot",
            Self::Salesforce => "Salesforce",
        })
    }
}

/// Repeats `look` until it finds something.
async fn until<T, F>(mut look: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        sleep(LOOK_EVERY).await;
    }
}
