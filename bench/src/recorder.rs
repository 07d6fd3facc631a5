//! Records the statements that a client sends to PostgreSQL, with their arguments, so that another
//! client can run them again.
//!
//! The recorder is a proxy between the two and reads their connection. So the client needs no hook,
//! and the recording equals the bytes that PostgreSQL received.

mod recording;
mod wire;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use bytes::BytesMut;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, PgPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

pub(super) use recording::Recording;
use recording::{Execution, Statement};
use wire::Message;

/// Room for each read: a message holds a whole batch's arguments.
const READ: usize = 1 << 20;

/// Records one worker's batches: each is what runs up to the COMMIT of a transaction that writes.
#[derive(Debug)]
pub(super) struct StatementRecorder {
    pool: PgPool,
    recording: Arc<AtomicBool>,
    task: AbortOnDropHandle<anyhow::Result<i32>>,
}

impl StatementRecorder {
    /// Starts a proxy between [`pool`](Self::pool) and the database `url`.
    pub(super) async fn new(
        url: &str,
        worker: usize,
        recording: Arc<Recording>,
    ) -> anyhow::Result<Self> {
        let server: PgConnectOptions = url.parse()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let client = server
            .clone()
            .host(&address.ip().to_string())
            .port(address.port())
            .ssl_mode(PgSslMode::Disable);
        let connection = Connection::new(i32::try_from(worker)?, recording);
        let recording = Arc::clone(&connection.recording);
        let task = tokio::spawn(async move {
            let (client, _) = listener.accept().await?;
            // A worker has one connection: a second one would not be recorded.
            drop(listener);
            let server = TcpStream::connect((server.get_host(), server.get_port())).await?;
            connection.relay(client, server).await
        });
        Ok(Self {
            pool: leadstream_processor::pool(client.to_url_lossy().as_str(), 1)?,
            recording,
            task: AbortOnDropHandle::new(task),
        })
    }

    /// Returns a pool that connects to the database through the recorder.
    pub(super) fn pool(&self) -> PgPool {
        self.pool.clone()
    }

    /// Records from now on; what ran before is not part of a batch.
    pub(super) fn start(&self) {
        self.recording.store(true, Ordering::Release);
    }

    /// Ends the connection; how many batches were recorded.
    pub(super) async fn stop(self) -> anyhow::Result<i32> {
        self.pool.close().await;
        self.task.await?.context("the recorder of statements")
    }
}

/// The connection that is read.
#[derive(Debug)]
struct Connection {
    worker: i32,
    target: Arc<Recording>,
    recording: Arc<AtomicBool>,
    /// By the name that the client gave them.
    prepared: HashMap<String, Statement>,
    /// Since the last batch.
    executions: Vec<Execution>,
    in_transaction: bool,
    /// The first execution of the transaction.
    first_of_transaction: usize,
    batches: i32,
}

impl Connection {
    fn new(worker: i32, target: Arc<Recording>) -> Self {
        Self {
            worker,
            target,
            recording: Arc::default(),
            prepared: HashMap::new(),
            executions: Vec::new(),
            in_transaction: false,
            first_of_transaction: 0,
            batches: 0,
        }
    }

    /// Forwards the bytes of each side until the client ends. Returns the number of recorded
    /// batches.
    async fn relay(mut self, client: TcpStream, server: TcpStream) -> anyhow::Result<i32> {
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (requests, mut replies) = client.into_split();
        let (mut answers, sink) = server.into_split();
        tokio::try_join!(self.forward(requests, sink), async {
            Ok(copy(&mut answers, &mut replies).await?)
        })?;
        Ok(self.batches)
    }

    async fn forward(
        &mut self,
        mut client: OwnedReadHalf,
        mut server: OwnedWriteHalf,
    ) -> anyhow::Result<()> {
        let mut buffer = BytesMut::new();
        let mut first = true;
        loop {
            buffer.reserve(READ);
            if client.read_buf(&mut buffer).await? == 0 {
                break;
            }
            while let Some(length) = wire::length(&buffer, first) {
                let message = buffer.split_to(length);
                if !first {
                    self.read(&message).await?;
                }
                first = false;
                server.write_all(&message).await?;
            }
        }
        Ok(server.shutdown().await?)
    }

    async fn read(&mut self, message: &[u8]) -> anyhow::Result<()> {
        let recording = self.recording.load(Ordering::Acquire);
        match wire::read(message)? {
            Message::Parse { name, text, types } => {
                let statement = Statement {
                    text: text.to_owned(),
                    types,
                    in_transaction: false,
                };
                self.prepared.insert(name.to_owned(), statement);
            }
            Message::Bind { name, arguments } if recording => {
                let statement = self.prepared.get(name);
                let statement = Statement {
                    in_transaction: self.in_transaction,
                    ..statement.context("a statement was not prepared")?.clone()
                };
                self.executions.push(Execution::new(statement, arguments));
            }
            // With planner settings.
            Message::Query(query) if query.starts_with("BEGIN") => {
                self.in_transaction = true;
                self.first_of_transaction = self.executions.len();
            }
            Message::Query("COMMIT") => {
                self.in_transaction = false;
                let transaction = self.executions.get_mut(self.first_of_transaction..);
                let transaction = transaction.unwrap_or_default();
                let is_read = |it: &Execution| it.statement.text.trim_start().starts_with("SELECT");
                if transaction.iter().all(is_read) {
                    // What a batch reads comes before its transaction.
                    for execution in transaction {
                        execution.statement.in_transaction = false;
                    }
                } else if recording {
                    self.batches += 1;
                    let executions = std::mem::take(&mut self.executions);
                    self.target
                        .batch(self.worker, self.batches, executions)
                        .await?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
