//! The pages, which the binary carries.

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};

use super::problem::Problem;
use crate::model::hex;

/// What a page may do: run this server's scripts, ask this server. Nothing else, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

#[derive(Embed)]
#[folder = "web/"]
struct Web;

/// Whether the path is a view of the page, which finds out itself what to show.
fn is_view(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    let view = (parts.next(), parts.next(), parts.next(), parts.next());
    matches!(
        view,
        (Some("" | "history" | "report" | "status"), None, ..)
            | (Some("service"), Some(_), Some(_), None)
            | (Some("region"), Some(_), None, _)
    )
}

/// The file of a path; the page for each of its views; a page that says so for anything else.
pub async fn asset(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if path.starts_with("/api/") {
        return Problem::not_found(format!("there is no {path}; /api/v1/openapi.json lists what there is"))
            .into_response();
    }
    if !matches!(method, Method::GET | Method::HEAD) {
        let mut response = Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method not allowed",
            format!("{path} is for GET only"),
        )
        .into_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    // A request's target need not be a path.
    let (name, status) = match path.strip_prefix('/') {
        Some(_) if is_view(path) => ("index.html", StatusCode::OK),
        Some(name) if Web::get(name).is_some() => (name, StatusCode::OK),
        _ => ("index.html", StatusCode::NOT_FOUND),
    };
    let Some(file) = Web::get(name) else {
        return Problem::not_found(format!("this program was built without {name}")).into_response();
    };
    answer(file, status, &headers)
}

fn answer(file: EmbeddedFile, status: StatusCode, asked: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    let mime = file.metadata.mimetype();
    let mime = if mime.starts_with("text/") || mime == "application/json" {
        format!("{mime}; charset=utf-8")
    } else {
        mime.to_owned()
    };
    let headers = [
        (header::CONTENT_TYPE, mime),
        (header::ETAG, tag.clone()),
        // Asked for again every time, and mostly answered by 304: a newer agent's page is never an old one.
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
    ];
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let is_known =
        known.flat_map(|tags| tags.split(',')).any(|known| known.trim().trim_start_matches("W/") == tag);
    if is_known && status == StatusCode::OK {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (status, headers, file.data).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_known_by_their_form() {
        for path in ["/", "/history", "/report", "/status", "/service/23/tcp", "/region/CN"] {
            assert!(is_view(path), "{path}");
        }
        for path in [
            "/x",
            "/history/",
            "/service",
            "/service/23",
            "/service/23/tcp/x",
            "/region",
            "/region/CN/x",
            "/main.js",
            "//",
        ] {
            assert!(!is_view(path), "{path}");
        }
    }

    async fn get(path: &'static str, tag: Option<&HeaderValue>) -> Response {
        let headers = tag.map(|tag| (header::IF_NONE_MATCH, tag.clone())).into_iter().collect();
        asset(Method::GET, Uri::from_static(path), headers).await
    }

    #[tokio::test]
    async fn files_and_pages() {
        let page = get("/service/23/tcp", None).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(
            page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("script-src 'self'")
        );
        let again = get("/", Some(&page.headers()[header::ETAG])).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        for missing in ["/nothing", "/../Cargo.toml", "/%2e%2e/Cargo.toml"] {
            assert_eq!(get(missing, None).await.status(), StatusCode::NOT_FOUND, "{missing}");
        }
        let api = get("/api/v1/nothing", None).await;
        assert_eq!(api.status(), StatusCode::NOT_FOUND);
        assert_eq!(api.headers()[header::CONTENT_TYPE], "application/problem+json");
        let posted = asset(Method::POST, Uri::from_static("/"), HeaderMap::new()).await;
        assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
