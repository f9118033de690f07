//! The document of the API, OpenAPI 3.1: made from the types that read parameters and write answers.
//!
//! Every operation is an entry of [`OPERATIONS`]. A copy of the document stands in `docs/openapi.json`.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    Router,
    http::{HeaderValue, header},
    response::IntoResponse,
    routing::get,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    auth::Credentials,
    history::{
        parameters::{
            FindingsParameters, NamesParameters, PeriodParameters, QualityParameters, QueryParameters,
            ReportParameters, TablesParameters,
        },
        query::{PeriodAnswer, QualityAnswer, QueryAnswer},
        reports::{FindingsAnswer, TablesAnswer},
    },
    live::Snapshot,
    networks::NetworksParameters,
    problem::Problem,
    status::Status,
};
use crate::report::{compose::NameLists, json::Document};

/// Where the document is.
pub const PATH: &str = "/api/v1/openapi.json";

const JSON: &str = "application/json";
const CSV: &str = "text/csv";
/// What every answer of the API may be instead: the token is missing, the host is another one.
const REFUSED: [u16; 2] = [401, 421];
/// What every path may answer.
const ANYWHERE: u16 = 405;

/// Something that can be asked for.
pub struct Operation {
    pub path: &'static str,
    /// `get`, `post` or `delete`.
    pub method: &'static str,
    /// Its name in clients that are made from the document.
    pub id: &'static str,
    /// In a few words.
    pub summary: &'static str,
    pub description: &'static str,
    /// Parameters of the query; see [`parameters`].
    pub parameters: fn() -> Vec<Value>,
    /// The JSON that a request brings; see [`schema`].
    pub body: Option<Of>,
    pub answers: &'static [Answer],
    /// Statuses of problems beside those that every request may have.
    pub problems: &'static [u16],
    /// Whether it wants no token.
    pub is_public: bool,
}

/// What comes back.
pub struct Answer {
    pub status: u16,
    pub description: &'static str,
    /// Media types with their schemas; see [`schema`].
    pub content: &'static [(&'static str, Of)],
}

/// Makes the schema of a type.
pub type Of = fn(&mut SchemaGenerator) -> Schema;

/// All that can be asked for.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/api/v1/status",
        method: "get",
        id: "status",
        summary: "What is served",
        description: "The agent, its sensors, its databases, its store.",
        parameters: no_parameters,
        body: None,
        answers: &[Answer { status: 200, description: "The status.", content: &[(JSON, schema::<Status>)] }],
        problems: &[],
        is_public: false,
    },
    Operation {
        path: "/api/v1/live",
        method: "get",
        id: "live",
        summary: "What is counted now",
        description: "Counts of the last interval, of the last hour, and since the agent started, as of the end of the \
                      interval. 404 where no agent runs.",
        parameters: no_parameters,
        body: None,
        answers: &[Answer {
            status: 200,
            description: "The counts.",
            content: &[(JSON, schema::<Snapshot>)],
        }],
        problems: &[404, 503],
        is_public: false,
    },
    Operation {
        path: "/api/v1/live/stream",
        method: "get",
        id: "stream",
        summary: "What is counted, as it comes",
        description: "Server-sent events of type `live`, one at once and one at the end of every interval. The data of \
                      each is what `/api/v1/live` gives.",
        parameters: no_parameters,
        body: None,
        answers: &[Answer {
            status: 200,
            description: "The events.",
            content: &[("text/event-stream", schema::<String>)],
        }],
        problems: &[404, 503],
        is_public: false,
    },
    Operation {
        path: "/api/v1/query",
        method: "get",
        id: "query",
        summary: "Packets by dimensions",
        description: "Packets, sources, shares and rates of a period by dimensions, as `teiten query` tells them; with \
                      `compare` beside those of the period before. At most 10,000 rows are given, of each step of \
                      dimension `time` 10,000 divided by the number of steps.",
        parameters: parameters::<QueryParameters>,
        body: None,
        answers: &[Answer {
            status: 200,
            description: "The rows, by time where that is asked for, then the first by rank.",
            content: &[(JSON, schema::<QueryAnswer<'static>>), (CSV, schema::<String>)],
        }],
        problems: OF_STORE,
        is_public: false,
    },
    Operation {
        path: "/api/v1/period",
        method: "get",
        id: "period",
        summary: "A period and its neighbours",
        description: "When a period begins and ends, and the ones of the same kind just before and after it.",
        parameters: parameters::<PeriodParameters>,
        body: None,
        answers: &[Answer {
            status: 200,
            description: "The period.",
            content: &[(JSON, schema::<PeriodAnswer>)],
        }],
        problems: OF_STORE,
        is_public: false,
    },
    Operation {
        path: "/api/v1/quality",
        method: "get",
        id: "quality",
        summary: "How complete the data are",
        description: "A row for each hour or day of which anything is kept, as `teiten query --quality` tells them. \
                      Hours and days without a row were not observed.",
        parameters: parameters::<QualityParameters>,
        body: None,
        answers: &[Answer {
            status: 200,
            description: "The rows, by time.",
            content: &[(JSON, schema::<QualityAnswer>), (CSV, schema::<String>)],
        }],
        problems: OF_STORE,
        is_public: false,
    },
    Operation {
        path: "/api/v1/findings",
        method: "get",
        id: "findings",
        summary: "What happened",
        description: "What the report of a period found, with all that is known (profile `internal`): surges, falls, \
                      silences, blindness, newcomers; and advisories. The first answer takes as long as the report.",
        parameters: parameters::<FindingsParameters>,
        body: None,
        answers: &[Answer {
            status: 200,
            description: "The findings, the heaviest first.",
            content: &[(JSON, schema::<FindingsAnswer>)],
        }],
        problems: OF_STORE,
        is_public: false,
    },
    Operation {
        path: "/api/v1/report",
        method: "get",
        id: "report",
        summary: "The report of a period",
        description: "The report, as `teiten report` writes it. One is made at a time, and kept as long as the store \
                      says the same; of a period that is not over for a minute.",
        parameters: parameters::<ReportParameters>,
        body: None,
        answers: &[Answer {
            status: 200,
            description: "The report.",
            content: &[
                ("text/html", schema::<String>),
                ("text/markdown", schema::<String>),
                (JSON, schema::<Document<'static>>),
                (CSV, schema::<String>),
            ],
        }],
        problems: OF_STORE,
        is_public: false,
    },
    Operation {
        path: "/api/v1/report/tables",
        method: "get",
        id: "tables",
        summary: "The tables of a report",
        description: "Names and captions of the tables that the report of a period has, each to be had as CSV. They \
                      hang on what was observed: tables of groups and sensors stand there where there are several.",
        parameters: parameters::<TablesParameters>,
        body: None,
        answers: &[Answer {
            status: 200,
            description: "The tables, in the report's order.",
            content: &[(JSON, schema::<TablesAnswer>)],
        }],
        problems: OF_STORE,
        is_public: false,
    },
    Operation {
        path: "/api/v1/names",
        method: "get",
        id: "names",
        summary: "Names of regions and services",
        description: "In a language. Has an ETag.",
        parameters: parameters::<NamesParameters>,
        body: None,
        answers: &[
            Answer { status: 200, description: "The names.", content: &[(JSON, schema::<NameLists>)] },
            Answer { status: 304, description: "They are those of `If-None-Match`.", content: &[] },
        ],
        problems: &[400],
        is_public: false,
    },
    Operation {
        path: "/api/v1/networks",
        method: "get",
        id: "networks",
        summary: "Names of autonomous systems",
        description: "By the databases in use.",
        parameters: parameters::<NetworksParameters>,
        body: None,
        answers: &[Answer {
            status: 200,
            description: "Names by number; what no database knows is not among them.",
            content: &[(JSON, schema::<BTreeMap<u32, String>>)],
        }],
        problems: &[400],
        is_public: false,
    },
    Operation {
        path: "/api/v1/session",
        method: "post",
        id: "begin_session",
        summary: "Begins a session",
        description: "Gives a cookie for the token, which pages then need not know.",
        parameters: no_parameters,
        body: Some(schema::<Credentials>),
        answers: &[Answer {
            status: 204,
            description: "The cookie, where the server has a token.",
            content: &[],
        }],
        problems: &[400, 401, 413, 415],
        is_public: true,
    },
    Operation {
        path: "/api/v1/session",
        method: "delete",
        id: "end_session",
        summary: "Ends a session",
        description: "Takes the cookie back.",
        parameters: no_parameters,
        body: None,
        answers: &[Answer { status: 204, description: "It is gone.", content: &[] }],
        problems: &[],
        is_public: true,
    },
    Operation {
        path: "/metrics",
        method: "get",
        id: "metrics",
        summary: "Metrics for Prometheus",
        description: "As OpenMetrics where that is accepted. Only where an agent runs; elsewhere there is a page with \
                      status 404.",
        parameters: no_parameters,
        body: None,
        answers: &[
            Answer {
                status: 200,
                description: "The metrics.",
                content: &[
                    ("text/plain", schema::<String>),
                    ("application/openmetrics-text", schema::<String>),
                ],
            },
            Answer {
                status: 404,
                description: "No agent runs.",
                content: &[("text/html", schema::<String>)],
            },
        ],
        problems: &[],
        is_public: false,
    },
    Operation {
        path: "/health",
        method: "get",
        id: "health",
        summary: "Whether the server answers",
        description: "Says nothing of what is counted.",
        parameters: no_parameters,
        body: None,
        answers: &[Answer {
            status: 200,
            description: "`ok`.",
            content: &[("text/plain", schema::<String>)],
        }],
        problems: &[],
        is_public: true,
    },
    Operation {
        path: PATH,
        method: "get",
        id: "openapi",
        summary: "This document",
        description: "OpenAPI 3.1.",
        parameters: no_parameters,
        body: None,
        answers: &[Answer {
            status: 200,
            description: "The document.",
            content: &[(JSON, schema::<Map<String, Value>>)],
        }],
        problems: &[],
        is_public: true,
    },
];

/// Problems of what is asked of the store: a bad parameter, no store, no time for it.
const OF_STORE: &[u16] = &[400, 404, 503];

/// The schema of a type.
pub fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// No parameters.
pub const fn no_parameters() -> Vec<Value> {
    Vec::new()
}

/// The parameters of a query, from the type that reads them.
pub fn parameters<T: JsonSchema>() -> Vec<Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut generator = settings.for_deserialize().into_generator();
    let mut object = T::json_schema(&mut generator).to_value();
    let required = object["required"].take();
    let is_required =
        |name: &str| required.as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let properties = object["properties"].take();
    let Value::Object(properties) = properties else { return Vec::new() };
    let parameter = |(name, mut schema): (String, Value)| {
        without_null(&mut schema);
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let mut parameter = json!({ "name": name, "in": "query", "required": is_required(&name) });
        if let Some(description) = description {
            parameter["description"] = description;
        }
        if schema["type"] == "array" {
            // Separated by commas.
            parameter["style"] = "form".into();
            parameter["explode"] = false.into();
        }
        parameter["schema"] = schema;
        parameter
    };
    properties.into_iter().map(parameter).collect()
}

/// What may be left out has no value null in a query.
fn without_null(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [kind] = types.as_slice() {
            let kind = kind.clone();
            object.insert("type".into(), kind);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(any)) = object.get_mut("anyOf") {
        any.retain(|schema| schema["type"] != "null");
        if let [Value::Object(only)] = any.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
}

/// The document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.definitions_path = "/components/schemas".into();
    });
    let mut generator = settings.for_serialize().into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let written = written(operation, &mut generator);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = written;
    }
    let problems = PROBLEMS.map(|(status, description)| {
        let mut answer = json!({
            "description": description,
            "content": { "application/problem+json": { "schema": problem } },
        });
        if status == 503 {
            let schema = json!({ "type": "integer", "minimum": 0 });
            answer["headers"] = json!({ "Retry-After": {
                "description": "Seconds after which to ask again.", "schema": schema,
            } });
        }
        (status.to_string(), answer)
    });
    let problems: Map<String, Value> = problems.into_iter().collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Teiten",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What a sensor of Internet background traffic counts and keeps. Times are RFC 3339; those \
                            about the store have the offset of its time zone. A service is written `23/tcp` or \
                            `8/icmp`.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": problems,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "Where the server has a token." },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "teiten_session",
                    "description": "What `POST /api/v1/session` gives for the token.",
                },
            },
        },
        "security": [{ "token": [] }, { "session": [] }, {}],
    })
}

/// What may be wrong with a request.
const PROBLEMS: [(u16, &str); 8] = [
    (400, "A parameter cannot be used; `parameter` names it."),
    (401, "The token is missing or wrong."),
    (404, "There is no store, or no agent whose counts could be told."),
    (405, "The path has no such method; `Allow` says which it has."),
    (413, "The body is too large."),
    (415, "The body is no JSON."),
    (421, "The host is another one than this server's."),
    (503, "Not now: too many ask, the answer takes too long, or the store cannot be read."),
];

fn written(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    for Answer { status, description, content } in operation.answers {
        let mut answer = json!({ "description": description });
        for (media, of) in *content {
            answer["content"][media] = json!({ "schema": of(generator) });
        }
        responses.insert(status.to_string(), answer);
    }
    let refused = REFUSED.iter().filter(|_| !operation.is_public);
    let mut problems: Vec<u16> =
        operation.problems.iter().chain(refused).chain([&ANYWHERE]).copied().collect();
    problems.sort_unstable();
    problems.dedup();
    for status in problems {
        let answer = json!({ "$ref": format!("#/components/responses/{status}") });
        responses.insert(status.to_string(), answer);
    }
    let mut written = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "description": operation.description,
        "responses": responses,
    });
    let parameters = (operation.parameters)();
    if !parameters.is_empty() {
        written["parameters"] = parameters.into();
    }
    if let Some(body) = operation.body {
        written["requestBody"] =
            json!({ "required": true, "content": { JSON: { "schema": body(generator) } } });
    }
    if operation.is_public {
        written["security"] = json!([]);
    }
    written
}

/// The document as it is sent, and as it stands in `docs/openapi.json`.
fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));
    &TEXT
}

/// The route of the document.
pub fn router() -> Router {
    Router::new().route(
        PATH,
        get(async || {
            let cache = HeaderValue::from_static("no-cache");
            ([(header::CONTENT_TYPE, HeaderValue::from_static(JSON)), (header::CACHE_CONTROL, cache)], text())
                .into_response()
        }),
    )
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, env, fs, path::Path};

    use super::*;

    /// With TEITEN_WRITE_SCHEMA set, the file is written anew.
    #[test]
    fn the_document_that_is_in_the_docs_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
        if env::var_os("TEITEN_WRITE_SCHEMA").is_some() {
            fs::write(&path, text()).unwrap();
        }
        let documented = fs::read_to_string(&path).unwrap();
        assert!(
            documented == text(),
            "set TEITEN_WRITE_SCHEMA and run this test, then look at the difference"
        );
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, all: &mut Vec<&'a str>) {
            match value {
                Value::Object(map) => {
                    all.extend(map.get("$ref").and_then(Value::as_str));
                    map.values().for_each(|value| references(value, all));
                }
                Value::Array(list) => list.iter().for_each(|value| references(value, all)),
                _ => {}
            }
        }
        let document = document();
        let mut all = Vec::new();
        references(&document, &mut all);
        assert!(all.len() > 20);
        for reference in all {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let ids: HashSet<&str> = OPERATIONS.iter().map(|operation| operation.id).collect();
        assert_eq!(ids.len(), OPERATIONS.len());
        let known: HashSet<u16> = PROBLEMS.iter().map(|(status, _)| *status).collect();
        for operation in OPERATIONS {
            assert!(operation.path.starts_with('/') && ["get", "post", "delete"].contains(&operation.method));
            assert!(operation.problems.iter().all(|status| known.contains(status)), "{}", operation.path);
        }
    }

    #[test]
    fn parameters_are_as_they_are_read() {
        let all = parameters::<QueryParameters>();
        let of = |name: &str| all.iter().find(|parameter| parameter["name"] == name).unwrap();
        assert_eq!(of("where")["schema"]["type"], "string");
        assert_eq!(of("by")["explode"], false);
        assert_eq!(of("by")["schema"]["default"], json!(["protocol", "dst_port"]));
        assert_eq!(of("family")["schema"]["enum"], json!(["4", "6"]));
        assert_eq!(of("top")["schema"], json!({ "type": "integer", "minimum": 1, "maximum": 10_000 }));
        assert!(of("period")["description"].as_str().unwrap().contains("2019-Q4"));
        for parameter in all.iter().chain(&parameters::<ReportParameters>()) {
            assert!(parameter["description"].is_string(), "{parameter}");
            assert!(!parameter["schema"].to_string().contains("null"), "{parameter}");
        }
        let report = parameters::<ReportParameters>();
        assert_eq!(report.iter().filter(|parameter| parameter["required"] == true).count(), 1);
    }
}
