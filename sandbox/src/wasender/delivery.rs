//! Posts the events of a message, each once: WASenderApi documents no repeats.

use std::sync::Arc;

use serde_json::Value;

use super::event::Outgoing;
use crate::app::App;
use crate::lock::lock;
use crate::status_script::Stage;

/// Posts what happens to a message, until the sandbox stops.
pub(crate) async fn deliver(app: Arc<App>, outgoing: Outgoing) {
    let stop = app.stop.clone();
    let events = events(&app, &outgoing);
    let posts = async {
        for event in events {
            post(&app, &event).await;
        }
    };
    stop.run_until_cancelled(posts).await;
}

fn events(app: &App, outgoing: &Outgoing) -> Vec<Value> {
    let sessions = lock(&app.wasender_sessions);
    let Some(session) = sessions.get(&outgoing.session) else {
        return Vec::new();
    };
    let key = session.api_key.expose();
    if outgoing.message_id.is_none() {
        return vec![outgoing.echo(key)];
    }
    let is_failure = |stage: &&Stage| matches!(stage, Stage::Failed(_));
    let mut events = Vec::with_capacity(2 + outgoing.stages.len());
    // What fails at once was never sent.
    if outgoing
        .stages
        .first()
        .is_some_and(|first| !is_failure(&first))
    {
        events.extend([outgoing.sent(key), outgoing.echo(key)]);
    }
    let updates = outgoing.stages.iter();
    events.extend(updates.map(|stage| outgoing.update(key, *stage)));
    events
}

/// Posts one event with the shared secret, if a receiver is set.
pub(crate) async fn post(app: &App, event: &Value) {
    let Some(target) = lock(&app.wasender_webhook).clone() else {
        return;
    };
    let posted = app
        .http
        .post(&target.url)
        .header("x-webhook-signature", target.secret.expose())
        .json(event)
        .send()
        .await;
    let accepted = posted.is_ok_and(|answer| answer.status().is_success());
    let webhooks = &mut lock(&app.stats).webhooks;
    if accepted {
        webhooks.accepted += 1;
    } else {
        webhooks.given_up += 1;
    }
}
