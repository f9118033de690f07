//! HTTP: what people and programs see of an agent and of a store.
//!
//! Readers cost the counting nothing: what is live is written once an interval, whoever reads it, and questions to
//! the store have threads and connections of their own.

mod assets;
pub mod auth;
pub mod live;
pub mod problem;
pub mod status;

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, header},
    middleware,
    response::Response,
    routing::get,
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use log::{debug, warn};
use tokio::{net::TcpListener, sync::Semaphore};
use tower::ServiceExt;

use self::{auth::Access, live::Newest, status::About};
use crate::export::metrics::{self, Shared};

/// Connections at the same time; others wait until one ends.
const MOST_CONNECTIONS: usize = 512;
/// How long a request's head may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Headers of a request, and bytes of its head.
const MOST_HEADERS: usize = 64;
const LARGEST_HEAD: usize = 32 << 10;
/// Wait after an `accept` that failed, as it does when descriptors run out.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// What is served.
pub struct Served {
    pub access: Access,
    pub about: About,
    /// Where an agent runs: its snapshots.
    pub live: Option<Newest>,
    /// Where an agent runs: its metrics.
    pub metrics: Option<Shared>,
}

impl Served {
    /// All routes.
    pub fn router(self) -> Router {
        let access = Arc::new(self.access);
        let mut guarded = status::router(Arc::new(self.about));
        if let Some(newest) = self.live {
            guarded = guarded.merge(live::router(newest));
        }
        if let Some(metrics) = self.metrics {
            guarded = guarded.merge(metrics::router(metrics));
        }
        guarded
            .layer(middleware::from_fn_with_state(Arc::clone(&access), auth::check))
            .merge(auth::router(access))
            .route("/health", get(async || "ok\n"))
            .fallback(assets::asset)
            .layer(middleware::map_response(harden))
    }
}

/// Headers that every answer has.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // An answer that is opened by itself runs nothing and loads nothing.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, router: Router) -> Infallible {
    let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let accepted = async {
            let permit = Arc::clone(&connections).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((listener.accept().await?.0, permit))
        };
        let (stream, permit) = match accepted.await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!("cannot take a connection, it is tried again: {error}");
                tokio::time::sleep(AFTER_FAILURE).await;
                continue;
            }
        };
        let router = router.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                router.clone().oneshot(request.map(axum::body::Body::new) as Request)
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WITHIN)
                .max_headers(MOST_HEADERS)
                .max_buf_size(LARGEST_HEAD)
                .serve_connection(TokioIo::new(stream), answer)
                .await;
            if let Err(error) = served {
                debug!("a connection ended: {error}");
            }
            drop(permit);
        });
    }
}
