//! Runs the minimal webhook receiver, an upper bound on this machine: it reads a body, verifies its
//! signature and answers 200. Like ingest, it is a separate process.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::serve::ListenerExt;
use leadstream_ingest::signature::{AppSecrets, SIGNATURE_HEADER, Signature};
use tokio::net::TcpListener;

/// Settings of the bare handler.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Address of the webhooks
    #[arg(long, value_name = "IP:PORT")]
    address: SocketAddr,
    /// Secret that signs them
    #[arg(
        long,
        env = "META_APP_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    app_secret: leadstream_service::Secret,
}

/// # Errors
/// Returns an error if the address is taken or the secret is empty.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let secrets =
        AppSecrets::parse(args.app_secret.expose()).context("META_APP_SECRET is empty")?;
    let listener = TcpListener::bind(args.address)
        .await
        .with_context(|| format!("{} cannot be listened on", args.address))?
        // What this does is no worse without it, only slower.
        .tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router(secrets))
        .with_graceful_shutdown(async {
            if crate::benchmark::interruption().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await?;
    Ok(())
}

fn router(secrets: AppSecrets) -> Router {
    Router::new()
        .route("/webhooks/whatsapp", post(receive))
        .with_state(Arc::new(secrets))
}

async fn receive(
    State(secrets): State<Arc<AppSecrets>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let signature = headers
        .get(SIGNATURE_HEADER)
        .and_then(|value| Signature::parse(value.as_bytes()));
    match signature {
        Some(signature) if secrets.verify(&body, &signature) => StatusCode::OK,
        _ => StatusCode::UNAUTHORIZED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Connection;
    use crate::traffic;

    #[tokio::test]
    async fn only_what_is_signed_is_answered_200() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let secrets = AppSecrets::parse("Jefe").unwrap();
        let server = tokio::spawn(async { axum::serve(listener, router(secrets)).await });
        let mut connection = Connection::open(address).await.unwrap();
        for (secret, status) in [("Jefe", 200), ("Zoe", 401), ("Jefe", 200)] {
            let request = traffic::request(address, secret, b"{}");
            assert_eq!(connection.send(&request).await.unwrap(), status, "{secret}");
        }
        server.abort();
    }
}
