//! Live counts whose numbers are known.

use serde_json::{Value, json};

use crate::serve::live::Snapshot;

/// What the API sends, in the form of a value, to be changed.
pub fn value() -> Value {
    let counts = |times: u64| {
        json!({
            "frames": 1_500 * times, "packets": 1_234 * times, "non_ip": 17 * times, "malformed": 12 * times,
            "unwatched": 13 * times, "local": 6 * times, "lost": 0, "uncounted": 0, "mismatches": 0,
            "bytes": 60_000 * times, "scan": 1_000 * times, "backscatter": 200 * times, "other": 34 * times,
            "undetermined": 0
        })
    };
    let mut hour = counts(10);
    hour["from"] = json!("2026-11-23T20:01:00Z");
    hour["seconds"] = json!(788.0);
    let slots = [1_795_464_000_i64, 1_795_464_300, 1_795_464_600];
    json!({
        "time": "2026-11-23T20:14:08Z", "start": "2026-11-23T20:13:58Z", "seconds": 10.0,
        "since": "2026-11-23T18:00:00Z",
        "interval": counts(1), "hour": hour, "total": counts(1_000),
        "series": {
            "start": [1_795_464_818.0, 1_795_464_828.0, 1_795_464_838.0],
            "seconds": [10.0, 10.0, 10.0],
            "scan": [100, 200, 1_000], "backscatter": [0, 100, 200], "other": [0, 0, 34]
        },
        "services": [
            {"service": "23/tcp", "interval": 500, "hour": 5_000, "total": 400_000, "series": [600, 2_400, 2_000]},
            {"service": "445/tcp", "interval": 300, "hour": 2_000, "total": 300_000, "series": [0, 500, 1_500]},
            {"service": "8/icmp", "interval": 20, "hour": 1_900, "total": 100_000, "series": [0, 1_900, 0]},
            {"service": "1433/tcp", "interval": 180, "hour": 1_100, "total": 200_000, "series": [100, 500, 500]}
        ],
        "regions": [
            {"region": "NL", "interval": 600, "hour": 6_000, "total": 500_000, "sources": 321, "series": [1, 2, 3]},
            {"region": "unknown", "interval": 1, "hour": 2_500, "total": 9, "sources": 3, "series": [0, 0, 9]},
            {"region": "CN", "interval": 300, "hour": 1_500, "total": 400_000, "sources": 99, "series": [3, 2, 1]}
        ],
        "tools": [
            {"tool": "none", "interval": 700, "hour": 7_000, "total": 700_000},
            {"tool": "mirai", "interval": 300, "hour": 3_000, "total": 300_000}
        ],
        "backscatter": [{"service": "80/tcp", "interval": 150, "hour": 1_500, "total": 150_000}],
        "sensors": [
            {"sensor": "west", "interval": 1_000, "hour": 10_000, "total": 1_000_000, "scan": 900_000,
             "backscatter": 90_000, "other": 10_000},
            {"sensor": "east", "interval": 234, "hour": 2_340, "total": 234_000, "scan": 100_000,
             "backscatter": 110_000, "other": 24_000}
        ],
        "interfaces": [
            {"interface": "eth1", "mode": "native", "up": true, "received": 2_000_000, "dropped": 0},
            {"interface": "eth2", "mode": "generic", "up": true, "received": null, "dropped": null}
        ],
        "slots": {"start": slots},
        "store": {"trouble": null, "since": null, "kept_until": "2026-11-23T20:14:08Z", "fold_failing": false},
        "messages": []
    })
}

/// The same as a snapshot.
pub fn snapshot() -> Snapshot {
    of(value())
}

/// The snapshot of a value.
pub fn of(value: Value) -> Snapshot {
    serde_json::from_value(value).unwrap()
}
