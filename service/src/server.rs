//! Accepts connections for a service's routes. Uses hyper's own builder because axum's `serve`
//! gives its timeouts no timer.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use futures::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::Gauge;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// The pause after a failure to accept (too many open files), in which other connections can close.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// The time in which a connection above the limit has to send its request head to receive a 503.
const SURPLUS_HEADER_TIMEOUT: Duration = Duration::from_secs(1);
/// The time for bytes that a client sent before the end of the drain to arrive.
const LAST_BYTES: Duration = Duration::from_millis(100);
/// The most bytes that are read ahead on a connection. It bounds what a slow client can make the
/// server hold, except for the request body.
const READ_AHEAD: usize = 16 * 1024;

const TIMED_OUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Limits of the server's connections.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at a time. A further eighth receives 503; connections above that are closed
    /// immediately.
    pub connections: usize,
    /// The longest time for a request's head to arrive, and therefore for which an idle connection
    /// stays open.
    pub header_timeout: Duration,
    /// The time after the start of shutdown during which new and open connections still accept
    /// requests.
    pub drain: Duration,
}

/// Serves HTTP/1.1 until `shutdown`; `open` publishes the number of open connections.
///
/// After `shutdown`, the server still accepts connections for [`Limits::drain`]. Each response says
/// `Connection: close`, so that load balancers and clients move elsewhere without losing a request.
/// Then the port closes, and every request that has begun is answered.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    open: Gauge,
    shutdown: CancellationToken,
) {
    let server = Server::new(router, limits, open);
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        server.accepted(accepted.map(|(stream, _)| stream)).await;
    }
    server.draining.store(true, Ordering::Release);
    let mut drained = pin!(tokio::time::sleep(limits.drain));
    loop {
        tokio::select! {
            accepted = listener.accept() => server.accepted(accepted.map(|(stream, _)| stream)).await,
            () = &mut drained => break,
        }
    }
    // Connections that the kernel has accepted are served.
    while let Some(Ok((stream, _))) = listener.accept().now_or_never() {
        server.accepted(Ok(stream)).await;
    }
    drop(listener);
    tokio::time::sleep(LAST_BYTES).await;
    server.closing.cancel();
    server.open.close();
    server.open.wait().await;
}

struct Server {
    http: http1::Builder,
    surplus_http: http1::Builder,
    router: Router,
    /// Makes responses announce that their connection closes.
    draining: Arc<AtomicBool>,
    /// Closes connections as soon as they are idle.
    closing: CancellationToken,
    open: TaskTracker,
    places: Arc<Semaphore>,
    surplus: Arc<Semaphore>,
    connections: Gauge,
}

impl Server {
    fn new(router: Router, limits: Limits, connections: Gauge) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .max_buf_size(READ_AHEAD)
            .header_read_timeout(limits.header_timeout);
        let mut surplus_http = http.clone();
        surplus_http.header_read_timeout(SURPLUS_HEADER_TIMEOUT.min(limits.header_timeout));
        Self {
            http,
            surplus_http,
            router,
            draining: Arc::default(),
            closing: CancellationToken::new(),
            open: TaskTracker::new(),
            places: Arc::new(Semaphore::new(limits.connections)),
            surplus: Arc::new(Semaphore::new(limits.connections / 8)),
            connections,
        }
    }

    async fn accepted(&self, accepted: std::io::Result<TcpStream>) {
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(error = %error, "a connection could not be accepted");
                return tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection keeps Nagle's delay");
        }
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            let (router, draining) = (self.router.clone(), Arc::clone(&self.draining));
            let service = service_fn(move |request: Request<Incoming>| {
                let (router, draining) = (router.clone(), Arc::clone(&draining));
                Box::pin(async move {
                    let mut response = router.oneshot(request.map(Body::new)).await?;
                    if draining.load(Ordering::Acquire) {
                        close(&mut response);
                    }
                    Ok::<_, std::convert::Infallible>(response)
                })
            });
            self.spawn(&self.http, stream, service, place);
        } else if let Ok(place) = Arc::clone(&self.surplus).try_acquire_owned() {
            let service =
                service_fn(|_| Box::pin(async { Ok::<_, std::convert::Infallible>(too_many()) }));
            self.spawn(&self.surplus_http, stream, service, place);
        }
    }

    fn spawn<S>(
        &self,
        http: &http1::Builder,
        stream: TcpStream,
        service: S,
        place: OwnedSemaphorePermit,
    ) where
        S: HttpService<Incoming, ResBody = Body> + Unpin + Send + 'static,
        S::Future: Unpin + Send,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let (closing, gauge) = (self.closing.clone(), self.connections.clone());
        self.open.spawn(async move {
            gauge.increment(1);
            serve_connection(connection, closing).await;
            gauge.decrement(1);
            drop(place);
        });
    }
}

async fn serve_connection<S>(
    mut connection: http1::Connection<TokioIo<TcpStream>, S>,
    closing: CancellationToken,
) where
    S: HttpService<Incoming, ResBody = Body> + Unpin,
    S::Future: Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let run = poll_fn(|cx| connection.poll_without_shutdown(cx));
    let outcome = match closing.run_until_cancelled(run).await {
        Some(outcome) => outcome,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|cx| connection.poll_without_shutdown(cx)).await
        }
    };
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    if let Err(error) = outcome {
        tracing::debug!(error = %error, "a connection ended early");
        // An idle connection ends without a response; an incomplete head receives one.
        if error.is_timeout() && !parts.read_buf.is_empty() {
            stream.write_all(TIMED_OUT).await.unwrap_or_default();
        }
    }
    // The client may already have closed the connection.
    stream.shutdown().await.unwrap_or_default();
}

fn too_many() -> Response<Body> {
    let mut response = Response::new(Body::from("too many connections are open; send it again\n"));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    close(&mut response);
    response
}

fn close(response: &mut Response<Body>) {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
}
