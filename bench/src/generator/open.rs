//! Generates an open loop: sends each request at its planned time, whatever the outcome of earlier
//! ones. A request takes any free connection. While none is free it waits, and its latency
//! continues to count.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::plan::Plan;
use super::timer::Timer;
use super::{Gauge, Spent, Target, on_own_thread};
use crate::http::Connection;

/// Requests that are due within this time are sent together: a wake-up for each would cost more
/// than it is worth.
const RESOLUTION: Duration = Duration::from_micros(200);
/// The longest wait for answers after the last planned request.
const GRACE: Duration = Duration::from_secs(30);

/// The outcome of a request; times count from `start`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) index: usize,
    pub(crate) start: Instant,
    pub(crate) planned: Duration,
    /// Just before it was written to the socket.
    pub(crate) written: Duration,
    pub(crate) at: Duration,
    /// `None` when the connection broke.
    pub(crate) status: Option<u16>,
}

/// Observes the requests of a load; an error ends the load.
pub(crate) trait Observer: Send + 'static {
    /// Called before request `index` is written.
    fn on_sent(&mut self, _index: usize) -> anyhow::Result<()> {
        Ok(())
    }

    fn on_outcome(&mut self, outcome: &Outcome) -> anyhow::Result<()>;
}

struct Load<K> {
    target: Target,
    plan: Plan,
    start: Instant,
    /// The first request that no connection has taken.
    next: Cell<usize>,
    /// The first request whose time has not come.
    due: Cell<usize>,
    wake: Notify,
    observer: RefCell<K>,
}

/// Sends the planned requests; the first `warm_up` requests do not count in [`Spent`]. Requests not
/// answered within [`GRACE`] have no outcome.
///
/// # Errors
/// Returns an error if connections cannot be opened beforehand, or if `observer` fails.
pub(crate) async fn open<K: Observer>(
    target: Target,
    plan: Plan,
    warm_up: usize,
    observer: K,
) -> anyhow::Result<(K, Spent)> {
    on_own_thread(move || async move {
        let connections = target.connect().await?;
        let load = Rc::new(Load {
            target,
            plan,
            start: Instant::now(),
            next: Cell::new(0),
            due: Cell::new(0),
            wake: Notify::new(),
            observer: RefCell::new(observer),
        });
        let mut clients = JoinSet::new();
        for connection in connections {
            clients.spawn_local(client(Rc::clone(&load), connection));
        }
        let gauge = tokio::select! {
            biased;
            gauge = pace(&load, warm_up) => gauge?,
            failed = ended(&mut clients) => {
                failed?;
                bail!("the connections ended before the load");
            }
        };
        let deadline = load.start + load.plan.length() + GRACE;
        if let Ok(outcome) = timeout_at(deadline.into(), ended(&mut clients)).await {
            outcome?;
        }
        clients.shutdown().await;
        let load = Rc::into_inner(load).context("a connection outlived the load")?;
        let counted = load.plan.requests() - warm_up;
        Ok((load.observer.into_inner(), gauge.stop(counted)))
    })
    .await
}

/// Waits until all clients have ended, or one has failed.
async fn ended(clients: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}

/// Makes requests due. The gauge begins with the first that counts.
async fn pace<K>(load: &Load<K>, warm_up: usize) -> anyhow::Result<Gauge> {
    let timer = Timer::new()?;
    let mut gauge = None;
    let mut due = 0;
    while due < load.plan.requests() {
        let earliest = Instant::now() + RESOLUTION;
        let time = load.start + load.plan.at(due);
        timer.until(time.max(earliest)).await?;
        let now = load.start.elapsed();
        let before = due;
        while due < load.plan.requests() && load.plan.at(due) <= now {
            due += 1;
        }
        load.due.set(due);
        for _ in 0..(due - before).min(load.target.connections) {
            load.wake.notify_one();
        }
        if due > warm_up {
            gauge.get_or_insert_with(|| Gauge::start(load.target.pid));
        }
    }
    load.wake.notify_waiters();
    gauge.context("no request counts")
}

/// Runs one connection, and opens it again when it breaks.
async fn client<K: Observer>(load: Rc<Load<K>>, connection: Connection) -> anyhow::Result<()> {
    let mut connection = Some(connection);
    while let Some(index) = load.next_due().await {
        load.observer.borrow_mut().on_sent(index)?;
        let written = load.start.elapsed();
        let sent = exchange(&mut connection, &load.target, index).await;
        let outcome = Outcome {
            index,
            start: load.start,
            planned: load.plan.at(index),
            written,
            at: load.start.elapsed(),
            status: sent.ok(),
        };
        load.observer.borrow_mut().on_outcome(&outcome)?;
    }
    Ok(())
}

impl<K> Load<K> {
    /// Returns the next request that is due; `None` after the last.
    async fn next_due(&self) -> Option<usize> {
        loop {
            let next = self.next.get();
            if next < self.due.get() {
                self.next.set(next + 1);
                return Some(next);
            }
            if next == self.plan.requests() {
                return None;
            }
            self.wake.notified().await;
        }
    }
}

async fn exchange(
    connection: &mut Option<Connection>,
    target: &Target,
    index: usize,
) -> io::Result<u16> {
    let open = match connection.take() {
        Some(open) if !open.is_closed() => open,
        _ => Connection::open(target.address).await?,
    };
    let status = connection.insert(open).send(target.request(index)).await;
    if status.is_err() {
        *connection = None;
    }
    status
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::generator::Phase;

    #[derive(Debug, Default)]
    struct Recorded {
        sent: Vec<usize>,
        outcomes: Vec<Outcome>,
    }

    impl Observer for Recorded {
        fn on_sent(&mut self, index: usize) -> anyhow::Result<()> {
            self.sent.push(index);
            Ok(())
        }

        fn on_outcome(&mut self, outcome: &Outcome) -> anyhow::Result<()> {
            self.outcomes.push(*outcome);
            Ok(())
        }
    }

    /// Answers 200, but breaks the connection on `x`.
    async fn serve(listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0];
                while stream.read_exact(&mut request).await.is_ok() && request != *b"x" {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                }
            });
        }
    }

    #[tokio::test]
    async fn every_request_is_sent_once_and_not_early_and_broken_connections_are_reported() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let target = Target {
            address: listener.local_addr().unwrap(),
            pid: 0,
            connections: 3,
            requests: Arc::new([b"a".to_vec(), b"b".to_vec(), b"x".to_vec()]),
        };
        let server = tokio::spawn(serve(listener));
        let plan = Plan::new([Phase {
            rate: 300,
            seconds: 1,
        }]);
        let (mut recorded, spent) = open(target, plan, 60, Recorded::default()).await.unwrap();
        server.abort();
        assert_eq!(recorded.sent, (0..300).collect::<Vec<_>>());
        recorded
            .outcomes
            .sort_unstable_by_key(|outcome| outcome.index);
        assert_eq!(recorded.outcomes.len(), 300);
        for outcome in &recorded.outcomes {
            let expected = (outcome.index % 3 != 2).then_some(200);
            assert_eq!(outcome.status, expected, "{}", outcome.index);
            assert!(outcome.planned <= outcome.written && outcome.written <= outcome.at);
        }
        assert_eq!(spent.requests, 240);
    }
}
