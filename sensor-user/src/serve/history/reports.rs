//! Reports and findings: made once, however many ask, and kept as long as the store says the same.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::{sync::watch, time::timeout};

use super::{
    Answer, History,
    files::{Stamp, Stamps},
    no_store, now, open,
    parameters::{self, FindingsParameters, PeriodName, ReportFormat, ReportParameters, TablesParameters},
    pool::{Kind, Stop, Waiting, in_time, too_long},
    unreadable,
};
use crate::{
    analysis::surge::{Direction, End},
    model::{Period, Region, Service},
    report::{
        advisories::Advisory,
        compose, csv, gather, html, json,
        make::{Known, Made, MakeError, Wanted},
        markdown,
        model::{
            AdvisoryMatch, AdvisoryService, Finding, LEAST_RANKED, Profile, RankBy, Report, Stretch, What,
        },
        names::Names,
        publish,
    },
    serve::problem::Problem,
    store::{Version, query::QueryError},
};

/// Reports that are kept.
const MOST_KEPT: usize = 16;
/// What a page of a report may do: nothing but show itself, on a page of this server.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'self'";

/// Which report is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Which {
    period: Period,
    /// Ranks that are known.
    depth: usize,
    home: Option<Region>,
    rank_by: RankBy,
}

/// All that a report hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Grounds {
    store: Version,
    files: Stamps,
    /// The frozen reports of the period and of the one before.
    frozen: [Stamp; 2],
}

impl Grounds {
    /// Whether what was made on these grounds holds on others, too. `is_fresh`: although the store has gone on.
    fn hold(&self, others: &Self, is_fresh: bool) -> bool {
        let same_files = (self.files, self.frozen) == (others.files, others.frozen);
        same_files && (is_fresh || self.store == others.store)
    }
}

struct Kept {
    which: Which,
    grounds: Grounds,
    since: Instant,
    report: Arc<Report>,
}

type Outcome = Result<Arc<Report>, Problem>;

/// A report in the making.
struct Making {
    which: Which,
    grounds: Grounds,
    outcome: watch::Receiver<Option<Outcome>>,
    /// Nobody waits any more where this is gone.
    waiting: Weak<Waiting>,
}

#[derive(Default)]
struct State {
    /// The one that was asked for last is the last.
    kept: Vec<Kept>,
    making: Vec<Making>,
}

/// Reports that were made, and those that are.
pub(super) struct Reports {
    fresh: Duration,
    state: Mutex<State>,
}

impl Reports {
    pub fn new(fresh: Duration) -> Self {
        Self { fresh, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A report that is kept. `fresh`: one of what goes on may be so old.
    fn find(&mut self, which: &Which, grounds: &Grounds, fresh: Option<Duration>) -> Option<Arc<Report>> {
        let is_good = |kept: &Kept| {
            let is_fresh = fresh.is_some_and(|fresh| kept.since.elapsed() < fresh);
            kept.which == *which && kept.grounds.hold(grounds, is_fresh)
        };
        let place = self.kept.iter().rposition(is_good)?;
        let kept = self.kept.remove(place);
        let report = Arc::clone(&kept.report);
        self.kept.push(kept);
        Some(report)
    }

    fn keep(&mut self, kept: Kept) {
        self.kept.retain(|before| before.which != kept.which);
        if self.kept.len() >= MOST_KEPT {
            self.kept.remove(0);
        }
        self.kept.push(kept);
    }
}

impl History {
    /// The report of a period with all that is known: one that is kept, one that is in the making, or a new one.
    async fn report(
        &self,
        name: &PeriodName,
        depth: usize,
        home: Option<Region>,
        rank_by: RankBy,
    ) -> Result<(Arc<Report>, Arc<Known>), Problem> {
        let now = now();
        let (name, frozen, watched) = (name.clone(), self.frozen.clone(), Arc::clone(&self.files));
        let look = move |reader: &crate::store::Reader| {
            let (files, known) = watched.now();
            let zone = reader.zone();
            let period = name.of_report(zone, now)?;
            let which = Which { period, depth, home, rank_by };
            let (first, end) = gather::reach(&period, zone);
            let store = reader.version(first, end).map_err(no_store)?;
            let wanted = which.wanted(frozen.as_deref(), now);
            let stamp = |period: &Period| Stamp::of(&wanted.path(reader, period));
            let frozen = [stamp(&period), stamp(&period.previous(zone))];
            Ok((which, Grounds { store, files, frozen }, known))
        };
        let (which, grounds, known) = self.ask(look).await?;
        let (mut outcome, waiting) = {
            let mut state = self.reports.lock();
            let fresh = (which.period.end > now).then_some(self.reports.fresh);
            if let Some(report) = state.find(&which, &grounds, fresh) {
                return Ok((report, known));
            }
            match state.joined(&which, &grounds, fresh.is_some()) {
                Some(joined) => joined,
                None => self.begin(&mut state, which, grounds, Arc::clone(&known), now)?,
            }
        };
        let made = timeout(self.pool.patience(Kind::Report), outcome.wait_for(Option::is_some)).await;
        drop(waiting);
        let made = made.map_err(|_| too_long())?.ok().and_then(|outcome| outcome.clone());
        let unexpected = || {
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "unexpected",
                "making the report ended unexpectedly; the agent's log says where, please report this",
            )
        };
        Ok((made.ok_or_else(unexpected)??, known))
    }

    /// Lets a thread make a report.
    fn begin(
        &self,
        state: &mut State,
        which: Which,
        grounds: Grounds,
        known: Arc<Known>,
        now: i64,
    ) -> Result<(watch::Receiver<Option<Outcome>>, Arc<Waiting>), Problem> {
        let stop = Arc::new(Stop::default());
        let waiting = Arc::new(Waiting(Arc::clone(&stop)));
        let (tell, outcome) = watch::channel(None);
        let making = Making {
            which: which.clone(),
            grounds: grounds.clone(),
            outcome: outcome.clone(),
            waiting: Arc::downgrade(&waiting),
        };
        let (store, frozen, reports) = (self.store.clone(), self.frozen.clone(), Arc::clone(&self.reports));
        let make = {
            let (which, stop) = (which.clone(), Arc::clone(&stop));
            move || {
                in_time(&stop, |stop| {
                    let reader = open(&store, stop)?;
                    let wanted = which.wanted(frozen.as_deref(), now);
                    wanted.make(&reader, &known).map(|Made { report, .. }| Arc::new(report)).map_err(not_made)
                })
            }
        };
        self.pool.submit(Kind::Report, stop, move |started| {
            let outcome = started.and_then(|()| make());
            let mut state = reports.lock();
            state.making.retain(|making| making.which != which || making.grounds != grounds);
            if let Ok(report) = &outcome {
                state.keep(Kept { which, grounds, since: Instant::now(), report: Arc::clone(report) });
            }
            drop(state);
            // All who waited may be gone.
            let _ = tell.send(Some(outcome));
        })?;
        // Of those that nobody waits for some were dropped unmade.
        state.making.retain(|making| making.waiting.strong_count() > 0);
        state.making.push(making);
        Ok((outcome, waiting))
    }
}

impl State {
    /// A report that is in the making, and somebody waits for. `goes_on`: its period is not over, and the store goes on.
    fn joined(
        &self,
        which: &Which,
        grounds: &Grounds,
        goes_on: bool,
    ) -> Option<(watch::Receiver<Option<Outcome>>, Arc<Waiting>)> {
        let mut making = self.making.iter();
        making
            .find(|making| making.which == *which && making.grounds.hold(grounds, goes_on))
            .and_then(|making| Some((making.outcome.clone(), making.waiting.upgrade()?)))
    }
}

impl Which {
    fn wanted<'a>(&self, frozen: Option<&'a std::path::Path>, now: i64) -> Wanted<'a> {
        Wanted {
            period: self.period,
            top: self.depth,
            home: self.home,
            sensors: &[],
            rank_by: self.rank_by,
            frozen,
            anew: false,
            now,
        }
    }
}

/// Why there is no report.
fn not_made(error: MakeError) -> Problem {
    match &error {
        MakeError::Gather { source, .. }
            if let gather::GatherError::Query(query) = &**source
                && !matches!(query, QueryError::Sqlite(_)) =>
        {
            parameters::bad("period", &query.to_string())
        }
        _ => unreadable(&error.into()),
    }
}

/// What the report of a period found.
#[derive(Serialize, JsonSchema)]
pub struct FindingsAnswer {
    /// The period.
    period: Stretch,
    /// The heaviest first.
    findings: Vec<FindingTold>,
    /// Those whose services rank or have findings; with `service`, all that concern it.
    advisories: Vec<AdvisoryMatch>,
}

/// A finding and what is told of it.
#[derive(Serialize, JsonSchema)]
struct FindingTold {
    /// Stays the same from one report to the next.
    id: String,
    kind: FindingKind,
    /// The service that it is about, if it is about one.
    service: Option<Service>,
    /// The region that it is about, if it is about one.
    region: Option<Region>,
    /// Date or time at which it began.
    onset: String,
    /// Last date of it, or the time at which it ended; null where it goes on.
    end: Option<String>,
    /// Sentences.
    text: String,
    weight: f64,
    /// All that is known, as in the report's JSON.
    what: What,
}

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum FindingKind {
    /// More packets than before
    Rise,
    /// Fewer packets than before
    Fall,
    /// A region with far fewer sources than usual
    Silence,
    /// The sensors or their upstream saw nothing
    Blind,
    /// A service that came among the first
    Newcomer,
}

impl FindingTold {
    fn new(finding: Finding, text: &mut BTreeMap<String, String>) -> Self {
        let (kind, service, region, onset, end) = match &finding.what {
            What::Surge(surge) => (
                match surge.direction {
                    Direction::Rise => FindingKind::Rise,
                    Direction::Fall => FindingKind::Fall,
                },
                surge.subject.service,
                surge.subject.region,
                surge.onset.to_string(),
                (surge.end == End::Ended).then(|| surge.last.to_string()),
            ),
            What::Silence(silence) => {
                (FindingKind::Silence, None, Some(silence.region), silence.onset.clone(), silence.end.clone())
            }
            What::Blind(blind) => {
                (FindingKind::Blind, None, None, blind.from.clone(), Some(blind.to.clone()))
            }
            What::Newcomer(newcomer) => {
                (FindingKind::Newcomer, Some(newcomer.service), None, newcomer.first.to_string(), None)
            }
        };
        Self {
            kind,
            service,
            region,
            onset,
            end,
            text: text.remove(&finding.id).unwrap_or_default(),
            id: finding.id,
            weight: finding.weight,
            what: finding.what,
        }
    }

    /// Whether it concerns a service or a region; blindness concerns all.
    fn concerns(&self, service: Option<Service>, region: Option<Region>) -> bool {
        self.kind == FindingKind::Blind
            || (service.is_none() || self.service == service) && (region.is_none() || self.region == region)
    }
}

/// Tells what the report of a period found.
pub(super) async fn findings(history: &History, asked: FindingsParameters) -> Result<Answer, Problem> {
    let home = asked.home.map_or(history.home, |home| home.0);
    let (report, known) = history.report(&asked.period, LEAST_RANKED, home, RankBy::Packets).await?;
    let names = Arc::clone(&history.names);
    let tell = move |_: &Arc<Stop>| {
        let mut text = compose::sentences(&report, asked.lang, &names);
        let told = report.findings.iter().map(|finding| FindingTold::new(finding.clone(), &mut text));
        let findings: Vec<FindingTold> =
            told.filter(|finding| finding.concerns(asked.service, asked.region)).collect();
        let advisories = advisories(&report, &known.advisories, &findings, &asked);
        Answer::of(&FindingsAnswer { period: report.period.clone(), findings, advisories })
    };
    history.pool.ask(tell).await
}

/// The advisories that concern what is asked.
fn advisories(
    report: &Report,
    known: &[Advisory],
    findings: &[FindingTold],
    asked: &FindingsParameters,
) -> Vec<AdvisoryMatch> {
    let mut matches = report.advisories.clone();
    if asked.service.is_none() && asked.region.is_none() {
        return matches;
    }
    let is_told = |id: &String| findings.iter().any(|finding| finding.id == *id);
    matches.retain(|found| {
        found.services.iter().any(|known| Some(known.service) == asked.service)
            || found.services.iter().any(|known| known.findings.iter().any(is_told))
    });
    let Some(service) = asked.service else { return matches };
    for advisory in known.iter().filter(|advisory| advisory.ports.contains(&service)) {
        if !matches.iter().any(|found| found.date == advisory.date && found.title == advisory.title) {
            matches.push(AdvisoryMatch {
                id: advisory.id.clone(),
                date: advisory.date,
                title: advisory.title.clone(),
                url: advisory.url.clone(),
                note: advisory.note.clone(),
                services: vec![AdvisoryService { service, rank: None, findings: Vec::new() }],
            });
        }
    }
    matches.sort_by(|a, b| b.date.cmp(&a.date).then_with(|| a.title.cmp(&b.title)));
    matches
}

/// The tables of a report.
#[derive(Serialize, JsonSchema)]
pub struct TablesAnswer {
    /// The period.
    period: Stretch,
    /// In the order in which they stand in the report.
    tables: Vec<TableTold>,
}

/// A table of a report.
#[derive(Serialize, JsonSchema)]
struct TableTold {
    /// What `table` of `/report` takes.
    table: String,
    caption: String,
    /// How many it has, its header aside.
    rows: usize,
}

/// Tells which tables the report of a period has.
pub(super) async fn tables(history: &History, asked: TablesParameters) -> Result<Answer, Problem> {
    let home = asked.home.map_or(history.home, |home| home.0);
    let depth = asked.top.get().max(LEAST_RANKED);
    let (report, _) = history.report(&asked.period, depth, home, asked.rank_by).await?;
    let names = Arc::clone(&history.names);
    let tell = move |_: &Arc<Stop>| {
        let report = shown(&report, asked.top.get(), asked.profile);
        let page = compose::page(&report, asked.lang, &names);
        let tables = page.tables().into_iter().map(|table| TableTold {
            table: table.id.clone(),
            caption: table.caption.clone(),
            rows: table.rows.len(),
        });
        Answer::of(&TablesAnswer { period: report.period.clone(), tables: tables.collect() })
    };
    history.pool.ask(tell).await
}

/// What a report shows of all that is known.
fn shown(report: &Report, top: usize, profile: Profile) -> Report {
    let report = Report { top, ..report.clone() };
    match profile {
        Profile::Publish => publish::published(report),
        Profile::Internal => report,
    }
}

/// Writes the report of a period.
pub(super) async fn report(history: &History, asked: ReportParameters) -> Result<Response, Problem> {
    if asked.format != ReportFormat::Csv && asked.table.is_some() {
        let said = "`table` is one of format `csv`; write format=csv as well";
        return Err(parameters::bad("table", said));
    }
    let home = asked.home.map_or(history.home, |home| home.0);
    let depth = asked.top.get().max(LEAST_RANKED);
    let (report, _) = history.report(&asked.period, depth, home, asked.rank_by).await?;
    let names = Arc::clone(&history.names);
    let (download, is_page) = (asked.download, asked.format == ReportFormat::Html);
    let answer = history.pool.ask(move |_| written(&report, &asked, &names)).await?;
    let answer = if download { answer } else { Answer { file: None, ..answer } };
    let mut response = answer.into_response();
    if is_page {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    }
    Ok(response)
}

/// A report in its format, as a file.
fn written(report: &Report, asked: &ReportParameters, names: &Names) -> Result<Answer, Problem> {
    let report = shown(report, asked.top.get(), asked.profile);
    let mut bytes = Vec::new();
    let page = || compose::page(&report, asked.lang, names);
    let (done, content_type, ending) = match asked.format {
        ReportFormat::Html => (html::write(&page(), &mut bytes), "text/html; charset=utf-8", "html"),
        ReportFormat::Md => (markdown::write(&page(), &mut bytes), "text/markdown; charset=utf-8", "md"),
        ReportFormat::Json => {
            let text = compose::sentences(&report, asked.lang, names);
            let document = json::Document { report: &report, language: asked.lang.tag(), text: &text };
            (json::write(&document, &mut bytes), "application/json", "json")
        }
        ReportFormat::Csv => {
            let page = page();
            let tables = page.tables();
            let known = || tables.iter().map(|table| table.id.as_str()).collect::<Vec<_>>().join(", ");
            let table = match &asked.table {
                None => {
                    Err(format!("a report has many tables; write table=ports, or another of {}", known()))
                }
                Some(name) => tables
                    .iter()
                    .find(|table| table.id == *name)
                    .ok_or_else(|| format!("this report has no table `{name}`; it has {}", known())),
            };
            let table = table.map_err(|said| parameters::bad("table", &said))?;
            (csv::write(table, false, &mut bytes), "text/csv; charset=utf-8; header=present", "csv")
        }
    };
    done.map_err(|error| unreadable(&error.into()))?;
    let table = asked.table.iter().map(|table| format!("-{table}")).collect::<String>();
    let file = format!("teiten-{}-{}{table}.{ending}", report.period.text, asked.lang.tag());
    Ok(Answer { content_type, file: Some(file), bytes })
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use rusqlite::Connection;

    use super::*;
    use crate::{
        serve::history::{Fresh, Options},
        store::{Place, Store},
    };

    /// A store in which nothing is, in a directory that is removed at the end.
    struct Empty(std::path::PathBuf);

    impl Empty {
        fn new(name: &str) -> Self {
            let directory = std::env::temp_dir().join(format!("teiten-{name}-{}", std::process::id()));
            fs::create_dir_all(&directory).unwrap();
            let empty = Self(directory);
            drop(Store::open(&Place::new(empty.store()), Some("Asia/Tokyo")).unwrap());
            empty
        }

        fn store(&self) -> std::path::PathBuf {
            self.0.join("teiten.db")
        }

        fn history(&self, fresh: Duration) -> History {
            let options = Options { store: self.store(), fresh: Fresh(fresh), ..Options::default() };
            History::new(options).unwrap()
        }

        /// Something that a report hangs on.
        fn change(&self) {
            let sql = "INSERT INTO sensor SELECT coalesce(max(id), 0) + 1, 'west', NULL, 'dark', NULL, '', 256, '', 0, \
                       NULL FROM sensor";
            Connection::open(self.store()).unwrap().execute(sql, []).unwrap();
        }
    }

    impl Drop for Empty {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    async fn made(history: &History, period: &str) -> Arc<Report> {
        let parameters = format!("/?period={period}").parse().unwrap();
        let asked: FindingsParameters = parameters::read(&parameters).unwrap();
        let report = history.report(&asked.period, LEAST_RANKED, None, RankBy::Packets).await;
        report.unwrap().0
    }

    #[tokio::test]
    async fn a_report_is_made_once_however_many_ask() {
        let store = Empty::new("asked-once");
        let history = store.history(Duration::ZERO);
        let (one, other) = tokio::join!(made(&history, "2019-Q4"), made(&history, "2019-Q4"));
        assert!(Arc::ptr_eq(&one, &other));
        assert!(!Arc::ptr_eq(&one, &made(&history, "2019-10-01..2019-12-31").await), "it has another name");
        assert!(Arc::ptr_eq(&one, &made(&history, "2019-Q4").await), "it is kept");
        assert!(history.reports.lock().making.is_empty());
        store.change();
        assert!(!Arc::ptr_eq(&one, &made(&history, "2019-Q4").await), "the store says something else");
        assert_eq!(history.reports.lock().kept.len(), 2);
    }

    #[tokio::test]
    async fn what_goes_on_may_be_a_little_old() {
        let store = Empty::new("asked-fresh");
        let history = store.history(Duration::from_secs(3600));
        let (over, on) = (made(&history, "yesterday").await, made(&history, "today").await);
        store.change();
        assert!(!Arc::ptr_eq(&over, &made(&history, "yesterday").await));
        assert!(Arc::ptr_eq(&on, &made(&history, "today").await));
    }

    #[tokio::test]
    async fn kept_reports_are_few() {
        let store = Empty::new("asked-many");
        let history = store.history(Duration::ZERO);
        for year in 2000..2000 + MOST_KEPT + 2 {
            made(&history, &format!("{year}-01-01")).await;
        }
        let state = history.reports.lock();
        assert_eq!(state.kept.len(), MOST_KEPT);
        assert_eq!(state.kept[0].report.period.text, "2002-01-01");
    }

    #[tokio::test]
    async fn a_frozen_report_is_the_one_that_is_given() {
        let store = Empty::new("asked-frozen");
        let history = store.history(Duration::ZERO);
        let before = made(&history, "2019-Q4").await;
        let frozen = Report { frozen: Some("2020-01-06T10:00:00+09:00".to_owned()), ..(*before).clone() };
        let path = Path::new(&format!("{}.reports", store.store().display())).join("2019-Q4.json");
        crate::report::frozen::Frozen::keep(&path, &frozen).unwrap();
        assert_eq!(made(&history, "2019-Q4").await.frozen, frozen.frozen);
        fs::remove_file(&path).unwrap();
        assert_eq!(made(&history, "2019-Q4").await.frozen, None);
    }

    #[tokio::test]
    async fn a_report_that_nobody_waits_for_is_not_made() {
        let store = Empty::new("asked-gone");
        let history = Arc::new(store.history(Duration::ZERO));
        // As if a report were in the making.
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let occupied = move |_: Result<(), Problem>| {
            let _ = wait.recv();
        };
        history.pool.submit(Kind::Report, Arc::default(), occupied).unwrap();
        let asking = Arc::clone(&history);
        let gone = tokio::spawn(async move { made(&asking, "2019-Q4").await });
        while history.reports.lock().making.is_empty() {
            tokio::task::yield_now().await;
        }
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        drop(go);
        // Who asks now gets one of their own.
        made(&history, "2019-Q4").await;
        let state = history.reports.lock();
        assert!(state.making.is_empty() && state.kept.len() == 1);
    }

    #[test]
    fn findings_concern_services_and_regions() {
        let report = crate::report::sample::sample();
        let mut text = compose::sentences(&report, crate::report::lang::Lang::En, &Names::new(None).unwrap());
        let all: Vec<FindingTold> =
            report.findings.iter().map(|finding| FindingTold::new(finding.clone(), &mut text)).collect();
        assert!(text.is_empty(), "each has its own");
        for kind in [FindingKind::Rise, FindingKind::Silence, FindingKind::Newcomer] {
            assert!(all.iter().any(|told| told.kind == kind && !told.text.is_empty()), "{kind:?}");
        }
        assert!(all.iter().all(|told| told.concerns(None, None)));
        let service = all.iter().find_map(|told| told.service).unwrap();
        let region = all.iter().find_map(|told| told.region).unwrap();
        for told in &all {
            let blind = told.kind == FindingKind::Blind;
            assert_eq!(told.concerns(Some(service), None), blind || told.service == Some(service));
            assert_eq!(told.concerns(None, Some(region)), blind || told.region == Some(region));
        }
    }
}
