//! Proxies connections to Kafka, and can swallow Kafka's answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Proxy {
    listener: Arc<TcpListener>,
    address: SocketAddr,
    swallows: watch::Sender<bool>,
}

impl Proxy {
    pub async fn bind() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listener: Arc::new(listener),
            swallows: watch::Sender::new(false),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets requests through and swallows their answers from now on.
    pub fn swallow_answers(&self) {
        self.swallows.send_replace(true);
    }

    /// Stops swallowing and closes connections that lost an answer: nothing after it could be read.
    pub fn heal(&self) {
        self.swallows.send_replace(false);
    }

    /// Serves until the runtime ends.
    pub async fn run(self, target: SocketAddr) {
        while let Ok((client, _)) = self.listener.accept().await {
            let swallows = self.swallows.subscribe();
            tokio::spawn(async move {
                if let Ok(server) = TcpStream::connect(target).await {
                    // Each direction ends with the other.
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::select! {
                        _ = requests(from_client, to_server) => {}
                        _ = answers(from_server, to_client, swallows) => {}
                    }
                }
            });
        }
    }
}

async fn requests(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
) -> std::io::Result<u64> {
    tokio::io::copy(&mut from, &mut to).await
}

async fn answers(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut swallows: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut lost = false;
    loop {
        tokio::select! {
            changed = swallows.changed() => {
                if changed.is_err() || (lost && !*swallows.borrow_and_update()) {
                    return Ok(());
                }
            }
            read = from.read(&mut buffer) => match read? {
                0 => return Ok(()),
                _ if *swallows.borrow() => lost = true,
                count => to.write_all(&buffer[..count]).await?,
            },
        }
    }
}
