//! Runs Apache Kafka: one KRaft node, broker and controller in one.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

use crate::error::LocalError;
use crate::process::log::{TAIL_LINES, last_lines};
use crate::process::spec::ProcessSpec;
use crate::server::Server;
use crate::servers::artefacts::Artefacts;
use crate::servers::data_dir::{DataDir, remove};

pub(crate) const CONTROLLER: &str = "kafka-controller";
pub(crate) const PROXY_LISTENER: &str = "kafka-proxy-listener";
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(90);

const DATA: &str = "kafka";
const CLUSTER_ID: &str = "TGVhZHN0cmVhbUxvY2FsMQ";
const GRACE: Duration = Duration::from_secs(20);

/// Loopback ports of the node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KafkaPorts {
    pub(crate) broker: u16,
    pub(crate) controller: u16,
    pub(crate) proxy_listener: Option<ProxyListener>,
}

/// A second listener that advertises another address, so that its clients connect through a proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProxyListener {
    pub(crate) port: u16,
    pub(crate) advertised: SocketAddr,
}

/// Writes the configuration, formats the storage once, and describes the server.
pub(crate) async fn prepare(
    dir: &DataDir,
    java: &Path,
    artefacts: &Artefacts,
    ports: KafkaPorts,
) -> Result<ProcessSpec, LocalError> {
    let data = dir.path(DATA);
    if !data.is_dir() {
        format_storage(dir, java, artefacts, ports, &data).await?;
    }
    let config = write_config(dir, ports, &data)?;
    Ok(ProcessSpec::new(Server::Kafka.name(), java)
        .args(["-Xms256m", "-Xmx512m", "-XX:+ExitOnOutOfMemoryError"])
        .args(jvm_args(dir))
        .args([
            "-cp".to_owned(),
            artefacts.kafka_classpath(),
            "kafka.Kafka".to_owned(),
        ])
        .args([config])
        .grace(GRACE))
}

pub(crate) fn remove_data(dir: &DataDir) -> Result<(), LocalError> {
    remove(&dir.path(DATA))
}

/// Formats in another folder and renames it. An interrupted format then never looks complete.
async fn format_storage(
    dir: &DataDir,
    java: &Path,
    artefacts: &Artefacts,
    ports: KafkaPorts,
    data: &Path,
) -> Result<(), LocalError> {
    let partial = dir.path("kafka.partial");
    remove(&partial)?;
    let config = write_config(dir, ports, &partial)?;
    let output = Command::new(java)
        .args(["-Xmx256m", "-XX:TieredStopAtLevel=1"])
        .args(jvm_args(dir))
        .args(["-cp", &artefacts.kafka_classpath()])
        .args(["kafka.tools.StorageTool", "format"])
        .args(["--cluster-id", CLUSTER_ID, "--config"])
        .arg(config)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(LocalError::io("start", java))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        return Err(LocalError::Command {
            what: "Kafka's storage format",
            status: output.status,
            tail: last_lines(&String::from_utf8_lossy(&text), TAIL_LINES),
        });
    }
    fs::rename(&partial, data).map_err(LocalError::io("name the folder", data))
}

fn jvm_args(dir: &DataDir) -> [String; 6] {
    [
        format!("-Djava.io.tmpdir={}", dir.tmp().display()),
        "-Djava.awt.headless=true".to_owned(),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".to_owned(),
        "-Dorg.slf4j.simpleLogger.log.kafka.server=info".to_owned(),
        "-Dorg.slf4j.simpleLogger.showDateTime=true".to_owned(),
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX".to_owned(),
    ]
}

fn write_config(dir: &DataDir, ports: KafkaPorts, data: &Path) -> Result<PathBuf, LocalError> {
    let path = dir.path("kafka.properties");
    fs::write(&path, config(ports, data)).map_err(LocalError::io("write", &path))?;
    Ok(path)
}

/// Returns the configuration. The broker's session is shorter than usual: after a kill the node may
/// join again only when its former session has ended.
fn config(ports: KafkaPorts, data: &Path) -> String {
    let KafkaPorts {
        broker,
        controller,
        proxy_listener,
    } = ports;
    let (listener, advertised, protocol) = proxy_listener.map_or_else(Default::default, |it| {
        (
            format!(",PROXIED://127.0.0.1:{}", it.port),
            format!(",PROXIED://{}", it.advertised),
            ",PROXIED:PLAINTEXT",
        )
    });
    // A backslash begins an escape in a properties file.
    let data = data.to_string_lossy().replace('\\', "\\\\");
    format!(
        "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}{listener}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocol}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
delete.topic.enable=true
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
"
    )
}

/// Checks that the broker answers a Metadata request and names itself. It does so only once clients
/// can produce and consume.
pub(crate) async fn probe(port: u16) -> io::Result<()> {
    // Length; key 3 (Metadata), version 8, correlation id 1, client id "probe"; then topics: none,
    // and three flags: create topics, cluster operations, topic operations.
    const REQUEST: [u8; 26] = [
        0, 0, 0, 22, 0, 3, 0, 8, 0, 0, 0, 1, 0, 5, b'p', b'r', b'o', b'b', b'e', 0, 0, 0, 0, 0, 0,
        0,
    ];
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(&REQUEST).await?;
    let length = stream.read_i32().await?;
    let correlation = stream.read_i32().await?;
    let _throttle_ms = stream.read_i32().await?;
    let brokers = stream.read_i32().await?;
    if length < 12 || correlation != 1 {
        return Err(io::Error::other("something other than Kafka answers"));
    }
    if brokers < 1 {
        return Err(io::Error::other(
            "the broker has not joined its cluster yet",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const PORTS: KafkaPorts = KafkaPorts {
        broker: 20_001,
        controller: 20_002,
        proxy_listener: None,
    };

    #[test]
    fn the_node_listens_on_loopback_only() {
        let config = config(PORTS, Path::new("/data/kafka"));
        assert!(
            config
                .contains("\nlisteners=PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002\n")
        );
        assert!(config.contains("\nadvertised.listeners=PLAINTEXT://127.0.0.1:20001\n"));
        assert!(config.contains("\nlog.dirs=/data/kafka\n"));
    }

    fn with_proxy_listener() -> String {
        let ports = KafkaPorts {
            proxy_listener: Some(ProxyListener {
                port: 20_003,
                advertised: (Ipv4Addr::LOCALHOST, 20_004).into(),
            }),
            ..PORTS
        };
        config(ports, Path::new("/data/kafka"))
    }

    #[test]
    fn only_the_proxy_listener_advertises_the_proxy() {
        let config = with_proxy_listener();
        assert!(config.contains(",PROXIED://127.0.0.1:20003\nadvertised"));
        assert!(config.contains("PLAINTEXT://127.0.0.1:20001,PROXIED://127.0.0.1:20004\n"));
        assert!(config.contains(",PROXIED:PLAINTEXT\n"));
    }

    #[test]
    fn no_setting_is_given_twice() {
        let config = with_proxy_listener();
        let mut keys: Vec<&str> = config
            .lines()
            .map(|line| line.split_once('=').unwrap().0)
            .collect();
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }

    async fn answer(brokers: i32) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let server = async move {
            let (mut stream, _) = listener.accept().await?;
            let mut request = [0; 26];
            stream.read_exact(&mut request).await?;
            for number in [12, 1, 0, brokers] {
                stream.write_i32(number).await?;
            }
            Ok::<_, io::Error>(())
        };
        let (served, probed) = tokio::join!(server, probe(port));
        served.and(probed)
    }

    #[tokio::test]
    async fn a_broker_is_ready_once_it_names_itself() {
        answer(1).await.unwrap();
        let error = answer(0).await.unwrap_err();
        assert!(error.to_string().contains("not joined"), "{error}");
    }
}
