//! Who runs autonomous systems, by the databases in use.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, Router, extract::State, http::Uri, routing::get};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{history::parameters, problem::Problem};
use crate::geo::Geo;

/// Numbers that can be asked for at once.
const MOST: usize = 200;

/// Which autonomous systems.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworksParameters {
    /// Numbers of autonomous systems, separated by commas, such as `174,3356`; 200 at most.
    pub asn: String,
}

/// The route of the names.
pub fn router(geo: Arc<Geo>) -> Router {
    Router::new().route("/api/v1/networks", get(networks)).with_state(geo)
}

/// Names by number; a number that no database knows has none.
async fn networks(State(geo): State<Arc<Geo>>, uri: Uri) -> Result<Json<BTreeMap<u32, String>>, Problem> {
    let NetworksParameters { asn } = parameters::read(&uri)?;
    let numbers = asn.split(',').map(|text| {
        let digits = text.strip_prefix("AS").unwrap_or(text);
        let number = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        number.ok_or_else(|| {
            parameters::bad("asn", &format!("`{text}` is no number of an autonomous system, such as 174"))
        })
    });
    let numbers: Vec<u32> = numbers.take(MOST + 1).collect::<Result<_, _>>()?;
    if numbers.len() > MOST {
        return Err(parameters::bad("asn", &format!("ask for {MOST} numbers at most at once")));
    }
    let tables = geo.tables();
    let name = |number| Some((number, tables.organisation(number)?.to_owned()));
    Ok(Json(numbers.into_iter().filter_map(name).collect()))
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        http::{Request, StatusCode},
    };
    use tower::ServiceExt;

    use super::*;
    use crate::geo::Paths;

    #[tokio::test]
    async fn what_is_no_number_is_refused() {
        let router = router(Arc::new(Geo::open(Paths::default()).unwrap()));
        let ask = async |query: &str| {
            let request = Request::get(format!("/api/v1/networks{query}")).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap().status()
        };
        assert_eq!(ask("?asn=174,AS3356").await, StatusCode::OK);
        let many = format!("?asn={}", vec!["1"; MOST + 1].join(","));
        for bad in ["", "?asn=", "?asn=x", "?asn=%2B1", "?asn=4294967296", "?asn=1&asn=2", "?as=1", &many] {
            assert_eq!(ask(bad).await, StatusCode::BAD_REQUEST, "{bad}");
        }
    }
}
