//! Parquet files, read by another implementation: DuckDB.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use teiten_tests::{
    agent::{binary, finish},
    scratch::Scratch,
    skip,
    stored::store,
};

/// Runs SQL in DuckDB; gives the rows.
fn duckdb(python: &Path, sql: &str) -> Value {
    let program = "import duckdb, json, sys; \
                   print(json.dumps(duckdb.connect().execute(sys.argv[1]).fetchall(), default=str))";
    let output = Command::new(python)
        .args(["-c", program, sql])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn teiten(words: &[&str]) -> String {
    let mut command = Command::new(binary());
    command.args(words);
    let finished = finish(command);
    assert_eq!(finished.code(), 0, "{words:?}: {}", finished.stderr);
    finished.stderr
}

#[test]
fn another_implementation_reads_what_is_exported() {
    let Some(python) = env::var_os("TEITEN_PYTHON") else {
        return skip(
            "there is no Python with DuckDB: run cargo xtask setup --only tests, and tests by cargo xtask test",
        );
    };
    let ask = |sql: &str| duckdb(python.as_ref(), sql);
    let scratch = Scratch::new();
    let store = store(&scratch);
    let store = store.to_str().unwrap();
    let out = scratch.path("out");
    let out = out.to_str().unwrap();

    let said = teiten(&["export", "--store", store, "--level=hour", "--sketches", "-o", out]);
    assert!(said.contains("personal data"), "{said}");
    let mut names: Vec<_> = std::fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let cubes = ["port_region", "port_tool", "region_asn", "region_tool", "total"];
    assert_eq!(names, cubes.map(|cube| format!("{cube}-hour.parquet")));
    for name in &names {
        let sums = ask(&format!(
            "SELECT sum(packets)::BIGINT, count(DISTINCT start), bool_or(other) FROM '{out}/{name}'"
        ));
        assert_eq!(sums, json!([[18_000, 3, false]]), "{name}");
    }
    let file = format!("'{out}/port_region-hour.parquet'");
    assert_eq!(
        ask(&format!(
            "SELECT epoch(start)::BIGINT, seconds, class, kind, family, protocol, dst_port, victim_port, icmp_type, \
             region, sensor, packets, sources, octet_length(sketch) > 4 FROM {file} WHERE region IN ('US', 'NL') ORDER BY ALL LIMIT 2"
        )),
        json!([
            [
                1_570_114_800,
                3600,
                "backscatter",
                "synack",
                4,
                "tcp",
                null,
                80,
                null,
                "NL",
                "west",
                5000,
                4,
                true
            ],
            [1_570_114_800, 3600, "scan", "syn", 4, "tcp", 1433, null, null, "US", "west", 100, 10, true],
        ])
    );
    let types = ask(&format!("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {file})"));
    for (name, kind) in [
        ("start", "TIMESTAMP WITH TIME ZONE"),
        ("seconds", "BIGINT"),
        ("region", "VARCHAR"),
        ("dst_port", "UINTEGER"),
        ("packets", "BIGINT"),
        ("other", "BOOLEAN"),
        ("sketch", "BLOB"),
    ] {
        assert!(types.as_array().unwrap().contains(&json!([name, kind])), "{name} in {types}");
    }
    let said = ask(&format!(
        "SELECT decode(key), decode(value) FROM parquet_kv_metadata({file}) WHERE decode(key) LIKE 'teiten.%' ORDER BY 1"
    ));
    assert_eq!(
        said,
        json!([
            ["teiten.cube", "port_region"],
            ["teiten.level", "hour"],
            ["teiten.time_zone", "Asia/Tokyo"],
            ["teiten.version", env!("CARGO_PKG_VERSION")],
        ])
    );
    assert_eq!(ask(&format!("SELECT DISTINCT compression FROM parquet_metadata({file})")), json!([["ZSTD"]]));

    // Days, without sketches; the list of prefixes is there as well.
    teiten(&["export", "--store", store, "--cube=port_prefix,region_asn", "-o", out]);
    let file = format!("'{out}/port_prefix-day.parquet'");
    assert_eq!(
        ask(&format!("SELECT prefix, packets FROM {file} WHERE dst_port = 1433 ORDER BY packets DESC")),
        json!([["0.0.3.0/24", 900], ["0.0.7.0/24", 300]])
    );
    let columns = ask(&format!("SELECT column_name FROM (DESCRIBE SELECT * FROM {file})"));
    assert!(!columns.to_string().contains("sketch"), "{columns}");
    let file = format!("'{out}/region_asn-day.parquet'");
    assert_eq!(ask(&format!("SELECT asn, packets FROM {file} WHERE region = 'US'")), json!([[null, 300]]));

    // An answer.
    let answer = scratch.path("answer.parquet");
    let answer = answer.to_str().unwrap();
    teiten(&[
        "query",
        "--store",
        store,
        "--period=2019-10-04",
        "--by=time,region",
        "--format=parquet",
        "-o",
        answer,
    ]);
    assert_eq!(
        ask(&format!(
            "SELECT epoch(time)::BIGINT, region, packets, sources, round(share, 2) FROM '{answer}'"
        )),
        json!([[1_570_114_800, "CN", 2700, 71, 0.9], [1_570_114_800, "US", 300, 10, 0.1]])
    );
    let said = ask(&format!(
        "SELECT decode(value) FROM parquet_kv_metadata('{answer}') WHERE decode(key) = 'teiten.from'"
    ));
    assert_eq!(said, json!([["2019-10-04T00:00:00+09:00"]]));
}
