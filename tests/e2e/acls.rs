//! Runs services and tools on a broker with an authorizer: each as a user of its own, with the ACLs
//! that `topics plan` prints for it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_local::{Process, ProcessSpec, free_address};
use tokio::process::Command;

use crate::generated_conversation::{Script, scripts};
use crate::resting_state;

const WITHIN: Duration = Duration::from_secs(90);
const ADMIN: &str = "admin";
/// The services and tools that have ACLs of their own.
const NAMES: [&str; 7] = [
    "ingest",
    "processor",
    "sink-crm",
    "sink-whatsapp",
    "lead",
    "dead-letters",
    "recover",
];

pub(crate) fn the_printed_acls_are_all_that_services_and_tools_need(
    world: &World,
) -> anyhow::Result<()> {
    let (Some(java), Some(classpath)) = (world.stack.java(), world.stack.kafka_classpath()) else {
        return Ok(());
    };
    world.runtime.block_on(async {
        let mut site = Site::new(world, "acls").await?;
        let jvm = Jvm {
            java: java.to_owned(),
            classpath,
            folder: world.stack.data_dir().join(format!("{}-kafka", site.name)),
        };
        let kafka = jvm.start(&mut site).await?;
        let admin = [("KAFKA_CONFIG_FILE", jvm.client(ADMIN)?)];
        let admin = admin
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        eventually(WITHIN, async || {
            let apply = ["topics", "apply", "--topic-partitions", "2"];
            let (status, log) = site.tool_with(&apply, &admin).await?;
            ensure!(status.success(), "{log}");
            Ok(())
        })
        .await?;
        let (_, plan) = site.tool_with(&["topics", "plan"], &admin).await?;
        jvm.grant(&plan).await?;
        served(&site, &jvm).await?;
        tools(&site, &jvm).await?;
        site.finish().await?;
        kafka.stop().await;
        Ok(())
    })
}

/// Plays conversations, and checks that no service was refused anything.
async fn served(site: &Site<'_>, jvm: &Jvm) -> anyhow::Result<()> {
    let services = [
        Service::Ingest,
        Service::Processor,
        Service::SinkCrm,
        Service::SinkWhatsapp,
    ];
    for service in services {
        let config = jvm.client(service.name())?;
        let own = vec![("KAFKA_CONFIG_FILE".to_owned(), config)];
        site.spawn_with(service, service.name(), own)?;
    }
    for service in services {
        let ready = site.ready(service.name()).await;
        ready.with_context(|| format!("{}: {:?}", service.name(), site.log(service.name())))?;
    }
    let scripts = scripts(3, 37);
    for index in 0..3 {
        let said = |it: &&Script| index < it.said.len();
        for script in scripts.iter().filter(said) {
            site.post(&script.webhook(index)).await?;
        }
    }
    eventually(WITHIN, async || {
        let leads: i64 = sqlx::query_scalar("SELECT count(*) FROM lead_qualifications")
            .fetch_one(&site.database)
            .await?;
        let replies = resting_state::messages(site).await?.len();
        let records = site.sandbox.client()?.upserts(0).await?.len();
        ensure!(
            leads == 3 && replies >= 3 && records >= 3,
            "{leads} leads, {replies} replies, {records} upserts"
        );
        Ok(())
    })
    .await?;
    for service in services {
        let log = site.log(service.name())?;
        for refusal in ["uthorization", "max.message.bytes"] {
            ensure!(!log.contains(refusal), "{}: {log}", service.name());
        }
    }
    Ok(())
}

async fn tools(site: &Site<'_>, jvm: &Jvm) -> anyhow::Result<()> {
    site.stop("processor").await?;
    // As a backup that is a record older would be.
    sqlx::query("UPDATE partition_offsets SET next_offset = next_offset - 1 WHERE next_offset > 0")
        .execute(&site.database)
        .await?;
    let (lead,): (String,) = sqlx::query_as("SELECT min(lead_id) FROM leads")
        .fetch_one(&site.database)
        .await?;
    for args in [
        &["lead", "explain", &lead, "--all"][..],
        &["dead-letters", "list"],
        &["recover", "--accept-loss", "--apply"],
    ] {
        let config = jvm.client(args[0])?;
        let variables = [("KAFKA_CONFIG_FILE", config.as_str())];
        let (status, log) = site.tool_with(args, &variables).await?;
        ensure!(status.success(), "{args:?}: {log}");
        ensure!(!log.contains("uthorization"), "{args:?}: {log}");
    }
    // A tool has nothing that only another one needs.
    let config = jvm.client("dead-letters")?;
    let variables = [("KAFKA_CONFIG_FILE", config.as_str())];
    let explain = ["lead", "explain", &lead, "--all"];
    let (status, log) = site.tool_with(&explain, &variables).await?;
    ensure!(!status.success(), "dead-letters may read leads: {log}");
    Ok(())
}

/// Runs Kafka and its tools.
struct Jvm {
    java: PathBuf,
    classpath: String,
    folder: PathBuf,
}

impl Jvm {
    fn command(&self, class: &str) -> Command {
        let mut command = Command::new(&self.java);
        command.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
        command.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]);
        command.args(["-cp", &self.classpath, class]);
        command.kill_on_drop(true);
        command
    }

    /// Starts a broker on which every user but the administrator needs ACLs, and makes it that of
    /// `site`.
    async fn start(&self, site: &mut Site<'_>) -> anyhow::Result<Process> {
        let (broker, controller) = (free_address()?, free_address()?);
        std::fs::create_dir_all(&self.folder)?;
        let users: String = NAMES
            .iter()
            .map(|it| format!(" user_leadstream-{it}=\"{it}-pw\""))
            .collect();
        let data = self.folder.join("data");
        let settings = format!(
            "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=CLIENT://{broker},CONTROLLER://{controller}
advertised.listeners=CLIENT://{broker}
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
listener.name.client.sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
required username=\"{ADMIN}\" password=\"{ADMIN}-pw\" user_{ADMIN}=\"{ADMIN}-pw\"{users};
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{ADMIN};User:ANONYMOUS
allow.everyone.if.no.acl.found=false
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
",
            data.display()
        );
        let file = self.folder.join("server.properties");
        std::fs::write(&file, settings)?;
        let format = self
            .command("kafka.tools.StorageTool")
            .args([
                "format",
                "--cluster-id",
                "TGVhZHN0cmVhbUxvY2FsMg",
                "--config",
            ])
            .arg(&file)
            .output()
            .await?;
        ensure!(format.status.success(), "{format:?}");
        let name = format!("{}-kafka", site.name);
        let spec = ProcessSpec::new(name, &self.java)
            .args(["-Xmx256m", "-XX:+UseSerialGC"])
            .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"])
            .args(["-cp", &self.classpath, "kafka.Kafka"])
            .args([&file]);
        site.deployment.kafka = broker.to_string();
        Ok(site.world.stack.spawn(&spec)?)
    }

    /// Returns the file with the settings of a user's clients.
    fn client(&self, name: &str) -> anyhow::Result<String> {
        let user = match name {
            ADMIN => ADMIN.to_owned(),
            name => format!("leadstream-{name}"),
        };
        let file = self.folder.join(format!("{name}.properties"));
        let settings = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n";
        let user = format!("sasl.username={user}\nsasl.password={name}-pw\n");
        std::fs::write(&file, format!("{settings}{user}"))?;
        Ok(file.to_string_lossy().into_owned())
    }

    /// Runs the commands of a plan for [`NAMES`].
    async fn grant(&self, plan: &str) -> anyhow::Result<()> {
        let config = self.folder.join("admin-tool.properties");
        let login = "org.apache.kafka.common.security.plain.PlainLoginModule required";
        let settings = format!(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
             sasl.jaas.config={login} username=\"{ADMIN}\" password=\"{ADMIN}-pw\";\n"
        );
        std::fs::write(&config, settings)?;
        let named = |line: &&str| {
            let user = |it| line.contains(&format!("'User:leadstream-{it}'"));
            line.trim().starts_with("kafka-acls.sh ") && NAMES.into_iter().any(user)
        };
        let commands: Vec<&str> = plan.lines().filter(named).collect();
        ensure!(commands.len() > NAMES.len(), "{plan}");
        for commands in commands.chunks(3) {
            let grants = commands.iter().map(async |line| {
                let args = line
                    .split_whitespace()
                    .skip(1)
                    .map(|it| it.trim_matches('\''));
                let output = self
                    .command("org.apache.kafka.tools.AclCommand")
                    .args(args)
                    .arg("--command-config")
                    .arg(&config)
                    .output()
                    .await?;
                ensure!(output.status.success(), "{line}: {output:?}");
                anyhow::Ok(())
            });
            try_join_all(grants).await?;
        }
        Ok(())
    }
}
