//! People act on leads, by the command line and by the API; and erase them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream::deployment::Service;
use leadstream_local::free_address;
use leadstream_sandbox::MessageQuery;
use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person, wamid};
use leadstream_schemas::codec::decode;
use leadstream_schemas::{LeadEvent, Timestamp, Topic};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::World;
use crate::observe::read_all;
use crate::site::{NUMBER, Site, eventually};

const ALL: &str = "a token that may do everything";
const READ: &str = "a token that may read";

/// A site with the API, and where its tokens are.
struct Desk<'w> {
    site: Site<'w>,
    api: String,
    tokens: PathBuf,
}

impl<'w> Desk<'w> {
    async fn new(world: &'w World, name: &str) -> anyhow::Result<Self> {
        let mut site = Site::new(world, name).await?;
        let key = (
            "ERASURE_KEY".to_owned(),
            "a key of this test alone".to_owned(),
        );
        site.deployment.further.push(key);
        let tokens = world
            .stack
            .data_dir()
            .join(format!("{}-tokens.yaml", site.name));
        let all = "'leads:read', 'leads:write', 'leads:erase'";
        let text = token("all", ALL, all) + &token("read", READ, "'leads:read'");
        std::fs::write(&tokens, text)?;
        let address = free_address()?;
        site.start_all().await?;
        let own = vec![
            ("API_ADDRESS".to_owned(), address.to_string()),
            ("API_TOKENS_FILE".to_owned(), tokens.display().to_string()),
        ];
        site.spawn_with(Service::Api, "api", own)?;
        site.ready("api").await?;
        Ok(Self {
            site,
            api: format!("http://{address}"),
            tokens,
        })
    }

    /// Sends `texts`, ten seconds apart and all of them in the past; gives the webhooks.
    async fn writes(&self, person: &Person, texts: &[&str]) -> anyhow::Result<Vec<Vec<u8>>> {
        let now = Timestamp::now().millis() / 1000;
        let mut sent = Vec::new();
        for (index, text) in (0_i64..).zip(texts) {
            let id = wamid(&format!("{person:?}-{text}-{}", self.site.name));
            let at = now - 10 * (i64::try_from(texts.len())? - index);
            let webhook = MetaWebhook::new(&BusinessNumber::new(NUMBER));
            let webhook = webhook.text(person, &id, at, text).to_bytes();
            self.site.post(&webhook).await?;
            sent.push(webhook);
        }
        Ok(sent)
    }

    async fn row(&self, wa_id: &str) -> anyhow::Result<(String, Option<String>, i64)> {
        let row = sqlx::query_as(
            "SELECT current_state, assignee, revision FROM lead_qualifications WHERE wa_id = $1",
        )
        .bind(wa_id)
        .fetch_optional(&self.site.database)
        .await?;
        row.context("there is no such lead")
    }

    async fn is_in(&self, wa_id: &str, state: &str) -> anyhow::Result<()> {
        eventually(Duration::from_secs(60), async || {
            let (found, ..) = self.row(wa_id).await?;
            ensure!(found == state, "it is in {found}, not {state}");
            Ok(())
        })
        .await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let url = format!("{}{path}", self.api);
        let mut request = self.site.http.request(method, url).bearer_auth(token);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        let json = serde_json::from_str(&text).with_context(|| format!("{status}: {text}"))?;
        Ok((status, json))
    }

    async fn give(
        &self,
        wa_id: &str,
        key: Option<&str>,
        body: Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let path = format!("/v1/leads/{wa_id}/commands?wait=30");
        self.ask(Method::POST, &path, ALL, key, Some(body)).await
    }

    /// How often a text was sent to WhatsApp.
    async fn sent(&self, text: &str) -> anyhow::Result<usize> {
        let all = self
            .site
            .sandbox
            .client()?
            .messages(&MessageQuery::default())
            .await?;
        let of_it = all.iter().filter(|it| format!("{it:?}").contains(text));
        Ok(of_it.count())
    }

    async fn is_sent_once(&self, text: &str) -> anyhow::Result<()> {
        eventually(Duration::from_secs(60), async || {
            let count = self.sent(text).await?;
            ensure!(count == 1, "`{text}` was sent {count} times");
            Ok(())
        })
        .await
    }

    async fn refused(&self, args: &[&str], reason: &str) -> anyhow::Result<()> {
        let error = self.site.tool(args).await.err();
        let text = error.context("it was not refused")?.to_string();
        ensure!(text.contains(reason), "{text}");
        Ok(())
    }
}

fn token(name: &str, token: &str, scopes: &str) -> String {
    let hash: String = Sha256::digest(token.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("- {{ name: {name}, sha256: {hash}, scopes: [{scopes}] }}\n")
}

/// Each command by the command line and by the API, also while the processor is killed.
pub(crate) fn act(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let desk = Desk::new(world, "commands").await?;
        by_cli(&desk).await?;
        by_api(&desk).await?;
        limited(&desk).await?;
        access(&desk).await?;
        while_the_processor_is_away(&desk).await?;
        desk.site.finish().await
    })
}

async fn by_cli(desk: &Desk<'_>) -> anyhow::Result<()> {
    let (site, ada) = (&desk.site, "15558880101");
    desk.writes(&Person::new(ada, "Ada"), &["Hi"]).await?;
    desk.is_in(ada, "AWAITING_NAME").await?;
    for _ in 0..2 {
        let told = site
            .tool(&[
                "lead",
                "say",
                ada,
                "I am Ana.",
                "--id",
                "say-1",
                "--wait",
                "30",
            ])
            .await?;
        ensure!(told.contains("applied at revision 2"), "{told}");
    }
    desk.is_sent_once("I am Ana.").await?;
    desk.is_in(ada, "HUMAN_HANDOFF").await?;
    eventually(Duration::from_secs(30), async || {
        let funnel: Vec<(String, i64, i64)> =
            sqlx::query_as("SELECT state, here, handed_over FROM report_funnel WHERE here > 0")
                .fetch_all(&site.database)
                .await?;
        ensure!(funnel == [("AWAITING_NAME".to_owned(), 1, 1)], "{funnel:?}");
        Ok(())
    })
    .await?;
    site.tool(&["lead", "release", ada, "--wait", "30"]).await?;
    desk.is_in(ada, "AWAITING_NAME").await?;
    let release = ["lead", "release", ada, "--wait", "30"];
    desk.refused(&release, "the bot has the lead already")
        .await?;
    site.tool(&["lead", "assign", ada, "Ana María", "--wait", "30"])
        .await?;
    site.tool(&["lead", "restart", ada, "--wait", "30"]).await?;
    let (state, assignee, revision) = desk.row(ada).await?;
    ensure!(state == "AWAITING_NAME" && assignee.as_deref() == Some("Ana María"));
    let shown = site.tool(&["lead", "show", ada, "--json"]).await?;
    let shown: Value = serde_json::from_str(&shown)?;
    ensure!(shown["revision"] == revision && shown["assignee"] == "Ana María");
    let commands = shown["commands"].as_array().context("commands")?;
    let told: Vec<_> = commands
        .iter()
        .map(|it| {
            format!(
                "{} {}",
                it["command"].as_str().unwrap_or(""),
                it["outcome"].as_str().unwrap_or("")
            )
        })
        .collect();
    let expected = [
        "restart applied",
        "assign applied",
        "release refused",
        "release applied",
        "say applied",
    ];
    ensure!(told == expected, "{told:?}");
    let explained = site.tool(&["lead", "explain", ada]).await?;
    for text in [
        "says \"I am Ana.\"",
        "refused: the bot has the lead already",
    ] {
        ensure!(explained.contains(text), "`{text}` is not in: {explained}");
    }
    desk.refused(&["lead", "release", "15550000000"], "no lead has this id")
        .await?;
    desk.refused(
        &["lead", "say", ada, "Something else", "--id", "say-1"],
        "another command has the id",
    )
    .await
}

async fn by_api(desk: &Desk<'_>) -> anyhow::Result<()> {
    let ben = "15558880102";
    desk.writes(&Person::new(ben, "Ben"), &["Hi", "Ben"])
        .await?;
    desk.is_in(ben, "AWAITING_BUDGET").await?;
    let say = json!({"type": "say", "body": "Ben, I am Carl."});
    for _ in 0..2 {
        let (status, told) = desk.give(ben, Some("say-1"), say.clone()).await?;
        ensure!(
            status == 200 && told["outcome"]["revision"] == 3,
            "{status} {told}"
        );
        ensure!(told["id"] == "api:all:say-1", "{told}");
    }
    desk.is_sent_once("Ben, I am Carl.").await?;
    let other = json!({"type": "say", "body": "Something else"});
    let (status, told) = desk.give(ben, Some("say-1"), other).await?;
    ensure!(status == 422, "{status} {told}");
    let (status, _) = desk.give(ben, None, json!({"type": "release"})).await?;
    ensure!(status == 200);
    let (status, told) = desk.give(ben, None, json!({"type": "release"})).await?;
    ensure!(
        status == 409 && told["outcome"]["outcome"] == "refused",
        "{status} {told}"
    );
    let assign = json!({"type": "assign", "assignee": "carl"});
    let (status, _) = desk.give(ben, None, assign).await?;
    ensure!(status == 200);
    let (status, _) = desk.give(ben, None, json!({"type": "restart"})).await?;
    ensure!(status == 200);
    let path = format!("/v1/leads/{ben}");
    let (status, lead) = desk.ask(Method::GET, &path, READ, None, None).await?;
    ensure!(status == 200 && lead["assignee"] == "carl" && lead["state"] == "AWAITING_NAME");
    let events = read_all(&desk.site, &desk.site.topic(Topic::LeadEvents))?;
    let mut assigned = 0;
    for record in events {
        let event: LeadEvent = decode(&record.value)?;
        assigned += usize::from(event.data.assignee.as_deref() == Some("carl"));
    }
    ensure!(
        assigned == 2,
        "{assigned} events name the sales representative"
    );
    Ok(())
}

async fn access(desk: &Desk<'_>) -> anyhow::Result<()> {
    let ben = "/v1/leads/15558880102/commands";
    let release = || Some(json!({"type": "release"}));
    for (method, path, token, body, expected) in [
        (Method::POST, ben, "no token", release(), 401),
        (Method::POST, ben, READ, release(), 403),
        (Method::POST, ben, ALL, Some(json!({"type": "dance"})), 400),
        (
            Method::POST,
            ben,
            ALL,
            Some(json!({"type": "say", "body": " "})),
            422,
        ),
        (Method::GET, ben, ALL, None, 405),
        (Method::GET, "/v1/leads/15550000000", ALL, None, 404),
        (Method::GET, "/v1/commands/nothing", ALL, None, 404),
        (Method::GET, "/v2", ALL, None, 404),
    ] {
        let (status, problem) = desk.ask(method, path, token, None, body).await?;
        ensure!(status.as_u16() == expected, "{path}: {status} {problem}");
        ensure!(
            problem["status"] == expected && problem["detail"].is_string(),
            "{problem}"
        );
    }
    let (status, document) = desk
        .ask(Method::GET, "/openapi.json", "", None, None)
        .await?;
    ensure!(status == 200 && document["paths"]["/v1/leads/{id}/commands"].is_object());
    // A token that is taken out of the file opens nothing any more.
    let text = std::fs::read_to_string(&desk.tokens)?;
    let kept = text.lines().next().context("a token")?;
    std::fs::write(&desk.tokens, format!("{kept}\n"))?;
    eventually(Duration::from_secs(10), async || {
        let path = "/v1/leads/15558880102";
        let (status, _) = desk.ask(Method::GET, path, READ, None, None).await?;
        ensure!(status == 401, "{status}");
        Ok(())
    })
    .await?;
    let log = desk.site.log("api")?;
    ensure!(!log.contains("1555888"), "a number is in the log: {log}");
    Ok(())
}

/// A token past its rate is told when to come again, and holds up no other.
async fn limited(desk: &Desk<'_>) -> anyhow::Result<()> {
    let (site, address) = (&desk.site, free_address()?);
    let own = [
        ("API_ADDRESS", address.to_string()),
        ("API_TOKENS_FILE", desk.tokens.display().to_string()),
        ("API_REQUESTS_PER_SECOND", "1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    site.spawn_with(Service::Api, "limited", own.to_vec())?;
    site.ready("limited").await?;
    let url = format!("http://{address}/v1/commands/none");
    let ask = |token: &str| site.http.get(&url).bearer_auth(token).send();
    let mut refused = 0;
    for _ in 0..10 {
        let answer = ask(READ).await?;
        if answer.status() == 429 {
            refused += 1;
            ensure!(answer.headers()["retry-after"] == "1", "{answer:?}");
        } else {
            ensure!(answer.status() == 404, "{answer:?}");
        }
    }
    ensure!(
        refused > 0,
        "ten requests at once, and one a second is its rate"
    );
    ensure!(ask(ALL).await?.status() == 404, "another token waits");
    site.stop("limited").await
}

async fn while_the_processor_is_away(desk: &Desk<'_>) -> anyhow::Result<()> {
    let (site, ada) = (&desk.site, "15558880101");
    site.stop("processor").await?;
    let path = format!("/v1/leads/{ada}/commands?wait=0");
    let assign = json!({"type": "assign", "assignee": "dana"});
    let key = Some("away-1");
    let (status, told) = desk
        .ask(Method::POST, &path, ALL, key, Some(assign))
        .await?;
    ensure!(
        status == 202 && told["outcome"].is_null(),
        "{status} {told}"
    );
    desk.refused(
        &[
            "lead",
            "say",
            ada,
            "Still there?",
            "--id",
            "away-2",
            "--wait",
            "1",
        ],
        "run this again with --id away-2",
    )
    .await?;
    site.start(Service::Processor, "processor").await?;
    let say = [
        "lead",
        "say",
        ada,
        "Still there?",
        "--id",
        "away-2",
        "--wait",
        "60",
    ];
    let waits = site.tool(&say);
    let killed = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        site.kill_and_restart("processor").await
    };
    let (told, killed) = tokio::join!(waits, killed);
    killed?;
    let told = told?;
    ensure!(told.contains("applied at revision"), "{told}");
    desk.is_sent_once("Still there?").await?;
    let path = "/v1/commands/api:all:away-1";
    let (status, outcome) = desk.ask(Method::GET, path, ALL, None, None).await?;
    ensure!(
        status == 200 && outcome["outcome"] == "applied",
        "{status} {outcome}"
    );
    ensure!(desk.row(ada).await?.1.as_deref() == Some("dana"));
    Ok(())
}

/// Tables with a lead's id in them.
const TABLES: &[&str] = &[
    "leads",
    "lead_reports",
    "lead_identities",
    "departed_inputs",
    "command_outcomes",
    "crm_ledger",
    "crm_events",
];

/// A person is erased; neither a replay of the log nor a late copy brings them back, and when they
/// write anew they are a new lead.
pub(crate) fn erase(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let desk = Desk::new(world, "erase").await?;
        let site = &desk.site;
        let (ada, ben) = ("15558880201", "15558880202");
        let mut sent = Vec::new();
        for wa_id in [ada, ben] {
            let person = Person::new(wa_id, "Somebody");
            sent = desk
                .writes(&person, &["Hi", "Ada Byron", "$7,500 a month"])
                .await?;
            desk.is_in(wa_id, "COMPLETED").await?;
        }
        site.tool(&["lead", "assign", ada, "ana", "--wait", "30"])
            .await?;
        eventually(Duration::from_secs(60), async || {
            let done: i64 =
                sqlx::query_scalar("SELECT count(*) FROM crm_ledger WHERE record_id IS NOT NULL")
                    .fetch_one(&site.database)
                    .await?;
            ensure!(done == 4, "{done} records in CRMs");
            Ok(())
        })
        .await?;
        desk.refused(&["lead", "erase", ada], "say --yes").await?;

        let told = site
            .tool(&[
                "lead", "erase", ada, "--yes", "--id", "gone", "--wait", "30", "--json",
            ])
            .await?;
        let told: Value = serde_json::from_str(&told)?;
        ensure!(told["outcome"]["outcome"] == "applied", "{told}");
        let crms = told["crms"].as_array().context("crms")?;
        ensure!(
            crms.len() == 2 && crms.iter().all(|it| it["record_id"].is_string()),
            "{told}"
        );
        let remains = told["remains"].as_array().context("remains")?;
        let inputs = remains
            .iter()
            .find(|it| it["topic"] == site.topic(Topic::LeadInputs));
        let kept = inputs
            .and_then(|it| it["kept"].as_str())
            .context("lead.inputs")?;
        ensure!(kept.starts_with("for ever"), "{kept}");
        let (status, told) = desk.give(ben, None, json!({"type": "erase"})).await?;
        ensure!(
            status == 200 && told["crm_records"].as_array().map(Vec::len) == Some(2),
            "{told}"
        );
        nothing_is_left(site, "1555888").await?;
        let told = erased_events(site)?;
        ensure!(told == 2, "{told} events of erasures");

        // The log is folded again, from its beginning.
        site.stop("processor").await?;
        sqlx::query("UPDATE partition_offsets SET next_offset = 0")
            .execute(&site.database)
            .await?;
        site.tool(&["recover"]).await?;
        nothing_is_left(site, "1555888").await?;
        site.start(Service::Processor, "processor").await?;
        for copy in &sent {
            site.post(copy).await?;
        }

        // A second later by the provider's clock, which tells whole ones.
        let anew = Person::new(ben, "Somebody");
        eventually(Duration::from_secs(30), async || {
            let webhook = MetaWebhook::new(&BusinessNumber::new(NUMBER));
            let now = Timestamp::now().millis() / 1000;
            let id = wamid(&format!("{}-{now}", site.name));
            site.post(&webhook.text(&anew, &id, now, "Hello again").to_bytes())
                .await?;
            let (state, ..) = desk.row(ben).await?;
            ensure!(state.starts_with("AWAITING"), "{state}");
            Ok(())
        })
        .await?;
        let leads: Vec<(String, Option<String>)> =
            sqlx::query_as("SELECT wa_id, assignee FROM lead_qualifications")
                .fetch_all(&site.database)
                .await?;
        ensure!(leads == [(ben.to_owned(), None)], "{leads:?}");
        let log = site.log("processor")?;
        ensure!(!log.contains("1555888"), "a number is in the log: {log}");
        desk.site.finish().await
    })
}

/// No row has a text with `part` in it.
pub(crate) async fn nothing_is_left(site: &Site<'_>, part: &str) -> anyhow::Result<()> {
    eventually(Duration::from_secs(60), async || {
        for table in TABLES {
            let count = format!("SELECT count(*) FROM {table} t WHERE t::text LIKE $1");
            let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count))
                .bind(format!("%{part}%"))
                .fetch_one(&site.database)
                .await?;
            ensure!(left == 0, "{left} rows in {table}");
        }
        Ok(())
    })
    .await
}

/// The last event of each erased lead says nothing of the person but the lead's id.
fn erased_events(site: &Site<'_>) -> anyhow::Result<usize> {
    let mut count = 0;
    for record in read_all(site, &site.topic(Topic::LeadEvents))? {
        let event: LeadEvent = decode(&record.value)?;
        if event.data.current_state == "ERASED" {
            let data = &event.data;
            ensure!(data.wa_id.is_none() && data.lead_metadata.name.is_none());
            ensure!(data.lead_data.is_empty() && data.assignee.is_none());
            count += 1;
        }
    }
    Ok(count)
}
