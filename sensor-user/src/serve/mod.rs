//! HTTP: what people and programs see of an agent and of a store.
//!
//! Readers cost the counting nothing: what is live is written once an interval, whoever reads it, and whatever readers
//! ask for is done on threads of their own, which are the last that the machine runs.

mod assets;
pub mod auth;
pub mod history;
pub mod live;
pub mod networks;
mod nice;
pub mod openapi;
pub mod problem;
pub mod status;

use std::{
    convert::Infallible,
    io, net,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware,
    response::Response,
    routing::get,
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use log::{debug, warn};
use tokio::{net::TcpListener, runtime, sync::Semaphore};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use self::{
    auth::Access,
    history::{
        History,
        names::{self, NamePages},
    },
    live::Newest,
    nice::be_nice,
    problem::Problem,
    status::About,
};
use crate::{export::metrics, geo::Geo};

/// Connections at the same time, to the dashboard and to the metrics alone; others wait until one ends.
const MOST_CONNECTIONS: usize = 512;
const MOST_SCRAPERS: usize = 32;
/// How long a request's head may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long a reader may take nothing of what is written to it.
const STALLED_AFTER: Duration = Duration::from_secs(30);
/// Headers of a request, and bytes of its head.
const MOST_HEADERS: usize = 64;
const LARGEST_HEAD: usize = 32 << 10;
/// Wait after an `accept` that failed, as it does when descriptors run out.
const AFTER_FAILURE: Duration = Duration::from_millis(200);
/// How often it is told that readers wait for a connection, or cannot have one.
const TELL_EVERY: Duration = Duration::from_secs(600);

/// What is served.
pub struct Served {
    pub access: Access,
    pub about: About,
    pub names: NamePages,
    /// Where names of autonomous systems are from.
    pub geo: Arc<Geo>,
    /// Where there is a store: what it answers.
    pub history: Option<Arc<History>>,
    /// Where an agent runs: its snapshots.
    pub live: Option<Newest>,
    /// Where an agent runs: its metrics.
    pub metrics: Option<metrics::Newest>,
}

impl Served {
    /// All routes.
    pub fn router(self) -> Router {
        let access = Arc::new(self.access);
        let mut guarded = status::router(self.about, Arc::clone(&self.geo), self.history.clone())
            .merge(names::router(Arc::new(self.names)))
            .merge(networks::router(self.geo));
        if let Some(history) = self.history {
            guarded = guarded.merge(history::router(history));
        }
        if let Some(newest) = self.live {
            guarded = guarded.merge(live::router(newest));
        }
        if let Some(metrics) = self.metrics {
            guarded = guarded.merge(metrics::router(metrics));
        }
        guarded
            .layer(middleware::from_fn_with_state(Arc::clone(&access), auth::check))
            .merge(auth::router(access))
            .merge(openapi::router())
            .route("/health", get(async || "ok\n"))
            .fallback(assets::asset)
            .method_not_allowed_fallback(not_allowed)
            .layer(middleware::map_response(harden))
    }
}

/// A path that is there, asked for in another way.
async fn not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method not allowed",
        format!("{} has no {method}; the header `Allow` says what it has", uri.path()),
    )
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

/// Serves all that there is until the process ends.
///
/// # Errors
///
/// As [`start`].
pub fn start_all(listener: net::TcpListener, served: Served) -> io::Result<()> {
    start(listener, served.router(), MOST_CONNECTIONS)
}

/// Serves nothing but metrics until the process ends. They have no token; on a loopback address they are for this
/// host alone, and for no page that a browser here was led to.
///
/// # Errors
///
/// As [`start`].
pub fn start_metrics(listener: net::TcpListener, newest: metrics::Newest) -> io::Result<()> {
    let address = listener.local_addr()?;
    let mut router = metrics::router(newest);
    if address.ip().is_loopback() {
        let access = Arc::new(Access::Loopback(address));
        router = router.layer(middleware::from_fn_with_state(access, auth::check));
    }
    start(listener, router.layer(middleware::map_response(harden)), MOST_SCRAPERS)
}

/// Serves until the process ends, on a thread of low priority.
///
/// # Errors
///
/// If the system has no thread, or nothing to wait for connections with.
fn start(listener: net::TcpListener, router: Router, most: usize) -> io::Result<()> {
    allow_descriptors();
    listener.set_nonblocking(true)?;
    let (tell, told) = mpsc::channel();
    thread::Builder::new().name("readers".to_owned()).spawn(move || {
        be_nice();
        let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return tell.send(Err(error)),
        };
        runtime.block_on(async {
            let listener = match TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => return tell.send(Err(error)),
            };
            tell.send(Ok(()))?;
            match serve(listener, router, most).await {}
        })
    })?;
    told.recv().map_err(io::Error::other)?
}

/// Has the system give this process as many descriptors as it may have: whoever counts needs some, too.
fn allow_descriptors() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls use a structure of this type.
    let raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) == 0
        }
    };
    if !raised {
        warn!("cannot raise the limit of open files: {}", io::Error::last_os_error());
    }
}

async fn serve(listener: TcpListener, router: Router, most: usize) -> Infallible {
    let connections = Arc::new(Semaphore::new(most));
    let mut told: Option<Instant> = None;
    let mut tell = |said: &dyn Fn() -> String| {
        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            told = Some(Instant::now());
            warn!("{}", said());
        }
    };
    loop {
        if connections.available_permits() == 0 {
            tell(&|| format!("{most} connections are open: other readers wait until one ends"));
        }
        let accepted = async {
            let permit = Arc::clone(&connections).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((listener.accept().await?.0, permit))
        };
        let (stream, permit) = match accepted.await {
            Ok(accepted) => accepted,
            Err(error) => {
                tell(&|| format!("cannot take a connection, it is tried again: {error}"));
                tokio::time::sleep(AFTER_FAILURE).await;
                continue;
            }
        };
        let router = router.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                router.clone().oneshot(request.map(axum::body::Body::new) as Request)
            });
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(STALLED_AFTER));
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WITHIN)
                .max_headers(MOST_HEADERS)
                .max_buf_size(LARGEST_HEAD)
                .serve_connection(TokioIo::new(Box::pin(stream)), answer)
                .await;
            if let Err(error) = served {
                debug!("a connection ended: {error}");
            }
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::geo::Paths;

    fn router(access: Access) -> Router {
        let served = Served {
            access,
            about: About { host: "pot".to_owned(), agent: None, home: None, map: true },
            names: NamePages::new(None).unwrap(),
            geo: Arc::new(Geo::open(Paths::default()).unwrap()),
            history: None,
            live: None,
            metrics: None,
        };
        served.router()
    }

    fn loopback() -> Access {
        Access::Loopback("127.0.0.1:8642".parse().unwrap())
    }

    async fn ask(
        router: &Router,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()
    }

    async fn get(router: &Router, path: &str, headers: &[(&str, &str)]) -> Response {
        ask(router, Method::GET, path, headers, "").await
    }

    #[tokio::test]
    async fn every_answer_is_hardened() {
        let router = router(loopback());
        for (path, status) in [
            ("/", StatusCode::OK),
            ("/health", StatusCode::OK),
            ("/api/v1/status", StatusCode::OK),
            ("/api/v1/names", StatusCode::OK),
            ("/api/v1/live", StatusCode::NOT_FOUND),
            ("/api/v1/query", StatusCode::NOT_FOUND),
            ("/nothing", StatusCode::NOT_FOUND),
        ] {
            let response = get(&router, path, &[]).await;
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(
                policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
                "{path}: {policy}"
            );
        }
    }

    #[tokio::test]
    async fn another_method_is_told_which_there_are() {
        let router = router(loopback());
        for (path, allowed) in
            [("/api/v1/names", "GET,HEAD"), ("/api/v1/openapi.json", "GET,HEAD"), ("/health", "GET,HEAD")]
        {
            let response = ask(&router, Method::POST, path, &[], "").await;
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert_eq!(response.headers()[header::ALLOW], allowed, "{path}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json", "{path}");
        }
        assert_eq!(ask(&router, Method::HEAD, "/api/v1/names", &[], "").await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn another_host_is_not_answered_but_may_have_the_page() {
        let router = router(loopback());
        let elsewhere = [("host", "example.org")];
        assert_eq!(
            get(&router, "/api/v1/status", &elsewhere).await.status(),
            StatusCode::MISDIRECTED_REQUEST
        );
        assert_eq!(get(&router, "/", &elsewhere).await.status(), StatusCode::OK);
        assert_eq!(get(&router, "/api/v1/status", &[("host", "localhost:1")]).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_session_is_begun_with_the_token_and_ended() {
        let path = std::env::temp_dir().join(format!("teiten-session-{}", std::process::id()));
        std::fs::write(&path, "0123456789abcdefghij\n").unwrap();
        let router = router(Access::Token(auth::Token::read(&path).unwrap()));
        std::fs::remove_file(&path).unwrap();
        let status = async |headers: &[(&str, &str)]| get(&router, "/api/v1/status", headers).await.status();
        assert_eq!(status(&[]).await, StatusCode::UNAUTHORIZED);
        assert_eq!(status(&[("authorization", "Bearer 0123456789abcdefghij")]).await, StatusCode::OK);
        assert_eq!(get(&router, "/", &[]).await.status(), StatusCode::OK, "the page asks for the token");

        let begin = async |kind: &str, body: &str| {
            ask(&router, Method::POST, "/api/v1/session", &[("content-type", kind)], body).await
        };
        let json = "application/json";
        let wrong = begin(json, "{\"token\": \"0123456789abcdefghix\"}").await;
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
        assert!(!wrong.headers().contains_key(header::SET_COOKIE));
        let good = "{\"token\": \"0123456789abcdefghij\"}";
        assert_eq!(begin("text/plain", good).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(begin(json, "{").await.status(), StatusCode::BAD_REQUEST);
        let long = format!("{{\"token\": \"{}\"}}", "x".repeat(10_000));
        assert_eq!(begin(json, &long).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let begun = begin(json, good).await;
        assert_eq!(begun.status(), StatusCode::NO_CONTENT);
        let cookie = begun.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        assert!(!cookie.contains("0123456789abcdefghij"), "the cookie does not tell the token");
        let pair = cookie.split(';').next().unwrap();
        assert_eq!(status(&[("cookie", pair)]).await, StatusCode::OK);
        let ended = ask(&router, Method::DELETE, "/api/v1/session", &[], "").await;
        assert!(ended.headers()[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    }

    #[tokio::test]
    async fn connections_are_answered_and_junk_ends_only_its_own() {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let nice = async || (nice::niceness() > 9).to_string();
        start(listener, router(loopback()).route("/nice", axum::routing::get(nice)), 8).unwrap();
        let talk = async |words: &[u8]| {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(words).await.unwrap();
            let mut answer = Vec::new();
            // A server that resets a connection of junk has answered as well.
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).into_owned()
        };
        let good = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let junk = [
            &b"\0\0\0\0\r\n\r\n"[..],
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            // A target that is no path.
            b"GET x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        ];
        for junk in junk {
            let answer = talk(junk).await;
            assert!(
                answer.starts_with("HTTP/1.1 4") || answer.is_empty() && !junk.ends_with(b"close\r\n\r\n"),
                "{answer}"
            );
            assert!(talk(good).await.starts_with("HTTP/1.1 200"));
        }
        let nice = talk(b"GET /nice HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        assert!(nice.ends_with("\r\n\r\ntrue"), "{nice}");
        let mut long = b"GET /health HTTP/1.1\r\nX: ".to_vec();
        long.extend(vec![b'x'; 2 * LARGEST_HEAD]);
        long.extend(b"\r\n\r\n");
        assert!(!talk(&long).await.starts_with("HTTP/1.1 200"));
        assert!(talk(good).await.starts_with("HTTP/1.1 200"));
    }
}
