//! Made-up pages: one as a quarter's report is, one of charts that are hard to draw.

use jiff::civil::date;
use teiten::{
    model::Value,
    report::page::{Block, Cell, Chart, Column, DayMark, Line, Mark, Page, Section, Table, Told, Words},
};

/// Days of October to December.
const QUARTER: usize = 92;

/// A report of a quarter, in `en` or `ja`.
pub fn page(lang: &'static str) -> Page {
    let is_japanese = lang == "ja";
    let say = |english: &str, japanese: &str| if is_japanese { japanese } else { english }.to_owned();
    let words = words(is_japanese);
    Page {
        lang,
        title: say(
            "Internet Threat Monitoring Report, October to December 2019",
            "インターネット定点観測レポート(2019年10~12月)",
        ),
        subtitle: say(
            "Packets that arrived at addresses nobody uses, and what can be learnt from them",
            "使われていないIPアドレスに届いたパケットの観測と、そこから分かること",
        ),
        alerts: vec![
            say(
                "Only 88.4 % of the period was observed: 12 days do not count, and are gaps in the charts.",
                "観測できたのは期間の88.4%です。12日分は集計に含めず、グラフでは欠測としています。",
            ),
            say(
                "3 packets are pending and not in these figures yet.",
                "3パケットは未集計で、以下の数値に含まれていません。",
            ),
        ],
        cover: [
            ("Period", "期間", "2019-10-01 – 2019-12-31", "2019年10月1日~12月31日(92日間)"),
            ("Compared with", "比較対象", "2019-07-01 – 2019-09-30", "2019年7月1日~9月30日"),
            ("Time zone", "タイムゾーン", "Asia/Tokyo (+09:00)", "Asia/Tokyo(+09:00)"),
            ("Sensors", "センサー", "5 (dark), 320 addresses", "5台(ダークネット)、320アドレス"),
            ("Observed", "観測時間", "88.4 % of the period", "期間の88.4%"),
            ("Packets", "パケット数", "11,274,310 (+8.2 %)", "11,274,310(+8.2%)"),
            (
                "Country database",
                "国データベース",
                "geo-whois-asn-country, built 2019-09-30 (registration)",
                "geo-whois-asn-country、2019年9月30日版(登録国)",
            ),
            ("Report made", "作成日時", "2020-01-15T10:00:00+09:00", "2020-01-15T10:00:00+09:00"),
        ]
        .map(|(label, etiket, value, atai)| (say(label, etiket), say(value, atai)))
        .into(),
        summary: vec![
            say(
                "Each watched address received 3,829 packets a day on average, 8.2 % more than in the quarter before.",
                "監視アドレス1つあたり1日平均3,829パケットを観測し、前四半期から8.2%増加しました。",
            ),
            say(
                "23/TCP (telnet) was again the most frequent destination port; 1433/TCP (ms-sql-s) came to rank 3 from outside the top 10.",
                "宛先ポートの1位は引き続き23/TCP(telnet)でした。1433/TCP(ms-sql-s)がTOP10圏外から3位に上昇しました。",
            ),
        ],
        note: Some(say(
            "A quarter of **database servers**.",
            "**データベースサーバー**が目立った四半期でした。",
        )),
        sections: sections(is_japanese, &say),
        footer: vec![
            say(
                "Made by Teiten 0.1.0 from counts in its store; every figure can be made again by the same command.",
                "Teiten 0.1.0が観測データから作成しました。同じコマンドで全ての数値を再現できます。",
            ),
            say(
                "Service names are IANA's: a port's name does not prove the protocol. See https://www.iana.org/assignments/service-names-port-numbers.",
                "サービス名はIANAの登録名であり、実際のプロトコルを示すとは限りません。https://www.iana.org/assignments/service-names-port-numbers をご参照ください。",
            ),
        ],
        words,
    }
}

fn words(is_japanese: bool) -> Words {
    let say = |english: &str, japanese: &str| if is_japanese { japanese } else { english }.to_owned();
    Words {
        contents: say("Contents", "目次"),
        analyst: say("Analyst's note", "アナリストのコメント"),
        summary: say("Summary", "概要"),
        chart_data: say("Figures of this chart", "グラフの数値"),
        date: say("Date", "日付"),
        not_observed: say("not observed", "欠測"),
        skip: say("Skip to the text", "本文へ移動"),
    }
}

type Say<'a> = &'a dyn Fn(&str, &str) -> String;

fn sections(is_japanese: bool, say: Say<'_>) -> Vec<Section> {
    let section = |id, heading, blocks| Section { id, heading, blocks };
    vec![
        section(
            "ports",
            say("Destination ports", "宛先ポート"),
            vec![
                Block::Paragraph(say(
                    "The five ports that most packets were sent to. Changes are on the previous period, over the sensors that watched in both.",
                    "パケット数の多い宛先ポートの上位5つです。増減は両期間に稼働していたセンサーによる前期間との比較です。",
                )),
                Block::Table(ports(say)),
                Block::Note(say(
                    "Below the ranking: 1,204 packets unattributed, 87 of unknown region.",
                    "ランキング対象外:送信元不明1,204パケット、地域不明87パケット。",
                )),
            ],
        ),
        section("regions", say("Source regions", "送信元地域"), vec![Block::Table(regions(say))]),
        section(
            "trends",
            say("Trends", "推移"),
            vec![Block::Chart(port_trend(is_japanese, say)), Block::Chart(region_trend(is_japanese, say))],
        ),
        section("phenomena", say("Notable phenomena", "注目された現象"), phenomena(is_japanese, say)),
        section(
            "quality",
            say("Quality of the data", "データの品質"),
            vec![
                Block::Heading(say("Gaps", "観測の中断")),
                Block::List(vec![
                    say(
                        "2019-11-02 09:00 – 2019-11-12 18:00 (249 hours)",
                        "2019-11-02 09:00~2019-11-12 18:00(249時間)",
                    ),
                    say(
                        "2019-12-08 00:00 – 2019-12-09 00:00 (24 hours)",
                        "2019-12-08 00:00~2019-12-09 00:00(24時間)",
                    ),
                ]),
                Block::Heading(say("Parameters", "パラメータ")),
                Block::Paragraph("surge.z = 5, surge.factor = 1.5, silence.least = 60".into()),
            ],
        ),
    ]
}

fn cell(text: impl Into<String>, mark: Mark) -> Cell {
    Cell { text: text.into(), value: Value::Null, bar: None, mark }
}

fn changed(text: &str) -> Cell {
    cell(text, if text.starts_with('+') { Mark::Rise } else { Mark::Fall })
}

fn ranking(id: &str, caption: String, subject: String, say: Say<'_>, rows: &[[String; 9]]) -> Table {
    let column = |id, heading, is_number| Column { id, heading, is_number };
    Table {
        empty: String::new(),
        id: id.into(),
        caption,
        columns: vec![
            column("rank", say("Rank", "順位"), true),
            column("subject", subject, false),
            column("packets", say("Packets", "パケット数"), true),
            column("share", say("Share", "割合"), true),
            column("change", say("Change", "増減率"), true),
            column("difference", say("Difference", "増減数"), true),
            column("previous", say("Previous rank", "前期間の順位"), true),
            column("sources", say("Unique sources", "送信元数"), true),
            column("rate", say("Per address and day", "1アドレス・1日あたり"), true),
        ],
        rows: rows
            .iter()
            .map(|[rank, subject, packets, share, change, difference, previous, sources, rate]| {
                let part =
                    share.trim_end_matches(['%', ' ']).parse::<f64>().ok().map(|percent| percent / 100.0);
                vec![
                    cell(rank, Mark::Plain),
                    cell(subject, Mark::Head),
                    cell(packets, Mark::Plain),
                    Cell { bar: part, ..cell(share, Mark::Plain) },
                    changed(change),
                    cell(difference, Mark::Faint),
                    cell(previous, if previous.len() > 2 { Mark::New } else { Mark::Plain }),
                    cell(sources, Mark::Plain),
                    cell(rate, Mark::Plain),
                ]
            })
            .collect(),
        notes: vec![say(
            "≈: cannot be told apart from the row before, by daily differences. Names are those of IANA.",
            "≈:日ごとの差からは、1つ上の順位と区別できません。サービス名はIANAによります。",
        )],
    }
}

fn ports(say: Say<'_>) -> Table {
    let outside = say("outside top 10", "TOP10圏外");
    let row = |cells: [&str; 9]| cells.map(str::to_owned);
    ranking(
        "ports",
        say("Destination ports, October to December 2019", "宛先ポート(2019年10~12月)"),
        say("Port", "ポート"),
        say,
        &[
            row([
                "1",
                "23/TCP (telnet)",
                "2,845,120",
                "25.2 %",
                "+4.1 %",
                "+112,020",
                "1",
                "312,400",
                "966.4",
            ]),
            row([
                "2",
                "445/TCP (microsoft-ds)",
                "1,402,377",
                "12.4 %",
                "−3.9 %",
                "−56,871",
                "2",
                "198,022",
                "476.3",
            ]),
            row([
                "3",
                "1433/TCP (ms-sql-s)",
                "733,045",
                "6.5 %",
                "+812.3 %",
                "+652,700",
                &outside,
                "54,210",
                "249.0",
            ]),
            row(["4", "80/TCP (http)", "512,803", "4.5 %", "+1.2 %", "+6,081", "5", "40,118", "174.2"]),
            row(["≈ 5", "22/TCP (ssh)", "509,110", "4.5 %", "−11.0 %", "−62,920", "3", "38,675", "172.9"]),
        ],
    )
}

fn regions(say: Say<'_>) -> Table {
    let row = |cells: [&str; 9]| cells.map(str::to_owned);
    let (nl, ru, us) =
        (say("Netherlands", "オランダ"), say("Russia", "ロシア"), say("United States", "米国"));
    let (cn, ro) = (say("China", "中国"), say("Romania", "ルーマニア"));
    let new = say("new", "新規");
    ranking(
        "regions",
        say("Source regions, October to December 2019", "送信元地域(2019年10~12月)"),
        say("Region", "地域"),
        say,
        &[
            row(["1", &nl, "2,312,004", "20.5 %", "+31.0 %", "+547,111", "1", "2,870", "785.3"]),
            row(["2", &ru, "2,100,431", "18.6 %", "+2.4 %", "+49,226", "2", "41,002", "713.5"]),
            row(["3", &us, "1,618,220", "14.4 %", "−6.2 %", "−106,964", "3", "66,418", "549.7"]),
            row(["4", &cn, "1,511,097", "13.4 %", "+9.9 %", "+136,121", "4", "120,337", "513.3"]),
            row(["5", &ro, "402,118", "3.6 %", "+55.7 %", "+143,850", &new, "3,114", "136.6"]),
        ],
    )
}

/// Numbers that look like traffic, the same every time.
fn daily(seed: u32, days: usize, level: impl Fn(usize) -> f64) -> Vec<Option<f64>> {
    let mut state = seed.wrapping_mul(2_654_435_769) | 1;
    (0..days)
        .map(|day| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state >> 8) / f64::from(1u32 << 24) - 0.5;
            Some((level(day) * (1.0 + 0.28 * noise)).max(0.0))
        })
        .collect()
}

/// As a quarter's chart has them: each first and sixteenth of a month.
fn ticks(is_japanese: bool) -> Vec<(usize, String)> {
    let english = ["1 Oct", "16 Oct", "1 Nov", "16 Nov", "1 Dec", "16 Dec"];
    let japanese = ["10/1", "10/16", "11/1", "11/16", "12/1", "12/16"];
    let labels = if is_japanese { japanese } else { english };
    [0, 15, 31, 46, 61, 76].into_iter().zip(labels.map(str::to_owned)).collect()
}

fn unobserved(lines: &mut [Line]) {
    for line in lines {
        for day in (32..43).chain([68]) {
            line.values[day] = None;
        }
        // A day by itself.
        line.values[37] = line.values[31];
    }
}

fn port_trend(is_japanese: bool, say: Say<'_>) -> Chart {
    let line = |name: &str, values| Line { name: name.into(), values };
    let mut lines = vec![
        line("23/TCP", daily(1, QUARTER, |_| 960.0)),
        line("445/TCP", daily(2, QUARTER, |_| 480.0)),
        line("1433/TCP", daily(3, QUARTER, |day| if day < 3 { 14.0 } else { 280.0 })),
        line("80/TCP", daily(4, QUARTER, |_| 174.0)),
        line("22/TCP", daily(5, QUARTER, |_| 172.0)),
    ];
    unobserved(&mut lines);
    Chart {
        id: "ports".into(),
        title: say("Top destination ports by day", "宛先ポート上位の推移"),
        description: say(
            "Packets per address and day of the five top ports. 1433/TCP rises from 14 to 280 on 4 October.",
            "上位5ポートの1アドレス・1日あたりのパケット数。1433/TCPは10月4日に14から280へ増加。",
        ),
        unit: say("Packets per address and day", "1アドレス・1日あたりのパケット数"),
        first: date(2019, 10, 1),
        ticks: ticks(is_japanese),
        lines,
        marks: vec![
            DayMark {
                day: 2,
                label: say("Alert on SQL servers (JVN-2019-1)", "SQL Serverに関する注意喚起(JVN-2019-1)"),
            },
            DayMark { day: 4, label: say("Patch for telnetd", "telnetdの更新") },
            DayMark {
                day: 55,
                label: say(
                    "Advisory on routers, https://example.org/a",
                    "ルーターの脆弱性情報 https://example.org/a",
                ),
            },
        ],
        from: 0,
    }
}

fn region_trend(is_japanese: bool, say: Say<'_>) -> Chart {
    let names = [
        ("Netherlands", "オランダ"),
        ("Russia", "ロシア"),
        ("United States", "米国"),
        ("China", "中国"),
        ("Romania", "ルーマニア"),
    ];
    let levels = [780.0, 710.0, 550.0, 515.0, 136.0];
    let mut lines: Vec<_> = (0..)
        .zip(names.into_iter().zip(levels))
        .map(|(index, ((english, japanese), level))| Line {
            name: say(english, japanese),
            values: daily(20 + index, QUARTER, |day| level * (1.0 + 0.003 * day as f64)),
        })
        .collect();
    unobserved(&mut lines);
    Chart {
        id: "regions".into(),
        title: say("Top source regions by day", "送信元地域上位の推移"),
        description: say(
            "Packets per address and day of the five top regions.",
            "上位5地域の1アドレス・1日あたりのパケット数。",
        ),
        unit: say("Packets per address and day", "1アドレス・1日あたりのパケット数"),
        first: date(2019, 10, 1),
        ticks: ticks(is_japanese),
        lines,
        marks: Vec::new(),
        from: 0,
    }
}

fn phenomena(is_japanese: bool, say: Say<'_>) -> Vec<Block> {
    let details = |pairs: &[(&str, &str, &str, &str)]| {
        pairs
            .iter()
            .map(|(label, rabel, value, atai)| (say(label, rabel), say(value, atai)))
            .collect::<Vec<_>>()
    };
    let told = |id: &str, kind, label, heading, text| Told {
        id: id.into(),
        kind,
        label,
        heading,
        text,
        ..Told::default()
    };
    vec![
        Block::Paragraph(say(
            "Found by the program from daily counts; the heaviest first.",
            "プログラムが日ごとの観測数から検出した現象を、規模の大きい順に示します。",
        )),
        Block::Finding(Told {
            details: details(&[
                ("Before", "増加前", "1,204 packets a day", "1日1,204パケット"),
                ("Since", "増加後", "24,110 packets a day", "1日24,110パケット"),
                ("Peak", "最大", "2019-11-23: 41,870", "2019年11月23日:41,870"),
                (
                    "Regions",
                    "送信元地域",
                    "China 62 %, United States 11 %, India 6 %, Viet Nam 4 %, Russia 3 %; Japan is 13th",
                    "中国62%、米国11%、インド6%、ベトナム4%、ロシア3%。日本は13位",
                ),
                ("Test", "検定", "z = 41.2, φ = 3.1", "z = 41.2、φ = 3.1"),
            ]),
            note: Some(say(
                "**Likely** a brute-force campaign; see [our advisory](https://example.org/advisory?a=1&b=2).\n\n- passwords of `sa`\n- <script>alert(1)</script>\n\n# A heading\n\n![a picture](http://example.org/x.png) [no](javascript:alert(1))",
                "総当たり攻撃と**推測**されます。[注意喚起](https://example.org/advisory?a=1&b=2)もご覧ください。\n\n- `sa`のパスワード\n- <script>alert(1)</script>\n\n# 見出し\n\n![図](http://example.org/x.png) [no](javascript:alert(1))",
            )),
            chart: Some(Chart {
                id: "rise-1433-tcp-2019-10-04".into(),
                title: say("1433/TCP by day", "1433/TCPの推移"),
                description: say(
                    "Packets by day from September; they rise on 4 October.",
                    "9月からの1日あたりのパケット数。10月4日に増加。",
                ),
                unit: say("Packets per day", "1日あたりのパケット数"),
                first: date(2019, 9, 3),
                ticks: vec![(0, "9/3".into()), (28, "10/1".into()), (59, "11/1".into()), (89, "12/1".into())],
                lines: vec![Line {
                    name: "1433/TCP".into(),
                    values: daily(
                        9,
                        120,
                        |day| if day < 31 { 1_200.0 } else { 24_000.0 + day as f64 * 90.0 },
                    ),
                }],
                marks: vec![DayMark {
                    day: 30,
                    label: say("Alert on SQL servers", "SQL Serverに関する注意喚起"),
                }],
                from: 28,
            }),
            ..told(
                "rise-1433-tcp-2019-10-04",
                "rise",
                say("Rise", "増加"),
                say("1433/TCP rises from 4 October", "1433/TCP宛てパケットが10月4日から増加"),
                say(
                    "From 4 October packets to 1433/TCP (ms-sql-s) rose to twenty times their level. 62 % of the increase came from China, followed by the United States, India, Viet Nam and Russia; Japan is 13th. Packets and sources rose on all five sensors.",
                    "10月4日から1433/TCP(ms-sql-s)宛てのパケットが約20倍に増加しました。増加分の62%は中国からで、米国、インド、ベトナム、ロシアが続きます。日本は13位です。5台のセンサー全てでパケット数と送信元数が増加しました。",
                ),
            )
        }),
        Block::Finding(told(
            "silence-IR-2019-11-16",
            "silence",
            say("Silence", "通信の途絶"),
            say("Iran falls silent for a week in November", "11月にイランからの通信が約1週間途絶"),
            say(
                "From 16 November 18:00 to 23 November 12:00 unique sources from Iran fell from 84 to 3 in six hours; all other regions stayed as they were.",
                "11月16日18時から11月23日12時まで、イランの送信元数が6時間あたり84から3に減少しました。他の地域に変化はありませんでした。",
            ),
        )),
        Block::Finding(told(
            "fall-37215-tcp-2019-12-02",
            "fall",
            say("Fall", "減少"),
            say("37215/TCP falls from 2 December", "37215/TCP宛てパケットが12月2日から減少"),
            say("Down to a fifth.", "約5分の1に減少しました。"),
        )),
        Block::Finding(told(
            "newcomer-9530-tcp",
            "newcomer",
            say("Newcomer", "新規"),
            say("9530/TCP enters the top 10", "9530/TCPがTOP10に出現"),
            say("From 41 sources on 12 days.", "12日間に41の送信元から観測しました。"),
        )),
        Block::Finding(told(
            "blind-2019-12-08",
            "blind",
            say("Blind", "観測不能"),
            say("Nothing arrived on 8 December", "12月8日はパケットが届かず"),
            if is_japanese {
                "回線の障害とみられます。".into()
            } else {
                "Probably the upstream.".into()
            },
        )),
    ]
}

/// Charts that are hard to draw: of one day, a year, nothing, zeros, an outlier, many lines, many marks, long names.
pub fn charts() -> Page {
    let line = |name: &str, values| Line { name: name.into(), values };
    let chart = |id: &str, lines: Vec<Line>| {
        let days = lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
        let step = days.div_ceil(12).max(1);
        Chart {
            id: id.into(),
            title: id.into(),
            description: format!("The chart {id}."),
            unit: "packets".into(),
            first: date(2019, 1, 1),
            ticks: (0..days).step_by(step).map(|day| (day, format!("day {day}"))).collect(),
            lines,
            marks: Vec::new(),
            from: 0,
        }
    };
    let level = |seed, days, level: f64| daily(seed, days, move |_| level);
    let mut outlier = level(3, 92, 40.0);
    outlier[50] = Some(1_234_567.0);
    let mut odd = level(4, 30, 10.0);
    odd[3] = Some(f64::NAN);
    odd[4] = Some(f64::INFINITY);
    odd[5] = Some(-1.0);
    let mut marked = chart("marks", vec![line("23/TCP", level(5, 92, 10.0))]);
    marked.marks = (0..40).map(|mark| DayMark { day: mark * 2, label: format!("Advisory {mark}") }).collect();
    marked.marks.extend((0..3).map(|mark| DayMark { day: 91, label: format!("Late advisory {mark}") }));
    marked.marks.push(DayMark { day: 400, label: "Beyond".into() });
    let mut ends = level(7, 60, 5.0);
    ends.truncate(20);
    let charts = vec![
        chart("one-day", vec![line("23/TCP", level(1, 1, 900.0)), line("22/TCP", level(2, 1, 880.0))]),
        chart(
            "week",
            (0..5)
                .map(|index| line(&format!("{index}/TCP"), level(index, 7, 100.0 + f64::from(index))))
                .collect(),
        ),
        chart(
            "year",
            (0..8)
                .map(|index| line(&format!("{index}/TCP"), level(index, 366, 100.0 * f64::from(index + 1))))
                .collect(),
        ),
        chart("nothing", vec![line("a", vec![None; 92]), line("b", vec![None; 92])]),
        chart(
            "zeros",
            vec![
                line("a", vec![Some(0.0); 92]),
                line("b", vec![Some(0.0); 92]),
                line("c", vec![Some(0.0); 92]),
            ],
        ),
        chart("outlier", vec![line("23/TCP", outlier), line("22/TCP", level(8, 92, 30.0))]),
        chart("small", vec![line("23/TCP", level(8, 92, 0.004))]),
        chart("huge", vec![line("23/TCP", level(8, 92, 3e17))]),
        chart("odd", vec![line("odd", odd)]),
        chart(
            "many",
            (0..30).map(|index| line(&format!("{index}/UDP"), level(index, 92, f64::from(index)))).collect(),
        ),
        chart(
            "long",
            vec![
                line("South Georgia and the South Sandwich Islands", level(9, 92, 7.0)),
                line("China", level(10, 92, 9.0)),
            ],
        ),
        chart("ends-early", vec![line("ends", ends), line("goes on", level(11, 60, 5.0))]),
        chart(
            "gaps",
            vec![line(
                "every second day",
                (0..31).map(|day| (day % 2 == 0).then_some(f64::from(day))).collect(),
            )],
        ),
        chart("empty", Vec::new()),
        marked,
    ];
    Page {
        lang: "en",
        title: "Charts".into(),
        words: words(false),
        sections: vec![Section {
            id: "charts",
            heading: "Charts".into(),
            blocks: charts.into_iter().map(Block::Chart).collect(),
        }],
        ..Page::default()
    }
}
