//! Metrics over HTTP, in the format that the scraper takes.

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::sync::watch;

/// What scrapers get: all metrics as of one moment. It is written once, however many scrape; nobody who counts waits
/// for a scraper.
#[derive(Debug, Default)]
pub struct Exposition {
    open_metrics: String,
    classic: OnceLock<String>,
}

/// The newest exposition.
pub type Newest = watch::Receiver<Arc<Exposition>>;

impl Exposition {
    /// From what OpenMetrics has.
    pub(super) fn new(open_metrics: String) -> Self {
        Self { open_metrics, classic: OnceLock::new() }
    }

    /// As OpenMetrics, or in Prometheus' older text format.
    pub fn text(&self, open_metrics: bool) -> &str {
        if open_metrics {
            &self.open_metrics
        } else {
            self.classic.get_or_init(|| classic(&self.open_metrics))
        }
    }
}

/// `GET /metrics`.
pub fn router(newest: Newest) -> Router {
    let scrape = async |State(newest): State<Newest>, headers: HeaderMap| {
        let exposition = Arc::clone(&newest.borrow());
        answer(&exposition, &headers)
    };
    Router::new().route("/metrics", get(scrape)).with_state(newest)
}

/// The answer to a scraper with these headers: OpenMetrics if it would rather have that, else
/// Prometheus' older text format.
fn answer(exposition: &Exposition, headers: &HeaderMap) -> Response {
    if exposition.open_metrics.is_empty() {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], "the agent is starting\n")
            .into_response();
    }
    let open_metrics = prefers_open_metrics(headers);
    let content_type = if open_metrics {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        "text/plain; version=0.0.4; charset=utf-8"
    };
    let text = exposition.text(open_metrics).to_owned();
    ([(header::CONTENT_TYPE, content_type), (header::VARY, "accept")], text).into_response()
}

/// Whether OpenMetrics is accepted by name, and plain text not more than it.
fn prefers_open_metrics(headers: &HeaderMap) -> bool {
    let (mut open_metrics, mut plain) = (0.0_f32, 0.0);
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in ranges.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts.filter_map(|part| part.strip_prefix("q=")).find_map(|q| q.parse().ok());
        let weight: f32 = quality.unwrap_or(1.0);
        if name.eq_ignore_ascii_case("application/openmetrics-text") {
            open_metrics = weight.max(open_metrics);
        } else if name.eq_ignore_ascii_case("text/plain") {
            plain = weight.max(plain);
        }
    }
    open_metrics > 0.0 && open_metrics >= plain
}

/// OpenMetrics as Prometheus' text format 0.0.4, where a counter is named as its samples are, and
/// neither units nor an end are marked.
fn classic(open_metrics: &str) -> String {
    let is_counter = |name: &str| {
        open_metrics.lines().any(|line| {
            line.strip_prefix("# TYPE ").and_then(|rest| rest.strip_suffix(" counter")) == Some(name)
        })
    };
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let described = line.strip_prefix("# ").and_then(|rest| {
            let (keyword, rest) = rest.split_once(' ')?;
            let (name, rest) = rest.split_once(' ')?;
            Some((keyword, name, rest))
        });
        match described {
            Some((keyword, name, rest)) if is_counter(name) => {
                text.push_str(&format!("# {keyword} {name}_total {rest}"));
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn open_metrics_is_for_those_who_would_rather_have_it() {
        let prefers = |accepts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for accept in accepts {
                headers.append(header::ACCEPT, HeaderValue::from_static(accept));
            }
            prefers_open_metrics(&headers)
        };
        // Prometheus 2.42, and 3.
        assert!(prefers(&[
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        ]));
        assert!(prefers(&["application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.2"]));
        assert!(prefers(&["text/plain; q=0.5", "Application/OpenMetrics-Text; q=0.5"]));
        assert!(!prefers(&["text/plain, application/openmetrics-text; q=0.9"]));
        assert!(!prefers(&["application/openmetrics-text;q=0"]));
        for plain in [&[][..], &["*/*"], &["text/html"], &["openmetrics"], &[";;,=,q="]] {
            assert!(!prefers(plain), "{plain:?}");
        }
    }
}
