//! Following an agent: its live counts, whether it is in touch, and why not.
//!
//! Whoever answers is not trusted: sizes and times are bounded, and a token goes to the address that it was given
//! for and to no other.

use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    thread,
    time::Duration,
};

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, InvalidDnsNameError, ServerName, pem::PemObject as _},
};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use super::{
    sse::{Item, Parser, TooLarge},
    text::clean,
};
use crate::serve::{
    auth::{TokenError, read_token},
    live::Snapshot,
};

/// How long to wait for a connection, and for the beginning of an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a stream may be silent: an agent says something every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);
/// Waits between attempts: the first one unless the agent asks for another, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Largest answer other than a stream, in bytes.
const LARGEST_ANSWER: usize = 1 << 20;

/// Where an agent answers: `http://HOST[:PORT][/PATH]`, or `https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    is_https: bool,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// Host and port as they were given.
    authority: String,
    /// What stands before the path of each request; no `/` at its end.
    base: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.base)
    }
}

/// A text that is no address of an agent.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no address of an agent: {reason}; write http://HOST:PORT or https://HOST")]
pub struct BadAddress {
    text: String,
    reason: &'static str,
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |reason| BadAddress { text: text.to_owned(), reason };
        let uri: Uri = text.parse().map_err(|_| bad("it is no URL"))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return Err(bad("it is neither http nor https")),
            None => return Err(bad("it does not begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it has a name or password; a token goes into --token-file"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(bad("it has more than a path"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(bad("it has no host"));
        }
        let port = match authority.port_u16() {
            Some(0) => return Err(bad("its port is 0")),
            Some(port) => port,
            None if authority.as_str().len() > authority.host().len() => {
                return Err(bad("its port is no number"));
            }
            None if is_https => 443,
            None => 80,
        };
        Ok(Self {
            is_https,
            host: host.to_owned(),
            port,
            authority: authority.as_str().to_owned(),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

/// What cannot be used to ask an agent.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("cannot read certificates in {}: {error}", path.display())]
    Certificates { path: PathBuf, error: rustls::pki_types::pem::Error },
    #[error("{} holds no certificate that can be used: it must have those of certificate authorities, as PEM", path.display())]
    NoCertificate { path: PathBuf },
    #[error("this system has no certificates of authorities to know a server by; name a file with --ca-file")]
    NoAuthorities,
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    #[error("`{host}` is no name that a certificate can have")]
    Name { host: String, error: InvalidDnsNameError },
}

/// Why there are no live counts. Its text says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(
        "nobody answers at {address}: {error}; start an agent (`teiten run`), or say where one listens with --connect URL"
    )]
    Unreachable { address: String, error: io::Error },
    #[error("{address} does not answer within {} seconds; is it an agent's? --connect URL says where one listens", PATIENCE.as_secs())]
    Slow { address: String },
    #[error(
        "no TLS with {address}: {error}; --ca-file FILE names authorities to trust, http:// does without"
    )]
    Tls { address: String, error: String },
    #[error("{address} does not speak HTTP as an agent does: {error}")]
    Http { address: String, error: hyper::Error },
    #[error("{address} wants a token: name its file with --token-file FILE, or in TEITEN_TOKEN_FILE")]
    WantsToken { address: String },
    #[error("{address} does not take the token in --token-file: {detail}")]
    WrongToken { address: String, detail: String },
    #[error("no live counts at {address}: {detail}")]
    NoAgent { address: String, detail: String },
    #[error("{address} says that it is elsewhere: {to}; if that is right, name it with --connect")]
    Elsewhere { address: String, to: String },
    #[error("{address} answers {status}: {detail}")]
    Status { address: String, status: StatusCode, detail: String },
    #[error(
        "{address} answers, but not with live counts; is it an agent's? --connect URL says where one listens"
    )]
    NoStream { address: String },
}

/// Why contact was lost.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the agent has ended the connection")]
    Ended,
    #[error("connection broken: {0}")]
    Broken(#[from] hyper::Error),
    #[error("not a word for {} seconds", SILENCE.as_secs())]
    Silent,
    #[error("it sends {0}")]
    TooLarge(#[from] TooLarge),
    #[error("it sends what are no live counts: {0}")]
    Form(#[from] serde_json::Error),
    /// Nobody is left to tell.
    #[error("closed")]
    Closed,
}

/// What happens.
#[derive(Debug)]
pub enum Update {
    Connected,
    /// The name of the agent's host.
    Host(String),
    Snapshot(Box<Snapshot>),
    Lost {
        /// When the agent was heard last.
        since: Timestamp,
        reason: String,
    },
}

/// Asks an agent.
#[derive(Clone)]
pub struct Client {
    address: Address,
    authorization: Option<HeaderValue>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Client {
    /// A client of the agent at an address. `token_file`: holds the token that it wants; `ca_file`: certificates of
    /// the authorities that are trusted in place of the system's, as PEM.
    ///
    /// # Errors
    ///
    /// If a file cannot be used.
    pub fn new(
        address: Address,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Self, SetupError> {
        let authorization = token_file.map(authorization).transpose()?;
        let tls = if address.is_https { Some(tls(&address.host, ca_file)?) } else { None };
        Ok(Self { address, authorization, tls })
    }

    /// Asks for the stream of live counts.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub async fn open(&self) -> Result<Stream, Refused> {
        let answer = self.get("/api/v1/live/stream", "text/event-stream").await?;
        let content_type = answer.response.headers().get(header::CONTENT_TYPE);
        if !content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream")) {
            return Err(Refused::NoStream { address: self.address.to_string() });
        }
        Ok(Stream { parser: Parser::default(), answer, heard: Timestamp::now(), retry: FIRST_WAIT })
    }

    /// Where it asks.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Tells the name of the agent's host. An agent that does not tell it is shown without.
    async fn tell_host(self, updates: mpsc::Sender<Update>) {
        let Ok(answer) = self.get("/api/v1/status", "application/json").await else { return };
        let host = answer.json::<Status>().await.and_then(|status| status.host);
        if let Some(host) = host {
            // Nobody may be left to hear it.
            let _ = updates.send(Update::Host(clean(&host))).await;
        }
    }

    /// Gets what is at a path.
    async fn get(&self, path: &str, accept: &'static str) -> Result<Answer, Refused> {
        let Address { host, port, authority, base, .. } = &self.address;
        let address = || self.address.to_string();
        let unreachable = |error| Refused::Unreachable { address: address(), error };
        let http = |error| Refused::Http { address: address(), error };
        let slow = |_| Refused::Slow { address: address() };
        let connecting = async {
            let addresses = look_up(host, *port).await?;
            TcpStream::connect(&addresses[..]).await
        };
        let stream = timeout(PATIENCE, connecting).await.map_err(slow)?.map_err(unreachable)?;
        let mut request = Request::get(format!("{base}{path}"))
            .header(header::HOST, authority)
            .header(header::ACCEPT, accept)
            .header(header::USER_AGENT, concat!("teiten/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::new()).map_err(|_| Refused::NoStream { address: address() })?;
        let asking = async {
            match &self.tls {
                None => ask(stream, request).await.map_err(http),
                Some((connector, name)) => {
                    // It may quote the certificate.
                    let tls = |error: io::Error| {
                        let error = clean(&error.to_string());
                        Refused::Tls { address: address(), error }
                    };
                    let stream = connector.connect(name.clone(), stream).await.map_err(tls)?;
                    ask(stream, request).await.map_err(http)
                }
            }
        };
        let answer = timeout(PATIENCE, asking).await.map_err(slow)??;
        match answer.response.status() {
            StatusCode::OK => Ok(answer),
            status => Err(self.refused(status, answer).await),
        }
    }

    /// What an answer that is none says.
    async fn refused(&self, status: StatusCode, answer: Answer) -> Refused {
        let address = self.address.to_string();
        if status.is_redirection() {
            let to = answer.response.headers().get(header::LOCATION).map(HeaderValue::as_bytes);
            let to = to.map_or_else(|| "it does not say where".into(), String::from_utf8_lossy);
            return Refused::Elsewhere { address, to: clean(&to) };
        }
        let content_type = answer.response.headers().get(header::CONTENT_TYPE);
        let is_problem = content_type.is_some_and(|value| value == "application/problem+json");
        let problem = if is_problem { answer.json::<Problem>().await } else { None };
        match (status, problem) {
            (StatusCode::UNAUTHORIZED, _) if self.authorization.is_none() => Refused::WantsToken { address },
            (StatusCode::UNAUTHORIZED, problem) => {
                let detail = problem.map_or_else(|| "it is another one".to_owned(), Problem::text);
                Refused::WrongToken { address, detail }
            }
            (StatusCode::NOT_FOUND, Some(problem)) => Refused::NoAgent { address, detail: problem.text() },
            (StatusCode::NOT_FOUND, None) => Refused::NoStream { address },
            (status, Some(problem)) => Refused::Status { address, status, detail: problem.text() },
            (status, None) => {
                let detail = "it does not say why".to_owned();
                Refused::Status { address, status, detail }
            }
        }
    }

    /// Tells what a stream brings, and connects again when it breaks, until nobody listens any more.
    pub async fn follow(self, mut stream: Stream, updates: mpsc::Sender<Update>) {
        loop {
            let mut naming = JoinSet::new();
            naming.spawn(self.clone().tell_host(updates.clone()));
            let lost = match stream.read(&updates).await {
                Lost::Closed => return,
                lost => lost.to_string(),
            };
            drop(naming);
            let (since, mut wait) = (stream.heard, stream.retry);
            let mut reason = clean(&lost);
            stream = loop {
                if updates.send(Update::Lost { since, reason }).await.is_err() {
                    return;
                }
                tokio::select! {
                    () = updates.closed() => return,
                    () = sleep(wait) => {}
                }
                wait = (wait * 2).min(LONGEST_WAIT);
                match self.open().await {
                    Ok(stream) => break stream,
                    Err(refused) => reason = refused.to_string(),
                }
            };
            if updates.send(Update::Connected).await.is_err() {
                return;
            }
        }
    }
}

/// What `/api/v1/status` tells, as far as it is shown.
#[derive(Deserialize)]
struct Status {
    host: Option<String>,
}

/// What is wrong, as `application/problem+json`.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

impl Problem {
    fn text(self) -> String {
        clean(&self.detail.or(self.title).unwrap_or_default())
    }
}

/// An answer, and the connection that it comes by.
struct Answer {
    response: Response<Incoming>,
    /// Closed when dropped.
    _connection: JoinSet<()>,
}

impl Answer {
    /// The whole body; nothing if it is too large, too slow or of another form.
    async fn json<T: DeserializeOwned>(self) -> Option<T> {
        let body = Limited::new(self.response.into_body(), LARGEST_ANSWER);
        let whole = timeout(PATIENCE, body.collect()).await.ok()?.ok()?;
        serde_json::from_slice(&whole.to_bytes()).ok()
    }
}

/// The addresses of a host. Its thread is one that the end of the program does not wait for: a look-up may hang.
async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let (tell, told) = oneshot::channel();
    let asked = (host.to_owned(), port);
    thread::Builder::new().name("look-up".to_owned()).spawn(move || {
        // Nobody may be left to hear it.
        let _ = tell.send(asked.to_socket_addrs().map(Vec::from_iter));
    })?;
    told.await.map_err(io::Error::other)?
}

/// Sends a request over a connection that nobody has used before.
async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<Answer, hyper::Error> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut task = JoinSet::new();
    task.spawn(async move {
        // What goes wrong is told to whoever reads the body.
        let _ = connection.await;
    });
    let response = sender.send_request(request).await?;
    Ok(Answer { response, _connection: task })
}

/// A stream of live counts.
pub struct Stream {
    answer: Answer,
    parser: Parser,
    /// When something came last.
    heard: Timestamp,
    /// How long to wait before the next attempt.
    retry: Duration,
}

impl Stream {
    /// Tells what it brings, up to its end.
    async fn read(&mut self, updates: &mpsc::Sender<Update>) -> Lost {
        loop {
            let error = tokio::select! {
                () = updates.closed() => Lost::Closed,
                read = self.read_some(updates) => match read {
                    Ok(()) => continue,
                    Err(error) => error,
                },
            };
            return error;
        }
    }

    async fn read_some(&mut self, updates: &mpsc::Sender<Update>) -> Result<(), Lost> {
        let frame = timeout(SILENCE, self.answer.response.body_mut().frame()).await;
        let frame = frame.map_err(|_| Lost::Silent)?.ok_or(Lost::Ended)??;
        let Ok(bytes) = frame.into_data() else { return Ok(()) };
        self.heard = Timestamp::now();
        let mut items = Vec::new();
        let pushed = self.parser.push(&bytes, &mut items);
        for item in items {
            match item {
                Item::Retry(wait) => self.retry = wait.clamp(FIRST_WAIT / 4, LONGEST_WAIT),
                Item::Event { name, data } if name == b"live" => {
                    let snapshot = serde_json::from_slice(&data)?;
                    updates.send(Update::Snapshot(snapshot)).await.map_err(|_| Lost::Closed)?;
                }
                // Events that are still to come.
                Item::Event { .. } => {}
            }
        }
        Ok(pushed?)
    }
}

/// The header that the token of a file is sent in.
fn authorization(token_file: &Path) -> Result<HeaderValue, SetupError> {
    let token = read_token(token_file)?;
    // What may be in a token may be in a header.
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| TokenError::Character(token_file.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// What TLS with a host wants.
fn tls(host: &str, ca_file: Option<&Path>) -> Result<(TlsConnector, ServerName<'static>), SetupError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let unreadable = |error| SetupError::Certificates { path: path.to_owned(), error };
            let certificates = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
            for certificate in certificates {
                roots.add_parsable_certificates([certificate.map_err(unreadable)?]);
            }
            if roots.is_empty() {
                return Err(SetupError::NoCertificate { path: path.to_owned() });
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(SetupError::NoAuthorities);
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| SetupError::Name { host: host.to_owned(), error })?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        let agent = address("http://127.0.0.1:8642");
        assert_eq!((agent.is_https, agent.host.as_str(), agent.port), (false, "127.0.0.1", 8642));
        assert_eq!((agent.authority.as_str(), agent.base.as_str()), ("127.0.0.1:8642", ""));
        let agent = address("https://sensor.example/teiten/");
        assert_eq!((agent.is_https, agent.host.as_str(), agent.port), (true, "sensor.example", 443));
        assert_eq!(agent.to_string(), "https://sensor.example/teiten");
        let agent = address("http://[2001:db8::1]:80/");
        assert_eq!((agent.host.as_str(), agent.port), ("2001:db8::1", 80));
        assert_eq!(agent.authority, "[2001:db8::1]:80");
    }

    #[test]
    fn what_is_wrong_with_an_address_is_told() {
        for (text, reason) in [
            ("127.0.0.1:8642", "it does not begin with http:// or https://"),
            ("localhost", "it does not begin with http:// or https://"),
            ("ftp://sensor.example", "it is neither http nor https"),
            ("http://", "it is no URL"),
            ("http://:80", "it has no host"),
            ("http://a b", "it is no URL"),
            ("http://me:secret@sensor.example", "it has a name or password; a token goes into --token-file"),
            ("http://sensor.example/?a", "it has more than a path"),
            ("http://sensor.example/#a", "it has more than a path"),
            ("http://sensor.example:0", "its port is 0"),
            ("http://sensor.example:99999", "its port is no number"),
            ("http://sensor.example:x", "its port is no number"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}` is no address of an agent: {reason}")), "{error}");
        }
    }

    #[test]
    fn a_token_is_sent_and_not_told() {
        let path = std::env::temp_dir().join(format!("teiten-top-token-{}", std::process::id()));
        std::fs::write(&path, "Zm9yIHRoZSB0ZXN0IG9mIHRva2Vucw\n").unwrap();
        let value = authorization(&path).unwrap();
        assert_eq!(value, "Bearer Zm9yIHRoZSB0ZXN0IG9mIHRva2Vucw");
        assert!(value.is_sensitive());
        std::fs::write(&path, "short\n").unwrap();
        assert!(matches!(authorization(&path), Err(SetupError::Token(TokenError::Length { .. }))));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn authorities_come_from_the_file() {
        let path = std::env::temp_dir().join(format!("teiten-authorities-{}", std::process::id()));
        std::fs::write(&path, "nothing of the kind").unwrap();
        assert!(matches!(tls("sensor.example", Some(&path)), Err(SetupError::NoCertificate { .. })));
        std::fs::remove_file(&path).unwrap();
        let missing = tls("sensor.example", Some(&path)).err().unwrap().to_string();
        assert!(missing.starts_with(&format!("cannot read certificates in {}", path.display())), "{missing}");
    }
}
