//! Who may ask.
//!
//! With a token, requests carry it (`Authorization: Bearer …`) or a cookie that was given for it. Without one, the
//! server listens on loopback only, and answers only requests that name a loopback host: a page elsewhere, whose
//! name was made to point here (DNS rebinding), names another.

use std::{
    fs::File,
    io::Read as _,
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::post,
};
use log::warn;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::timeout;

use super::problem::Problem;
use crate::model::hex;

/// Shortest token: 20 characters of base64 are 120 bits.
const SHORTEST: usize = 20;
/// Longest token, and longest body of a request for a session, in bytes.
const LONGEST: usize = 4096;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Name of the cookie.
const COOKIE: &str = "teiten_session";

/// Why a token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("cannot read the token in {}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(
        "the token in {} has {length} characters: write {SHORTEST} to {LONGEST} letters, digits or punctuation marks \
         in one line, such as `openssl rand -base64 32` makes",
        .path.display()
    )]
    Length { path: PathBuf, length: usize },
    #[error("the token in {} has a character that is no letter, digit or punctuation mark of ASCII", .0.display())]
    Character(PathBuf),
}

/// A secret that requests must show, by its hashes.
#[derive(Clone)]
pub struct Token {
    bearer: [u8; 32],
    cookie: [u8; 32],
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// Reads the token of a file.
    ///
    /// # Errors
    ///
    /// As of [`read_token`].
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        read_token(path).map(|token| Self::new(&token))
    }

    fn new(token: &str) -> Self {
        Self { bearer: digest("token", token), cookie: digest("cookie", token) }
    }

    /// Whether this is the token. Takes as long for any other.
    fn is(&self, token: &str) -> bool {
        digest("token", token).ct_eq(&self.bearer).into()
    }

    fn is_cookie(&self, value: &str) -> bool {
        hex(&self.cookie).as_bytes().ct_eq(value.as_bytes()).into()
    }

    /// Whether a request shows it.
    fn is_shown(&self, headers: &HeaderMap) -> bool {
        let texts = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let bearer = texts(header::AUTHORIZATION).filter_map(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let mut cookies = texts(header::COOKIE)
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == COOKIE);
        bearer.into_iter().any(|token| self.is(token)) || cookies.any(|(_, value)| self.is_cookie(value))
    }
}

/// Reads the token of a file: its only line.
///
/// # Errors
///
/// If the file cannot be read, or what is in it is no token.
pub fn read_token(path: &Path) -> Result<String, TokenError> {
    let failed = |source| TokenError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    file.take(LONGEST as u64 + 2).read_to_string(&mut text).map_err(failed)?;
    if mode & 0o077 != 0 {
        warn!("{} can be read by others: chmod 600 {}", path.display(), path.display());
    }
    let token = text.trim_end_matches(['\r', '\n']);
    if !(SHORTEST..=LONGEST).contains(&token.len()) {
        return Err(TokenError::Length { path: path.to_owned(), length: token.chars().count() });
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Character(path.to_owned()));
    }
    Ok(token.to_owned())
}

fn digest(purpose: &str, token: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update("teiten ")
        .chain_update(purpose)
        .chain_update([0])
        .chain_update(token)
        .finalize()
        .into()
}

/// Who may ask.
#[derive(Clone, Debug)]
pub enum Access {
    /// Whoever shows the token.
    Token(Token),
    /// Whoever is on this host. The address is the one that is listened at.
    Loopback(SocketAddr),
}

impl Access {
    fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
        match self {
            Self::Token(token) if token.is_shown(headers) => Ok(()),
            Self::Token(_) if headers.contains_key(header::AUTHORIZATION) => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "wrong token",
                "the header `Authorization` has another token than the server's --token-file",
            )),
            Self::Token(_) => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "no token",
                "send the header `Authorization: Bearer TOKEN` with the token of the server's --token-file",
            )),
            Self::Loopback(address) => {
                let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
                // Browsers always name one.
                match uri.host().or(host.map(without_port)) {
                    Some(host) if !is_loopback(host, address.ip()) => Err(Problem::new(
                        StatusCode::MISDIRECTED_REQUEST,
                        "wrong host",
                        format!(
                            "this server answers at http://{address}/ only; to reach it by another name, start it with \
                             --token-file"
                        ),
                    )),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// The host of a `Host` header.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

fn is_loopback(host: &str, listening: IpAddr) -> bool {
    let host = host.trim_end_matches('.');
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address == listening)
}

/// Lets only those pass who may ask.
pub async fn check(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    access.check(request.headers(), request.uri())?;
    Ok(next.run(request).await)
}

/// What is sent for a session.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The token of the server's --token-file.
    pub token: String,
}

/// Routes of the session.
pub fn router(access: Arc<Access>) -> Router {
    Router::new().route("/api/v1/session", post(begin).delete(end)).with_state(access)
}

/// A session: a cookie for the token, which pages then need not know.
async fn begin(State(access): State<Arc<Access>>, request: Request) -> Result<Response, Problem> {
    // Asked for by this server's own pages only: another site's form cannot send JSON.
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(';').next().unwrap_or_default().trim() == "application/json");
    if !is_json {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "no JSON",
            "send {\"token\": \"…\"} with Content-Type: application/json",
        ));
    }
    let is_https = request.headers().get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let reading = timeout(BODY_WITHIN, to_bytes(request.into_body(), LONGEST));
    let slow = |_| {
        let said = format!("the body did not arrive within {} seconds", BODY_WITHIN.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, "too slow", said)
    };
    let body = reading.await.map_err(slow)?.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too long",
            format!("a body of {LONGEST} bytes at most is read"),
        )
    })?;
    let credentials: Credentials = serde_json::from_slice(&body)
        .map_err(|error| Problem::parameter("token", format!("write {{\"token\": \"…\"}}: {error}")))?;
    match &*access {
        Access::Token(token) if token.is(&credentials.token) => {
            let secure = if is_https { "; Secure" } else { "" };
            let cookie =
                format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict{secure}", hex(&token.cookie));
            Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
        }
        Access::Token(_) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "wrong token",
            "this is not the token of --token-file",
        )),
        Access::Loopback(_) => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

async fn end() -> Response {
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use std::fs;

    const TOKEN: &str = "0123456789abcdefghij/+";

    fn shown(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn only_the_token_and_its_cookie_open() {
        let token = Token::new(TOKEN);
        let cookie = hex(&token.cookie);
        for (name, value, opens) in [
            (header::AUTHORIZATION, format!("Bearer {TOKEN}"), true),
            (header::AUTHORIZATION, format!("bearer  {TOKEN} "), true),
            (header::AUTHORIZATION, format!("Basic {TOKEN}"), false),
            (header::AUTHORIZATION, TOKEN.to_owned(), false),
            (header::AUTHORIZATION, format!("Bearer {TOKEN}x"), false),
            (header::AUTHORIZATION, format!("Bearer {cookie}"), false),
            (header::AUTHORIZATION, "Bearer ".to_owned(), false),
            (header::COOKIE, format!("a=b; {COOKIE}={cookie}"), true),
            (header::COOKIE, format!("{COOKIE}=x; {COOKIE}={cookie}"), true),
            (header::COOKIE, format!("{COOKIE}={TOKEN}"), false),
            (header::COOKIE, format!("{COOKIE}="), false),
            (header::COOKIE, format!("x{COOKIE}={cookie}"), false),
        ] {
            assert_eq!(token.is_shown(&shown(name, &value)), opens, "{value}");
        }
        assert!(!token.is_shown(&HeaderMap::new()));
    }

    #[test]
    fn without_a_token_only_loopback_is_answered() {
        let access = Access::Loopback("127.0.0.1:8642".parse().unwrap());
        for (host, answered) in [
            ("127.0.0.1:8642", true),
            ("127.0.0.2", true),
            ("localhost:8642", true),
            ("LOCALHOST", true),
            ("localhost.", true),
            ("[::1]:8642", true),
            ("[::1]", true),
            ("example.org", false),
            ("127.0.0.1.example.org:8642", false),
            ("localhost.example.org", false),
            ("192.0.2.1", false),
            ("[2001:db8::1]:8642", false),
            ("", false),
            ("[", false),
        ] {
            let check = access.check(&shown(header::HOST, host), &Uri::from_static("/api/v1/live"));
            assert_eq!(check.is_ok(), answered, "{host}");
        }
        let uri = Uri::from_static("http://example.org/api/v1/live");
        assert!(access.check(&shown(header::HOST, "localhost"), &uri).is_err(), "the URI's host counts");
        assert!(access.check(&HeaderMap::new(), &Uri::from_static("/")).is_ok());
    }

    #[test]
    fn a_file_has_one_good_token() {
        let path = std::env::temp_dir().join(format!("teiten-token-{}", std::process::id()));
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            Token::read(&path)
        };
        assert!(read(TOKEN).unwrap().is(TOKEN));
        assert!(read(&format!("{TOKEN}\r\n")).unwrap().is(TOKEN));
        assert!(matches!(read(""), Err(TokenError::Length { length: 0, .. })));
        assert!(matches!(read("short"), Err(TokenError::Length { length: 5, .. })));
        assert!(matches!(read(&"x".repeat(LONGEST + 1)), Err(TokenError::Length { .. })));
        assert!(matches!(read(&format!("{TOKEN}\n{TOKEN}")), Err(TokenError::Character(_))));
        assert!(matches!(read("定点観測定点観測定点観測定点観測"), Err(TokenError::Character(_))));
        fs::remove_file(&path).unwrap();
        assert!(matches!(Token::read(&path), Err(TokenError::Read { .. })));
    }
}
