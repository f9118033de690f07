//! Reports as pages, in a browser: whole, legible, silent, and the same on paper.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use teiten_tests::{
    chromium::{Browser, Media, Page},
    scratch::Scratch,
    skip,
};

#[path = "pages/sample.rs"]
mod sample;

/// Widths of a desk's, a tablet's and a telephone's screen.
const WIDTHS: [u32; 3] = [1440, 768, 360];

/// What A4 leaves between the margins, in CSS pixels (96 to an inch).
const PAPER: (u32, u32) = (680, 994);

/// Calls one of the checks; what it complains about.
fn complaints(page: &Page<'_>, check: &str) -> Vec<String> {
    let checks = include_str!("pages/checks.js");
    let faults = page.evaluate(&format!("({checks}).{check}"));
    let faults = faults.as_array().unwrap_or_else(|| panic!("{check}: {faults}"));
    faults.iter().map(|fault| fault.as_str().unwrap().to_owned()).collect()
}

fn clean(page: &Page<'_>, check: &str, where_: &str) {
    let faults = complaints(page, check);
    assert!(faults.is_empty(), "{where_}: {check}:\n{}", faults.join("\n"));
}

/// All that must be so of a report's page.
fn check(browser: &Browser, file: &Path, lang: &str, charts: usize) {
    let page = browser.page();
    page.open_file(file);
    let file = file.file_name().unwrap().to_str().unwrap();
    assert_eq!(page.evaluate("document.documentElement.lang"), lang);
    assert_eq!(page.evaluate("document.querySelectorAll('figure.chart').length"), charts);
    assert_eq!(page.evaluate("document.scripts.length"), 0);

    for width in WIDTHS {
        page.resize(width, 800);
        for is_dark in [false, true] {
            page.media(Media { is_print: false, is_dark });
            let place = format!("{file} at {width} px, dark: {is_dark}");
            clean(&page, "structure()", &place);
            clean(&page, "charts()", &place);
            clean(&page, "labels(9.5)", &place);
            clean(&page, "width()", &place);
            clean(&page, "contrast()", &place);
        }
    }
    // The figures in their tables, which are closed at first.
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })");
    clean(&page, "width()", &format!("{file} with all figures"));
    clean(&page, "contrast()", &format!("{file} with all figures"));

    let (width, height) = PAPER;
    page.resize(width, height);
    for is_dark in [false, true] {
        page.media(Media { is_print: true, is_dark });
        let place = format!("{file} on paper, dark: {is_dark}");
        clean(&page, &format!("print({height})"), &place);
        clean(&page, "charts()", &place);
        clean(&page, "labels(8)", &place);
        clean(&page, "width()", &place);
        clean(&page, "contrast()", &place);
    }
    page.media(Media::default());
    let pdf = page.pdf();
    assert!(pdf.starts_with(b"%PDF-"));

    assert_eq!(page.messages(), [""; 0], "{file}");
    assert_eq!(page.requests().len(), 1, "{file}: {:?}", page.requests());
}

/// Writes a page into a directory.
fn written(scratch: &Scratch, name: &str, page: &teiten::report::page::Page) -> PathBuf {
    let mut html = Vec::new();
    teiten::report::html::write(page, &mut html).unwrap();
    scratch.write(name, html)
}

#[test]
fn a_report_is_whole_and_legible_everywhere() {
    let Some(browser) = Browser::start() else { return };
    let scratch = Scratch::new();
    for lang in ["en", "ja"] {
        let file = written(&scratch, &format!("{lang}.html"), &sample::page(lang));
        check(&browser, &file, lang, 3);
    }
}

#[test]
fn hard_charts_are_drawn() {
    let Some(browser) = Browser::start() else { return };
    let scratch = Scratch::new();
    let charts = sample::charts();
    let file = written(&scratch, "charts.html", &charts);
    let page = browser.page();
    page.open_file(&file);
    for width in WIDTHS {
        page.resize(width, 800);
        let place = format!("charts at {width} px");
        clean(&page, "structure()", &place);
        clean(&page, "labels(9.5)", &place);
        clean(&page, "width()", &place);
    }
    assert_eq!(page.messages(), [""; 0]);
}

#[test]
fn the_checks_find_what_is_wrong() {
    let Some(browser) = Browser::start() else { return };
    let scratch = Scratch::new();
    let file = scratch.write(
        "bad.html",
        "<!doctype html><title>Bad</title><h1>One</h1><h3>Three</h3>\
         <p style='color:#999;width:50rem'>faint and wide</p>\
         <table><tr><th>no scope</table>\
         <figure class=chart id=c><svg class=chart width=200 height=50><text y=20>one</text>\
         <text x=3 y=22>two</text></svg></figure>\
         <img src=http://example.org/x.png><script>console.log('said'); throw new Error('thrown')</script>",
    );
    let page = browser.page();
    page.resize(360, 800);
    page.refuse(&["http*"]);
    page.open_file(&file);
    let found = |check: &str, wanted: &[&str]| {
        let faults = complaints(&page, check).join("\n");
        assert!(wanted.iter().all(|text| faults.contains(text)), "{check}: {faults}");
    };
    page.evaluate("document.querySelector('table').createTHead().insertRow()");
    found(
        "structure()",
        &["no language", "Three comes after level 1", "no caption", "no scope", "no link past"],
    );
    found("charts()", &["no title", "no desc"]);
    found("labels(20)", &["one is 16.0 px", "one over"]);
    found("width()", &["the page is", "faint and wide sticks out"]);
    found("contrast()", &["faint and wide: 2.85"]);
    found("print(10)", &["may be cut", "is higher than a page"]);
    let messages = page.messages().join("\n");
    assert!(messages.contains("said") && messages.contains("thrown"), "{messages}");
    assert_eq!(page.requests()[1..], ["http://example.org/x.png"]);
    let failures = page.failures();
    assert!(failures.iter().all(|text| text.starts_with("net::ERR_BLOCKED_BY_CLIENT")), "{failures:?}");
    assert_eq!(failures.len(), 1);

    page.reload();
    assert_eq!(page.requests().len(), 2);
    page.wait_until("document.images.length === 1");
    assert!(page.screenshot().starts_with(b"\x89PNG"));
}

/// Reads HTML by the rules of the standard, without forgiveness; gives what is wrong.
const STRICT: &str = "import html5lib, json, sys\n\
                      parser = html5lib.HTMLParser()\n\
                      parser.parse(open(sys.argv[1], 'rb'))\n\
                      print(json.dumps([[str(at), code, str(words)] for at, code, words in parser.errors]))";

/// What is wrong with a file's HTML, by an independent parser.
fn faults(python: &Path, file: &Path) -> Vec<Value> {
    let output = Command::new(python)
        .args(["-c", STRICT])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn pages_are_valid_html() {
    let Some(python) = env::var_os("TEITEN_PYTHON") else {
        return skip(
            "there is no Python with html5lib: run cargo xtask setup --only tests, and tests by cargo xtask test",
        );
    };
    let scratch = Scratch::new();
    let bad = scratch.write("bad.html", "<!doctype html><title>Bad</title><p><b>one</p></div>");
    assert!(!faults(python.as_ref(), &bad).is_empty());
    for (name, page) in [("en", sample::page("en")), ("ja", sample::page("ja")), ("charts", sample::charts())]
    {
        let file = written(&scratch, name, &page);
        assert_eq!(faults(python.as_ref(), &file), Vec::<Value>::new(), "{name}");
    }
}
