//! What a store answers: questions, periods, the quality of data, findings and reports.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `parameters` | the parameters of requests |
//! | `pool` | the threads that answer, and what a question may take |
//! | `query` | packets by dimensions, compared with the period before; the quality of data |
//! | `reports` | reports and findings, made once and kept for a while |
//! | `files` | files that users keep, read again when they change |
//! | [`names`] | names of regions and services, which want no store |
//! | [`status`] | what a store says of itself |
//!
//! Every question opens the store anew, so that a store that appears, or takes the place of another one, is there with
//! the next question.

mod files;
pub mod names;
pub mod parameters;
mod pool;
pub mod query;
pub mod reports;
pub mod status;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::Timestamp;
use log::debug;
use tokio::time::timeout;

use self::{
    files::Watched,
    parameters::{
        FindingsParameters, PeriodParameters, QualityParameters, QueryParameters, ReportParameters,
        TablesParameters,
    },
    pool::{Pool, Stop},
    reports::Reports,
    status::StoreStatus,
};
use super::problem::Problem;
use crate::{
    model::Region,
    report::{
        make::{Files, FilesError},
        names::{Names, NamesError},
    },
    store::{Reader, StoreError, query::QueryError},
};

pub use self::pool::Limits;

/// Where answers come from.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The store, which need not be there yet.
    pub store: PathBuf,
    /// Region whose rank is told with every finding, unless a request names another one.
    pub home: Option<Region>,
    /// Files that users keep.
    pub files: Files,
    /// File of names that replace those of regions and services.
    pub names: Option<PathBuf>,
    /// Directory of frozen reports; `None`: beside the store.
    pub frozen: Option<PathBuf>,
    pub limits: Limits,
    /// How long a report is given of what goes on, although the store has gone on as well.
    pub fresh: Fresh,
}

/// How long a report of what goes on is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fresh(pub Duration);

impl Default for Fresh {
    fn default() -> Self {
        Self(Duration::from_secs(60))
    }
}

/// Why nothing can be answered.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Names(#[from] NamesError),
    #[error("cannot start the threads that answer questions to the store")]
    Threads(#[source] io::Error),
}

/// A store that answers.
pub struct History {
    store: PathBuf,
    home: Option<Region>,
    frozen: Option<PathBuf>,
    names: Arc<Names>,
    files: Arc<Watched>,
    pool: Pool,
    reports: Arc<Reports>,
}

impl History {
    /// Reads the files, and starts the threads that answer.
    ///
    /// # Errors
    ///
    /// If a file cannot be used, or there are no threads.
    pub fn new(options: Options) -> Result<Self, HistoryError> {
        Ok(Self {
            files: Arc::new(Watched::new(options.files)?),
            names: Arc::new(Names::new(options.names.as_deref())?),
            pool: Pool::new(options.limits).map_err(HistoryError::Threads)?,
            reports: Arc::new(Reports::new(options.fresh.0)),
            store: options.store,
            home: options.home,
            frozen: options.frozen,
        })
    }

    /// What the store says of itself.
    ///
    /// # Errors
    ///
    /// If it is not there or cannot be read, or does not say so soon.
    pub async fn status(&self) -> Result<StoreStatus, Problem> {
        let asking = self.ask(|reader| status::status(reader, now()));
        let slow = |_| {
            let said = format!("the store did not answer within {} seconds", STATUS_WITHIN.as_secs());
            Problem::unavailable("busy", said, 5)
        };
        timeout(STATUS_WITHIN, asking).await.map_err(slow)?
    }

    /// Asks the store on one of the threads.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let store = self.store.clone();
        self.pool.ask(move |stop| ask(&open(&store, stop)?)).await
    }
}

/// Opens a store for a question that may have to stop.
fn open(store: &std::path::Path, stop: &Arc<Stop>) -> Result<Reader, Problem> {
    let mut reader = Reader::open(store).map_err(no_store)?;
    let stop = Arc::clone(stop);
    reader.stop_when(move || stop.is_over()).map_err(no_store)?;
    Ok(reader)
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

/// How long to wait for what a store says of itself: the rest of the status is known without it.
const STATUS_WITHIN: Duration = Duration::from_secs(5);
/// Seconds after which a store that cannot be read may be readable.
const LATER: u32 = 30;

/// Why a store cannot be read.
fn no_store(error: StoreError) -> Problem {
    match error {
        StoreError::Missing(_) => Problem::new(StatusCode::NOT_FOUND, "no store", error.to_string()),
        error => unreadable(&error.into()),
    }
}

/// 503: something that is read for an answer cannot be read.
fn unreadable(error: &anyhow::Error) -> Problem {
    let said = format!("{error:#}");
    // Whoever asks is told, and could fill a log.
    debug!("a question to the store has no answer: {said}");
    Problem::unavailable("not readable", said, LATER)
}

/// Why a question has no answer.
fn no_answer(error: QueryError) -> Problem {
    let parameter = match &error {
        QueryError::Period | QueryError::Long => "period",
        QueryError::NotKept { .. } | QueryError::Source | QueryError::Twice(_) | QueryError::Many(_) => "by",
        QueryError::NoSensor { .. } => "where",
        QueryError::Time => "compare",
        QueryError::Bin(_) => "step",
        QueryError::Sqlite(_) | QueryError::Restless => return unreadable(&error.into()),
    };
    parameters::bad(parameter, &error.to_string())
}

/// An answer as it is sent.
struct Answer {
    content_type: &'static str,
    /// Name of the file, of answers that are to be kept.
    file: Option<String>,
    bytes: Vec<u8>,
}

impl Answer {
    fn json(bytes: Vec<u8>) -> Self {
        Self { content_type: "application/json", file: None, bytes }
    }

    /// A file of comma-separated values.
    fn csv(name: &str, bytes: Vec<u8>) -> Self {
        let content_type = "text/csv; charset=utf-8; header=present";
        Self { content_type, file: Some(format!("{name}.csv")), bytes }
    }

    fn of(value: &impl serde::Serialize) -> Result<Self, Problem> {
        serde_json::to_vec(value).map(Self::json).map_err(|error| unreadable(&error.into()))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.bytes));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(file) = self.file {
            // Of a name's characters only those that need no quoting, in any file system.
            let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.+".contains(c) { c } else { '-' };
            let name: String = file.chars().map(plain).collect();
            if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
                headers.insert(header::CONTENT_DISPOSITION, value);
            }
        }
        response
    }
}

/// The routes of everything that wants a store.
pub fn router(history: Arc<History>) -> Router {
    Router::new()
        .route("/api/v1/query", get(query))
        .route("/api/v1/period", get(period))
        .route("/api/v1/quality", get(quality))
        .route("/api/v1/findings", get(findings))
        .route("/api/v1/report", get(report))
        .route("/api/v1/report/tables", get(tables))
        .with_state(history)
}

type Asked = State<Arc<History>>;

async fn query(State(history): Asked, uri: Uri) -> Result<Answer, Problem> {
    let parameters: QueryParameters = parameters::read(&uri)?;
    history.ask(move |reader| query::query(reader, &parameters, now())).await
}

async fn period(State(history): Asked, uri: Uri) -> Result<Answer, Problem> {
    let parameters: PeriodParameters = parameters::read(&uri)?;
    history.ask(move |reader| query::period(reader, &parameters, now())).await
}

async fn quality(State(history): Asked, uri: Uri) -> Result<Answer, Problem> {
    let parameters: QualityParameters = parameters::read(&uri)?;
    history.ask(move |reader| query::quality(reader, &parameters, now())).await
}

async fn findings(State(history): Asked, uri: Uri) -> Result<Answer, Problem> {
    let parameters: FindingsParameters = parameters::read(&uri)?;
    reports::findings(&history, parameters).await
}

async fn report(State(history): Asked, uri: Uri) -> Result<Response, Problem> {
    let parameters: ReportParameters = parameters::read(&uri)?;
    reports::report(&history, parameters).await
}

async fn tables(State(history): Asked, uri: Uri) -> Result<Answer, Problem> {
    let parameters: TablesParameters = parameters::read(&uri)?;
    reports::tables(&history, parameters).await
}
