//! Names of regions and services, which want no store.

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use sha2::{Digest, Sha256};

use super::parameters::{self, NamesParameters};
use crate::{
    model::hex,
    report::{
        compose::NameLists,
        lang::Lang,
        names::{Names, NamesError},
    },
    serve::problem::Problem,
};

/// The names of each language, as they are sent.
pub struct NamePages(Vec<(Lang, NamePage)>);

struct NamePage {
    body: String,
    /// Differs whenever the body does.
    tag: HeaderValue,
}

impl NamePages {
    /// The names that are built in, and those of a user's file.
    ///
    /// # Errors
    ///
    /// If the file cannot be used.
    pub fn new(overrides: Option<&Path>) -> Result<Self, NamesError> {
        let names = Names::new(overrides)?;
        let page = |lang: Lang| {
            // Texts always have a JSON form.
            let body = serde_json::to_string(&NameLists::new(lang, &names)).unwrap_or_default();
            let digest: [u8; 32] = Sha256::digest(&body).into();
            // Digits and quotation marks may stand in a header.
            let tag = HeaderValue::from_str(&format!("\"{}\"", hex(&digest[..16])));
            (lang, NamePage { body, tag: tag.unwrap_or(HeaderValue::from_static("\"\"")) })
        };
        Ok(Self(Lang::ALL.map(page).into()))
    }
}

/// The route of names.
pub fn router(pages: Arc<NamePages>) -> Router {
    Router::new().route("/api/v1/names", get(names)).with_state(pages)
}

async fn names(
    State(pages): State<Arc<NamePages>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let NamesParameters { lang } = parameters::read(&uri)?;
    let page = pages.0.iter().find(|(known, _)| *known == lang);
    let (_, page) = page.ok_or_else(|| Problem::not_found("there are no names of this language"))?;
    let cache = [
        // To be asked for each time, and sent only where it changed.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ETAG, page.tag.clone()),
    ];
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(str::trim);
    let is_known =
        known.any(|tag| tag == "*" || tag.trim_start_matches("W/").as_bytes() == page.tag.as_bytes());
    Ok(if is_known {
        (StatusCode::NOT_MODIFIED, cache).into_response()
    } else {
        (cache, [(header::CONTENT_TYPE, "application/json")], page.body.clone()).into_response()
    })
}
