//! Generates a closed loop: each connection sends its next request once the last one is answered.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::ensure;
use tokio::task::JoinSet;

use super::{Gauge, Spent, Target, on_own_thread};
use crate::http::Connection;

/// Sends `count` requests after `warm_up` others that do not count.
///
/// # Errors
/// Returns an error if a connection breaks or an answer is not 200.
pub(crate) async fn closed(target: Target, warm_up: usize, count: usize) -> anyhow::Result<Spent> {
    on_own_thread(move || async move {
        let target = Rc::new(target);
        let connections = target.connect().await?;
        let connections = phase(&target, connections, 0, warm_up).await?;
        let gauge = Gauge::start(target.pid);
        phase(&target, connections, warm_up, warm_up + count).await?;
        Ok(gauge.stop(count))
    })
    .await
}

async fn phase(
    target: &Rc<Target>,
    connections: Vec<Connection>,
    from: usize,
    to: usize,
) -> anyhow::Result<Vec<Connection>> {
    let next = Rc::new(Cell::new(from));
    let mut clients = JoinSet::new();
    for mut connection in connections {
        let (target, next) = (Rc::clone(target), Rc::clone(&next));
        clients.spawn_local(async move {
            loop {
                let index = next.get();
                if index >= to {
                    return Ok(connection);
                }
                next.set(index + 1);
                let status = connection.send(target.request(index)).await?;
                ensure!(status == 200, "a webhook was answered {status}");
            }
        });
    }
    let mut connections = Vec::with_capacity(target.connections);
    // The first failure ends the others.
    while let Some(client) = clients.join_next().await {
        connections.push(client??);
    }
    Ok(connections)
}
