//! Has WhatsApp fail with each code that sink-whatsapp knows, in a response and in a status, and with
//! answers that have no code. Each meets a lead and a business number of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually, topic};
use leadstream_kafka::Outgoing;
use leadstream_local::deployment::{Service, sandbox_config};
use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person, wamid};
use leadstream_sandbox::{Effect, Endpoint, ErrorBody, Fault};
use leadstream_schemas::codec::{decode, encode};
use leadstream_schemas::{Reply, Timestamp, Topic, UndeliveredClass};
use leadstream_sink_whatsapp::feedback;
use leadstream_sink_whatsapp::send_result::{CODES, Class};
use serde_json::json;
use sqlx::Row as _;

use crate::clients::producer;

const WITHIN: Duration = Duration::from_secs(90);
const SINK: &str = "sink-whatsapp";
/// A code that nobody described.
const UNKNOWN_CODE: i64 = 999_999;
const HOUR: i64 = 3_600;

/// The question is a template to those who wrote a day ago.
const FLOW: &str = r#"name: codes
version: 1
language: en
start: NAME
timers: {nudge: off, cold: off}
templates:
  go_on: {category: utility, body: ["{name|there}"]}
steps:
  NAME:
    prompt: What is your name?
    expect: text
    fill: name
    outside_window: go_on
    next: DONE
  DONE:
    prompt: Thanks.
    completes: true
"#;

/// A failure of each message to one lead.
struct Case {
    lead: String,
    number: String,
    fault: Fault,
    class: Class,
    code: Option<i64>,
}

impl Case {
    /// Returns whether the reply ends with the failure; otherwise it waits.
    fn ends(&self) -> bool {
        matches!(
            self.class,
            Class::Refused
                | Class::UnknownCode
                | Class::WindowClosed
                | Class::Unreachable
                | Class::MarketingLimit
                | Class::MarketingOptOut
                | Class::Experiment
        )
    }

    /// Returns the state of the lead after the result, as the flow's defaults say.
    fn lead_state(&self) -> &'static str {
        match self.class {
            Class::Unreachable | Class::WindowClosed => "COLD",
            _ => "NAME",
        }
    }

    fn is_form(&self) -> bool {
        self.class == Class::StopForm
    }
}

fn cases() -> Vec<Case> {
    let answer = |status, code: i64| Effect::Status {
        status,
        code: Some(code.to_string()),
        retry_after_s: None,
        body: ErrorBody::Vendor,
    };
    let page = |status| Effect::Intercepted {
        applied: false,
        status,
        retry_after: None,
        body: ErrorBody::Html,
    };
    let mut failures = Vec::new();
    for (class, codes) in CODES {
        for code in *codes {
            failures.push((Fault::graph_error(*code).effect, *class, Some(*code)));
            failures.push((Effect::FailedStatus { code: *code }, *class, Some(*code)));
        }
    }
    failures.extend([
        (answer(404, 100), Class::PauseNumber, Some(100)),
        (
            answer(429, UNKNOWN_CODE),
            Class::ThrottleNumber,
            Some(UNKNOWN_CODE),
        ),
        (answer(500, UNKNOWN_CODE), Class::Retry, Some(UNKNOWN_CODE)),
        (
            answer(400, UNKNOWN_CODE),
            Class::UnknownCode,
            Some(UNKNOWN_CODE),
        ),
        (
            Effect::FailedStatus { code: UNKNOWN_CODE },
            Class::UnknownCode,
            Some(UNKNOWN_CODE),
        ),
        (page(425), Class::Retry, None),
        (page(503), Class::Retry, None),
        (page(429), Class::ThrottleNumber, None),
        (page(403), Class::PauseNumber, None),
        (page(302), Class::PauseNumber, None),
        (page(200), Class::UnknownOutcome, None),
        (page(408), Class::UnknownOutcome, None),
        (page(502), Class::UnknownOutcome, None),
    ]);
    let failures = failures.into_iter().enumerate();
    let case = |(index, (effect, class, code)): (usize, (Effect, Class, Option<i64>))| {
        let lead = format!("1555777{index:04}");
        Case {
            number: format!("10634052{index:07}"),
            fault: Fault::once(Endpoint::GraphMessages, effect)
                .for_key(&lead)
                .always(),
            lead,
            class,
            code,
        }
    };
    failures.map(case).collect()
}

/// Walks through the table: row, metric, dead letter, result, and the lead's state.
pub(crate) fn each_code_of_whatsapp_ends_or_delays_its_reply_as_the_table_says(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let cases = cases();
        let mut config = sandbox_config();
        let numbers = cases.iter().map(|case| BusinessNumber::new(&case.number));
        config.whatsapp.numbers = numbers.collect();
        let site = Site::with(world, "codes", config).await?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("flow.yaml");
        std::fs::write(&file, FLOW)?;
        let file = file.to_str().context("a path")?.to_owned();
        let flow = vec![("PROCESSOR_PUBLISH_FLOW_FILE".to_owned(), file)];
        site.spawn_with(Service::Processor, "processor", flow)?;
        site.ready("processor").await?;
        site.start(Service::Ingest, "ingest").await?;
        site.start(Service::SinkWhatsapp, SINK).await?;
        let client = site.sandbox.client()?;
        for case in &cases {
            client.order(&case.fault).await?;
        }
        ask(&site, &cases).await?;
        let mut left: Vec<&Case> = cases.iter().collect();
        eventually(WITHIN, async || rows(&site, &mut left).await).await?;
        eventually(WITHIN, async || metrics(&site, &cases).await).await?;
        eventually(WITHIN, async || lead_states(&site, &cases).await).await?;
        dead_letters(&site, &cases)?;
        site.finish().await
    })
}

/// Has each lead asked a question: by text, by a template, or by a form.
async fn ask(site: &Site<'_>, cases: &[Case]) -> anyhow::Result<()> {
    let now = Timestamp::now().millis() / 1000;
    let mut forms = Vec::new();
    for case in cases {
        if case.is_form() {
            forms.push(form(site, case)?);
            continue;
        }
        let since = match case.class {
            Class::StopTemplate => 25 * HOUR,
            _ => 0,
        };
        let webhook = MetaWebhook::new(&BusinessNumber::new(&case.number));
        let person = Person::new(&case.lead, "Ann");
        let id = wamid(&format!("codes-{}", case.lead));
        let body = webhook.text(&person, &id, now - since, "Hi").to_bytes();
        site.post(&body).await?;
    }
    producer(site)?.send(&forms).await?.await?;
    Ok(())
}

/// Returns a reply with a form, which this flow has not.
fn form(site: &Site<'_>, case: &Case) -> anyhow::Result<Outgoing> {
    let reply = json!({
        "id": format!("{}:form", case.lead),
        "lead_id": case.lead,
        "platform": "whatsapp_cloud",
        "number": case.number,
        "recipient": { "wa_id": case.lead },
        "content": {
            "type": "form", "body": "Your details", "button": "Open", "flow_id": "1",
            "flow_token": "2",
        },
        "revision": 1,
        "kind": "prompt",
    });
    let topic = site.topic(Topic::LeadReplies);
    Ok(Outgoing::new(topic, case.lead.as_str(), encode(1, &reply)?))
}

/// Checks what the ledger says of each reply. Removes what is right from `left`: the next attempt of a
/// reply that waits changes its row again.
async fn rows(site: &Site<'_>, left: &mut Vec<&Case>) -> anyhow::Result<()> {
    let rows = sqlx::query("SELECT lead_id, state, class, code, reason FROM whatsapp_replies")
        .fetch_all(&site.database)
        .await?;
    let mut found = BTreeMap::new();
    for row in rows {
        let lead: String = row.try_get("lead_id")?;
        let state: String = row.try_get("state")?;
        let class: Option<String> = row.try_get("class")?;
        let code: Option<i64> = row.try_get("code")?;
        let reason: Option<String> = row.try_get("reason")?;
        found.insert(lead, (state, class, code, reason));
    }
    left.retain(|case| {
        let Some((state, class, code, reason)) = found.get(&case.lead) else {
            return true;
        };
        let is_as = class.as_deref() == Some(case.class.as_str()) && *code == case.code;
        let is_so = match case.class {
            _ if case.ends() => state == "failed" && is_as && reason.is_some(),
            Class::UnknownOutcome => state == "unknown",
            _ => state == "waiting" && is_as,
        };
        !is_so
    });
    if let Some(case) = left.first() {
        let found = found.get(&case.lead);
        anyhow::bail!(
            "{} are not as wanted, such as {:?}: {found:?}",
            left.len(),
            case.fault.effect
        );
    }
    Ok(())
}

/// Checks that each failure is counted, by class, and that each number that has to pauses.
async fn metrics(site: &Site<'_>, cases: &[Case]) -> anyhow::Result<()> {
    let mut ended: BTreeMap<&str, f64> = BTreeMap::new();
    let mut again: BTreeMap<&str, f64> = BTreeMap::new();
    let mut results: BTreeMap<&str, f64> = BTreeMap::new();
    let (mut paused, mut unknown) = (0.0, 0.0);
    for case in cases {
        let class = case.class.as_str();
        match case.class {
            _ if case.ends() => {
                *ended.entry(class).or_default() += 1.0;
                let result: UndeliveredClass = feedback::classify("failed", Some(class));
                // A day later Meta may deliver again, and the flow hears of it only then.
                if case.class != Class::MarketingLimit {
                    *results.entry(result.as_str()).or_default() += 1.0;
                }
            }
            Class::UnknownOutcome => unknown += 1.0,
            _ => *again.entry(class).or_default() += 1.0,
        }
        paused += f64::from(u8::from(case.class == Class::PauseNumber));
    }
    let text = site.metrics(SINK).await?;
    let of = |name: &str, labels: String| {
        let line = format!("leadstream_sink_whatsapp_{name}{labels} ");
        let found = text.lines().find_map(|found| found.strip_prefix(&line));
        anyhow::Ok(
            found
                .with_context(|| format!("no {line}"))?
                .parse::<f64>()?,
        )
    };
    for (class, wanted) in ended {
        let found = of("replies_total", format!("{{result=\"{class}\"}}"))?;
        ensure!(found == wanted, "{found} of {wanted} ended as {class}");
    }
    for (class, wanted) in again {
        let found = of("retries_total", format!("{{class=\"{class}\"}}"))?;
        ensure!(found >= wanted, "{found} of {wanted} wait as {class}");
    }
    for (class, wanted) in results {
        let found = of("undelivered_total", format!("{{class=\"{class}\"}}"))?;
        ensure!(found == wanted, "{found} of {wanted} results are {class}");
    }
    let found = of("paused_numbers", String::new())?;
    ensure!(found == paused, "{found} of {paused} numbers are paused");
    let found = of("unknown_outcomes_total", String::new())?;
    ensure!(found == unknown, "{found} of {unknown} are unknown");
    Ok(())
}

/// Checks that each lead is where the flow puts it.
async fn lead_states(site: &Site<'_>, cases: &[Case]) -> anyhow::Result<()> {
    let states: Vec<(String, String)> =
        sqlx::query_as("SELECT wa_id, current_state FROM lead_qualifications")
            .fetch_all(&site.database)
            .await?;
    let states: BTreeMap<String, String> = states.into_iter().collect();
    for case in cases.iter().filter(|case| !case.is_form()) {
        let state = states.get(&case.lead).map(String::as_str);
        ensure!(
            state == Some(case.lead_state()),
            "{:?}: the lead is {state:?}",
            case.fault.effect
        );
    }
    Ok(())
}

/// Checks that the replies which somebody has to correct are dead letters, and no others.
fn dead_letters(site: &Site<'_>, cases: &[Case]) -> anyhow::Result<()> {
    let letters = Topic::LeadReplies.dead_letters(&site.deployment.topic_prefix);
    let mut found = BTreeSet::new();
    for record in topic::read_all(site, &letters)? {
        found.insert(decode::<Reply>(&record.value)?.lead_id.to_string());
    }
    let refused = cases.iter().filter(|case| case.class.is_dead_letter());
    let wanted: BTreeSet<String> = refused
        .filter(|case| case.class != Class::UnknownOutcome)
        .map(|case| case.lead.clone())
        .collect();
    ensure!(found == wanted, "{found:?} instead of {wanted:?}");
    Ok(())
}
