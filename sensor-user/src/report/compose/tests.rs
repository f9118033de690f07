//! Sentences of each kind in both languages, and that nothing is left out.

use std::collections::BTreeSet;

use super::*;
use crate::report::{
    model::{
        Change, Contribution, Finding, Levels, MOST_TOLD, PreviousRank, Quality, RankBy, Silence, Subject,
        Surge, ToolShare, What, Width,
    },
    page::{Chart, Told},
    publish,
    sample::{self, region, service},
};

fn names() -> Names {
    Names::new(None).unwrap()
}

/// A finding's text in English and Japanese, in the sample report.
fn told(what: What) -> [String; 2] {
    let report = Report { findings: vec![Finding { id: "x".into(), weight: 1.0, what }], ..sample::sample() };
    Lang::ALL.map(|lang| sentences(&report, lang, &names()).remove("x").unwrap())
}

fn told_surge(change: impl FnOnce(&mut Surge)) -> [String; 2] {
    let mut surge = sample::surge();
    change(&mut surge);
    told(What::Surge(Box::new(surge)))
}

fn told_silence(change: impl FnOnce(&mut Silence)) -> [String; 2] {
    let mut silence = sample::silence();
    change(&mut silence);
    told(What::Silence(silence))
}

/// The sample's finding of an id, as its page tells it.
fn of_sample(id: &str, lang: Lang) -> Told {
    let page = page(&sample::sample(), lang, &names());
    let phenomena = page.sections.into_iter().find(|section| section.id == "phenomena").unwrap();
    let mut told = phenomena.blocks.into_iter().filter_map(|block| match block {
        Block::Finding(told) => Some(told),
        _ => None,
    });
    told.find(|told| told.id == id).unwrap()
}

fn section(page: &Page, id: &str) -> Vec<Block> {
    page.sections.iter().find(|section| section.id == id).unwrap().blocks.clone()
}

fn table(page: &Page, id: &str) -> Table {
    let blocks = page.sections.iter().flat_map(|section| &section.blocks);
    let mut tables = blocks.filter_map(|block| match block {
        Block::Table(table) => Some(table),
        _ => None,
    });
    tables.find(|table| table.id == id).unwrap_or_else(|| panic!("no table {id}")).clone()
}

fn column(table: &Table, id: &str) -> Vec<String> {
    let index = table.columns.iter().position(|column| column.id == id).unwrap();
    table.rows.iter().map(|row| row[index].text.clone()).collect()
}

#[test]
fn a_rise_of_a_port_is_told_as_an_analyst_would() {
    let [en, ja] = told_surge(|_| {});
    assert_eq!(
        en,
        "Packets to 1433/TCP increased from around 4 October 2019. The daily mean rose from 12 to 340 packets, about \
         28 times the previous level. It has gone on for more than 28 days and is regarded as a new level; it peaked \
         on 29 October with 512 packets. By source region, China accounted for 62.0% of the increase, \
         followed by the US, India, Vietnam and Russia. Many packets were observed from Japan as well (ranked \
         13th). Unique sources increased as well, from 9 to 212 a day, which points to many \
         participating hosts."
    );
    assert_eq!(
        ja,
        "2019年10月4日ごろから、1433/TCP宛のパケットが増加した。1日あたりの平均は、それまでの12から340（約28倍）となった。増加は28日を超えて続いたため新たな水準とみなす。最多は10月29日の512パケットであった。送信元地域別では中国が増加分の62.0%を占め、アメリカ、インド、ベトナム、ロシアが続いた。日本を送信元地域とするパケットも多数観測している（13位）。1日あたりの送信元アドレス数も9から212に増加しており、多数の送信元によるものとみられる。"
    );
}

#[test]
fn a_rise_of_a_region_tells_its_services_and_how_narrow_it_is() {
    let [en, ja] = Lang::ALL.map(|lang| of_sample("rise-NL-2019-12-02", lang));
    assert_eq!(en.heading, "Netherlands: rise from 2 December");
    assert_eq!(
        en.text,
        "Packets from the Netherlands increased from around 2 December 2019. The daily mean rose from 1,430 to 3,862 \
         packets, about 2.7 times the previous level. The increase continued at the end of the period; it peaked on 18 \
         December with 5,011 packets. The increase was spread over many ports; the largest parts of it went to \
         3389/TCP (9.0%), 22/TCP (5.0%) and 5900/TCP (4.5%). At least half of the increase came from only 2 \
         prefixes (IPv4 /24 or IPv6 /48)."
    );
    assert_eq!(ja.heading, "オランダ：12月2日からの増加");
    assert_eq!(
        ja.text,
        "2019年12月2日ごろから、オランダを送信元地域とするパケットが増加した。1日あたりの平均は、それまでの1,430から3,862（約2.7倍）となった。増加は期間の末日においても続いており、12月18日に最多の5,011パケットを観測した。増加は多数の宛先ポート番号に及んでおり、増加分の大きいものは3389/TCP（9.0%）、22/TCP（5.0%）、5900/TCP（4.5%）であった。増加分の半分以上は、わずか2つのアドレスブロック（IPv4は/24、IPv6は/48）を送信元とするものであった。"
    );
}

#[test]
fn a_rise_of_a_region_on_one_port_names_the_port() {
    let [en, ja] = told_surge(|surge| {
        surge.subject = Subject { service: None, region: Some(region("US")) };
        surge.services = vec![
            Contribution { rank: 1, subject: service("5060/udp"), packets: 900, share: 0.8, of_change: 0.91 },
            Contribution { rank: 2, subject: service("8/icmp"), packets: 90, share: 0.08, of_change: 0.05 },
        ];
    });
    assert!(en.starts_with("Packets from the US increased"), "{en}");
    assert!(en.contains(
        " By destination port, 5060/UDP accounted for 91.0% of the increase, followed by 8/ICMP. "
    ));
    assert!(ja.contains("宛先ポート番号別では5060/UDPが増加分の91.0%を占め、8/ICMPが続いた。"), "{ja}");
}

#[test]
fn a_rise_of_a_region_on_a_port_has_both() {
    let [en, ja] = Lang::ALL.map(|lang| of_sample("rise-JP-23-tcp-2019-10-21", lang));
    assert_eq!(
        (en.heading.as_str(), ja.heading.as_str()),
        ("23/TCP from Japan: rise from 21 October", "日本から23/TCP宛：10月21日からの増加")
    );
    assert_eq!(
        en.text,
        "Packets from Japan to 23/TCP increased from around 21 October 2019. The daily mean rose from 31 to 98 packets, \
         about 3.2 times the previous level. The increase lasted until 2 November and peaked on 24 October with 140 \
         packets. Unique sources increased as well, from 22 to 71 a day, which points to many participating hosts."
    );
    assert_eq!(
        ja.text,
        "2019年10月21日ごろから、日本を送信元地域とする23/TCP宛のパケットが増加した。1日あたりの平均は、それまでの31から98（約3.2倍）となった。増加は11月2日まで続き、10月24日に最多の140パケットを観測した。1日あたりの送信元アドレス数も22から71に増加しており、多数の送信元によるものとみられる。"
    );
}

#[test]
fn a_fall_is_told_by_what_is_missing() {
    let [en, ja] = Lang::ALL.map(|lang| of_sample("fall-445-tcp-2019-12-24", lang).text);
    assert_eq!(
        en,
        "Packets to 445/TCP decreased from around 24 December 2019. The daily mean fell from 2,210 to 940 packets, \
         a decrease of 57.5%. The decrease lasted until 28 December; the lowest day was 25 December with 811 packets. By \
         source region, Russia accounted for 33.0% of the decrease, followed by Vietnam. No such packets were \
         observed from Japan. Unique sources went from 890 to 402 a day."
    );
    assert_eq!(
        ja,
        "2019年12月24日ごろから、445/TCP宛のパケットが減少した。1日あたりの平均は、それまでの2,210から940（57.5%減）となった。減少は12月28日まで続き、12月25日に最少の811パケットとなった。送信元地域別ではロシアが減少分の33.0%を占め、ベトナムが続いた。日本を送信元地域とするパケットは観測していない。1日あたりの送信元アドレス数は890から402となった。"
    );
}

/// Parts of the text that a change of the sample's surge brings, in both languages.
#[test]
fn each_circumstance_of_a_surge_has_its_sentence() {
    use crate::analysis::surge::{Direction, End};
    type Case = (fn(&mut Surge), &'static str, &'static str);
    let cases: &[Case] = &[
        (
            |surge| surge.before = 0.0,
            "Hardly any had been observed until then; the daily mean has since been 340 packets.",
            "それまではほとんど観測されていなかったが、1日あたりの平均は340となった。",
        ),
        (
            |surge| {
                surge.direction = Direction::Fall;
                surge.end = End::Continuing;
            },
            "The decrease continued at the end of the period; the lowest day was 29 October with 512 packets.",
            "減少は期間の末日においても続いており、10月29日に最少の512パケットとなった。",
        ),
        (
            |surge| surge.direction = Direction::Fall,
            "It has gone on for more than 28 days and is regarded as a new level; the lowest day was 29 October with 512 \
             packets.",
            "減少は28日を超えて続いたため新たな水準とみなす。最少は10月29日の512パケットであった。",
        ),
        (
            |surge| surge.regions.truncate(1),
            "By source region, China accounted for 62.0% of the increase. Many packets were observed from Japan as \
             well (ranked 13th).",
            "送信元地域別では中国が増加分の62.0%を占めた。日本を送信元地域とするパケットも多数観測している（13位）。",
        ),
        (
            |surge| {
                surge.regions.truncate(3);
                surge.regions[2].of_change = 0.7;
            },
            "By source region, China sent most of these packets (61.8%), followed by the US and India, while 70.0% of \
             the increase came from India.",
            "送信元地域別のパケット数では中国（61.8%）が最も多く、アメリカ、インドが続いた。増加分の70.0%はインドによるものである。",
        ),
        (
            |surge| surge.home.as_mut().unwrap().packets = 1,
            "From Japan, 1 packet was observed (ranked 13th).",
            "日本を送信元地域とするパケットは1件であった（13位）。",
        ),
        (
            |surge| surge.home = None,
            "No such packets were observed from Japan.",
            "日本を送信元地域とするパケットは観測していない。",
        ),
        (
            |surge| surge.width = Width::Narrow { prefixes: 1 },
            "At least half of the increase came from a single prefix (IPv4 /24 or IPv6 /48).",
            "増加分の半分以上は、わずか1つのアドレスブロック（IPv4は/24、IPv6は/48）を送信元とするものであった。",
        ),
        (
            |surge| surge.width = Width::Undetermined,
            "Unique sources went from 9 to 212 a day.",
            "1日あたりの送信元アドレス数は9から212となった。",
        ),
        (
            |surge| surge.sources = None,
            "Packets and unique sources both increased, which points to many participating hosts.",
            "パケット数、送信元アドレス数ともに増加しており、多数の送信元によるものとみられる。",
        ),
        (
            |surge| {
                surge.tools = vec![
                    ToolShare { tool: Tool::Mirai, packets: 28_444, share: 0.94, sources: None },
                    ToolShare { tool: Tool::Zmap, packets: 1, share: 0.000_1, sources: None },
                ];
            },
            "Of the packets since then, 94.0% bore the mark of Mirai. Of the packets since then, <0.1% bore the mark \
             of ZMap.",
            "以後のパケットの94.0%にMiraiの特徴がみられた。以後のパケットの0.1%未満にZMapの特徴がみられた。",
        ),
        (
            |surge| surge.newcomer = true,
            "In the period before, this port had been outside the top 50.",
            "このポートは、前の期間にはTOP50外であった。",
        ),
        (
            |surge| {
                surge.sensor_local = true;
                surge.effective_sensors = Some(1.04);
            },
            "It was seen by a part of the sensors only (1.0 of 5, in effect), and may be a matter of these.",
            "観測したのは一部のセンサーに限られており（5センサー中、実効1.0）、これらに固有の事象である可能性がある。",
        ),
    ];
    for (change, english, japanese) in cases {
        let [en, ja] = told_surge(change);
        assert!(en.contains(english), "{english}\nis not in\n{en}");
        assert!(ja.contains(japanese), "{japanese}\nis not in\n{ja}");
    }
}

#[test]
fn the_home_region_is_told_once() {
    let [en, ja] = told_surge(|surge| {
        surge.regions[3].subject = region("JP");
        surge.home = Some(surge.regions[3]);
    });
    assert_eq!((en.matches("Japan").count(), ja.matches("日本").count()), (1, 1));
}

#[test]
fn a_silence_is_told_to_its_bin() {
    let [en, ja] = told_silence(|_| {});
    assert_eq!(
        en,
        "From 16 November 2019, 18:00 to 23 November, 12:00 (UTC+09:00), the number of unique sources from Iran was \
         far below what is usual, for 162 hours in all (to within 6 h). Of the 84 sources usual in 6 hours, as few as \
         3 were seen (96.4% fewer); packets went from 402 to 21 a day. The other regions together did not fall in these hours, \
         so an outage in the region, or of the links to it, is more likely than a fault of the sensors."
    );
    assert_eq!(
        ja,
        "2019年11月16日18時から11月23日12時（UTC+09:00）にかけて、イランを送信元地域とするパケットの送信元アドレス数が通常を大きく下回った（計162時間、6時間単位で判定）。6時間あたりの送信元アドレス数は、通常の84から最少で3（96.4%減）となり、1日あたりのパケット数は402から21となった。同じ時間帯に他の地域全体の減少はみられないことから、センサー側の障害ではなく、当該地域またはそこに至る通信経路の障害である可能性が高い。"
    );
}

#[test]
fn each_course_of_a_silence_has_its_sentence() {
    let days = told_silence(|silence| {
        silence.bin_hours = 24;
        silence.onset = "2019-11-16T00:00:00+09:00".into();
        silence.end = Some("2019-11-23T00:00:00+09:00".into());
        silence.hours = 168;
    });
    assert!(days[0].starts_with(
        "From 16 to 22 November 2019, the number of unique sources from Iran was far below what is usual, for 7 days."
    ));
    assert!(days[1].starts_with(
        "2019年11月16日から22日にかけての7日間、イランを送信元地域とするパケットの送信元アドレス数が通常を大きく下回った。"
    ));
    let open = told_silence(|silence| silence.end = None);
    assert!(open[0].starts_with(
        "From 16 November 2019, 18:00 (UTC+09:00), the number of unique sources from Iran was far below what is usual \
         (to within 6 h), and had not recovered by the end of the period. "
    ));
    assert!(open[1].starts_with(
        "2019年11月16日18時（UTC+09:00）から、イランを送信元地域とするパケットの送信元アドレス数が通常を大きく下回り（6時間単位で判定）、期間の末日においても回復していない。"
    ));
    let hour = told_silence(|silence| silence.bin_hours = 1);
    assert!(hour[0].contains("Of the 84 sources usual in an hour, as few as 3 were seen"), "{}", hour[0]);
    let level = told_silence(|silence| (silence.level_change, silence.end) = (true, None));
    assert!(level[0].starts_with(
        "From 16 November 2019, the number of unique sources from Iran was far below what had been usual; as this went \
         on for more than 28 days, it is regarded as a change of level. "
    ));
    assert!(level[0].ends_with(
        "A change that lasts may be one of addresses, routes or the database rather than an outage."
    ));
    assert!(level[1].contains("28日を超えて続いたため、水準の変化とみなす。"));
}

#[test]
fn blindness_and_newcomers_are_told() {
    let texts =
        |id: &str| Lang::ALL.map(|lang| sentences(&sample::sample(), lang, &names()).remove(id).unwrap());
    assert_eq!(
        texts("blind-2019-11-03T02"),
        [
            "From 3 November 2019, 02:00 to 09:00 (UTC+09:00) (7 h), nothing arrived at all, for longer than chance \
         allows: the sensors or their upstream were blind. These hours are left out of what is usual, and no region is \
         called silent for them.",
            "2019年11月3日2時から9時（UTC+09:00）にかけて（7時間）、偶然では説明できない長さにわたりパケットがまったく届かず、センサーまたはその上流が観測不能であった。この時間帯は通常の水準の算出から除き、いずれの地域の途絶ともみなしていない。"
        ]
    );
    let all = texts("blind-2019-12-08T12");
    assert!(all[0].contains("all regions together fell below what is usual"));
    assert!(all[1].contains("すべての地域が一様に通常を下回り"));
    assert_eq!(
        texts("new-26-tcp"),
        [
            "26/TCP ranked 9th in this period, having been outside the top 50 before. 2,950 packets from about 871 unique \
         sources were observed on 61 days, the first on 30 October. 5 of 5 sensors saw it.",
            "26/TCPが、前の期間のTOP50外から9位となった。10月30日の初観測以降、61日にわたり、約871の送信元アドレスから2,950パケットを観測した。5センサーのうち5センサーで観測した。"
        ]
    );
}

#[test]
fn rankings_show_the_top_with_previous_ranks() {
    let [en, ja] = Lang::ALL.map(|lang| page(&sample::sample(), lang, &names()));
    let ports = table(&en, "ports");
    assert_eq!(column(&ports, "rank"), ["1", "2", "3", "4 ≈", "5"]);
    assert_eq!(column(&ports, "port"), ["23/TCP", "445/TCP", "1433/TCP", "80/TCP", "22/TCP"]);
    assert_eq!(column(&ports, "service"), ["telnet", "microsoft-ds", "ms-sql-s", "http", "ssh"]);
    assert_eq!(column(&ports, "previous_rank"), ["1", "2", "outside top 10", "5", "3"]);
    assert_eq!(column(&ports, "change_relative")[3..], ["+25.0%", "−11.1%"]);
    assert_eq!(column(&ports, "change")[3..], ["+123,380", "−61,728"]);
    assert_eq!(column(&table(&ja, "ports"), "previous_rank"), ["1", "2", "TOP10外", "5", "3"]);
    assert_eq!(
        column(&table(&ja, "regions"), "region"),
        ["オランダ", "ロシア", "アメリカ", "中国", "ルーマニア"]
    );
    assert!(ports.notes.iter().any(|note| note.contains("does not prove")));
    let below = section(&ja, "ports").into_iter().find_map(|block| match block {
        Block::List(list) => Some(list),
        _ => None,
    });
    assert_eq!(
        below.unwrap(),
        [
            "送信元の記録が失われたもの：12,034パケット。",
            "データベースの上限によりまとめられたもの：3,210パケット。"
        ]
    );
}

#[test]
fn more_rows_tell_more_of_previous_ranks_and_ties() {
    let mut report = sample::sample();
    report.top = 9;
    let [en, ja] = Lang::ALL.map(|lang| page(&report, lang, &names()));
    let ports = table(&en, "ports");
    assert_eq!(column(&ports, "previous_rank")[5..], ["6", "4", "–", "new"]);
    assert_eq!(column(&table(&ja, "ports"), "previous_rank")[8], "新規");
    assert_eq!(column(&ports, "service")[5..7], ["echo request", "–"]);
    assert!(ports.notes.contains(&"The next rank has as many as the last one shown.".into()));
    report.top = 500;
    report.rank_by = RankBy::Sources;
    let en = page(&report, Lang::En, &names());
    let ports = table(&en, "ports");
    assert_eq!(ports.rows.len(), 11);
    assert_eq!(column(&ports, "previous_rank")[9], "outside top 50");
    assert!(ports.notes[0].contains("unique sources"), "{:?}", ports.notes);
    report.top = 0;
    let ports = table(&page(&report, Lang::En, &names()), "ports");
    assert_eq!((ports.rows.len(), &*ports.empty), (0, "No destination port was ranked in this period."));
}

#[test]
fn the_summary_says_the_period_in_a_few_sentences() {
    let [en, ja] = Lang::ALL.map(|lang| page(&sample::sample(), lang, &names()).summary);
    assert_eq!(
        en,
        [
            "In the period October to December 2019, 12,345,678 packets from about 1,120,000 unique sources were observed. \
         Over the sensors that watched in both periods, that is 12.2% more than in the period before (July to September \
         2019).",
            "Most packets went to 23/TCP (telnet): 25.0% of all, followed by 445/TCP, 1433/TCP, 80/TCP and 22/TCP. 1433/TCP \
         (ms-sql-s) was outside the top 10 in the period before and is now 3rd.",
            "By source region, the Netherlands ranked first (20.0%), followed by Russia, the US, China and Romania.",
            "12 notable phenomena were found, above all “1433/TCP: rise from 4 October”, “Netherlands: rise from 2 \
         December” and “Iran: silence from 16 to 23 November 2019”."
        ]
    );
    assert_eq!(
        ja,
        [
            "2019年10月～12月に観測したパケットは12,345,678件、送信元アドレス数は約112万であった。両期間を通して観測したセンサーでは、前の期間（2019年7月～9月）と比べて12.2%増加した。",
            "宛先ポート番号別では23/TCP（telnet）が最も多く、全体の25.0%を占め、445/TCP、1433/TCP、80/TCP、22/TCPが続いた。1433/TCP（ms-sql-s）は前の期間のTOP10外から3位となった。",
            "送信元地域別ではオランダが最も多く（20.0%）、ロシア、アメリカ、中国、ルーマニアが続いた。",
            "注目すべき動向は12件であり、主なものは「1433/TCP：10月4日からの増加」、「オランダ：12月2日からの増加」、「イラン：2019年11月16日から23日の途絶」である。"
        ]
    );
}

#[test]
fn a_few_findings_are_all_named() {
    let mut report = sample::sample();
    for (count, en, ja) in [
        (
            1,
            "One notable phenomenon was found: “1433/TCP: rise from 4 October”.",
            "注目すべき動向は1件であり、「1433/TCP：10月4日からの増加」である。",
        ),
        (
            2,
            "2 notable phenomena were found: “1433/TCP: rise from 4 October” and “Netherlands: rise from 2 December”.",
            "注目すべき動向は2件であり、「1433/TCP：10月4日からの増加」、「オランダ：12月2日からの増加」である。",
        ),
    ] {
        report.findings = sample::findings();
        report.findings.truncate(count);
        let summaries = Lang::ALL.map(|lang| page(&report, lang, &names()).summary.pop().unwrap());
        assert_eq!(summaries, [en, ja]);
    }
}

#[test]
fn changes_of_the_total_are_told_each_way() {
    let mut report = sample::sample();
    report.sensors.retain(|sensor| sensor.compared);
    report.ports.rows[2].previous = PreviousRank::New;
    report.totals.change = Some(Change { packets: -5, relative: Some(-0.5) });
    let [en, ja] = Lang::ALL.map(|lang| page(&report, lang, &names()).summary);
    assert!(
        en[0].ends_with("That is 50.0% fewer than in the period before (July to September 2019)."),
        "{}",
        en[0]
    );
    assert!(ja[0].ends_with("前の期間（2019年7月～9月）と比べて50.0%減少した。"), "{}", ja[0]);
    assert!(en[1].ends_with("1433/TCP (ms-sql-s) was not seen at all in the period before and is now 3rd."));
    report.ports.rows[2].previous = PreviousRank::Rank(8);
    report.totals.change = Some(Change { packets: 0, relative: Some(0.0) });
    let [en, ja] = Lang::ALL.map(|lang| page(&report, lang, &names()).summary);
    assert!(en[0].ends_with("That is as many as in the period before (July to September 2019)."));
    assert!(en[1].ends_with("1433/TCP (ms-sql-s) ranked 8th in the period before and is now 3rd."));
    assert!(ja[1].ends_with("1433/TCP（ms-sql-s）は前の期間の8位から3位に上昇した。"));
}

#[test]
fn incomplete_data_are_told_first() {
    let [en, ja] = Lang::ALL.map(|lang| page(&sample::sample(), lang, &names()).alerts);
    assert_eq!(
        en,
        [
            "Only 97.8% of the period was observed; there is 1 gap of an hour or more, 47 hours in all.",
            "2 of the period’s 92 days do not count, as too little of them was observed or the sensors were blind.",
            "The network cards dropped 310 packets before they could be counted.",
            "1,200 packets belong to spans that reach beyond the period; they are not counted.",
            "A bound of the store put rare rows together as “other”; small ranks may be missing.",
            "momo did not watch in both periods; changes are told over the other sensors."
        ]
    );
    assert_eq!(ja.len(), en.len());
    let mut report = sample::sample();
    report.quality.uncounted = 3;
    report.quality.mismatches = 1;
    report.quality.pending = 40;
    report.quality.lost = 1_000_000;
    report.tested.lit_only = true;
    report.previous.observed = 0.41;
    for lang in Lang::ALL {
        let alerts = page(&report, lang, &names()).alerts;
        assert_eq!(alerts.len(), en.len() + 5, "{alerts:?}");
        assert!(alerts[0].contains('3') && alerts.iter().any(|alert| alert.contains("41.0%")));
    }
    let mut whole = sample::sample();
    whole.quality = Quality::default();
    whole.period.observed = 1.0;
    whole.period.days_counted = whole.period.days;
    whole.sensors.iter_mut().for_each(|sensor| sensor.compared = true);
    assert_eq!(page(&whole, Lang::Ja, &names()).alerts, Vec::<String>::new());
}

#[test]
fn what_is_empty_is_said() {
    for lang in Lang::ALL {
        let page = page(&sample::quiet(), lang, &names());
        assert_eq!(page.sections.len(), 10);
        assert_eq!(page.alerts.len(), 1, "{:?}", page.alerts);
        for section in &page.sections {
            assert!(!section.blocks.is_empty(), "{}", section.id);
            for block in &section.blocks {
                match block {
                    Block::Table(table) => {
                        assert!(table.rows.is_empty() != table.empty.is_empty(), "{}", table.id)
                    }
                    Block::List(list) => assert!(!list.is_empty()),
                    Block::Paragraph(text) | Block::Note(text) | Block::Heading(text) => {
                        assert!(!text.is_empty());
                    }
                    Block::Chart(chart) => assert!(!chart.lines.is_empty()),
                    Block::Finding(told) => panic!("{told:?}"),
                }
            }
        }
    }
    let page = page(&sample::quiet(), Lang::En, &names());
    assert_eq!(page.subtitle, "1 October 2019");
    assert!(page.summary[2].starts_with("Whether there were notable phenomena cannot be said"));
}

#[test]
fn a_quiet_period_with_history_has_no_phenomena() {
    let mut report = sample::sample();
    report.findings.clear();
    let [en, ja] = Lang::ALL.map(|lang| page(&report, lang, &names()));
    assert_eq!(
        section(&en, "phenomena")[0],
        Block::Paragraph("No notable phenomena were found in this period.".into())
    );
    assert_eq!(
        section(&ja, "phenomena")[0],
        Block::Paragraph("対象期間に、注目すべき動向はなかった。".into())
    );
    assert_eq!(ja.summary.last().unwrap(), "注目すべき動向はなかった。");
}

#[test]
fn tables_are_whole_and_their_names_differ() {
    for report in [sample::sample(), sample::quiet()] {
        for lang in Lang::ALL {
            let page = page(&report, lang, &names());
            let mut ids = BTreeSet::new();
            for block in page.sections.iter().flat_map(|section| &section.blocks) {
                let Block::Table(table) = block else { continue };
                assert!(ids.insert(table.id.clone()), "{} is there twice", table.id);
                assert!(
                    table.id.chars().all(|letter| letter.is_alphanumeric() || letter == '-'),
                    "{}",
                    table.id
                );
                let columns: BTreeSet<&str> = table.columns.iter().map(|column| column.id).collect();
                assert_eq!(columns.len(), table.columns.len(), "{}", table.id);
                for row in &table.rows {
                    assert_eq!(row.len(), table.columns.len(), "{}", table.id);
                    for (cell, column) in row.iter().zip(&table.columns) {
                        assert!(!cell.text.is_empty(), "{} {}", table.id, column.id);
                        let is_text = matches!(cell.value, Value::Text(_));
                        let may = ["previous_rank", "value"].contains(&column.id);
                        assert!(!column.is_number || !is_text || may, "{} {}", table.id, column.id);
                    }
                }
            }
        }
    }
}

#[test]
fn values_are_the_same_in_both_languages() {
    let [en, ja] = Lang::ALL.map(|lang| page(&sample::sample(), lang, &names()));
    let values = |page: &Page, id: &str| -> Vec<Value> {
        table(page, id).rows.into_iter().flatten().map(|cell| cell.value).collect()
    };
    assert_eq!(values(&en, "ports"), values(&ja, "ports"));
    assert_eq!(values(&en, "gaps"), values(&ja, "gaps"));
    assert_eq!(values(&en, "sensors"), values(&ja, "sensors"));
}

#[test]
fn only_so_many_findings_are_told_and_the_rest_is_listed() {
    let page = page(&sample::sample(), Lang::En, &names());
    let blocks = section(&page, "phenomena");
    let told = blocks.iter().filter(|block| matches!(block, Block::Finding(_))).count();
    assert_eq!(told, MOST_TOLD);
    let listed = blocks.iter().find_map(|block| match block {
        Block::List(list) => Some(list.clone()),
        _ => None,
    });
    let listed = listed.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed[1].starts_with("5555/TCP: rise from 14 October. Packets to 5555/TCP increased"));
}

#[test]
fn a_finding_has_its_advisories_its_note_and_its_chart() {
    let told = of_sample("rise-1433-tcp-2019-10-04", Lang::En);
    assert_eq!((told.kind, told.label.as_str()), ("rise", "Rise"));
    assert!(told.note.unwrap().starts_with("Logs of a honeypot"));
    let advisory = ("Known advisories".into(), "Attacks on Microsoft SQL Server (24 October 2019)".into());
    assert!(told.details.contains(&advisory), "{:?}", told.details);
    assert!(told.details.contains(&("Rank of Japan".into(), "13th (242 packets, 0.8%)".into())));
    let chart = told.chart.unwrap();
    assert_eq!(chart.lines.len(), 1);
    assert_eq!(chart.lines[0].name, "1433/TCP (ms-sql-s)");
    assert_eq!((chart.from, chart.marks[0].day), (25, 28));
    assert!(of_sample("rise-JP-23-tcp-2019-10-21", Lang::En).chart.is_none());
    assert!(of_sample("silence-IR-2019-11-16", Lang::Ja).chart.is_some());
    assert!(page(&sample::sample(), Lang::En, &names()).note.is_some());
}

fn charts(page: &Page) -> Vec<Chart> {
    section(page, "trends")
        .into_iter()
        .filter_map(|block| match block {
            Block::Chart(chart) => Some(chart),
            _ => None,
        })
        .collect()
}

#[test]
fn charts_have_the_shown_top_gaps_and_advisories() {
    let [en, ja] = Lang::ALL.map(|lang| charts(&page(&sample::sample(), lang, &names())));
    assert_eq!(en.len(), 2);
    let names: Vec<&str> = ja[1].lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names, ["オランダ", "ロシア", "アメリカ", "中国", "ルーマニア"]);
    assert_eq!(en[0].ticks, [(25, "Oct 2019".into()), (56, "Nov".into()), (86, "Dec".into())]);
    assert_eq!(ja[0].ticks, [(25, "2019年10月".into()), (56, "11月".into()), (86, "12月".into())]);
    assert_eq!(en[0].lines[0].values[33], None);
    assert_eq!(en[0].marks.len(), 1, "{:?}", en[0].marks);
    assert_eq!((en[0].marks[0].day, en[0].marks[0].label.as_str()), (48, "Attacks on Microsoft SQL Server"));
    assert!(
        en[0]
            .description
            .starts_with("Packets by day, 6 September to 31 December 2019. 23/TCP: 107.5 on average")
    );
}

#[test]
fn ticks_fit_the_length_of_the_period() {
    let report = sample::sample();
    let names = names();
    let writer = Writer { report: &report, messages: Messages::new(Lang::En), names: &names };
    let ticks = |first: Date, days| -> Vec<String> {
        writer.ticks(first, days).into_iter().map(|(index, label)| format!("{index} {label}")).collect()
    };
    let day = jiff::civil::date(2019, 12, 30);
    assert_eq!(ticks(day, 3), ["0 30 Dec", "1 31 Dec", "2 1 Jan"]);
    assert_eq!(ticks(day, 20), ["0 30 Dec", "7 6 Jan", "14 13 Jan"]);
    assert_eq!(ticks(day, 120), ["2 Jan 2020", "33 Feb", "62 Mar", "93 Apr"]);
    assert_eq!(ticks(day, 500).len(), 6);
    assert_eq!(ticks(day, 0), Vec::<String>::new());
}

#[test]
fn periods_are_named_by_the_language() {
    let cases = [
        ("2019-Q4", (2019, 10, 1), (2019, 12, 31), "October to December 2019", "2019年10月～12月"),
        ("2020-02", (2020, 2, 1), (2020, 2, 29), "February 2020", "2020年2月"),
        (
            "2020-02-01..2020-02-28",
            (2020, 2, 1),
            (2020, 2, 28),
            "1 to 28 February 2020",
            "2020年2月1日から28日",
        ),
        ("2019", (2019, 1, 1), (2019, 12, 31), "2019", "2019年"),
        (
            "2020-W01",
            (2019, 12, 30),
            (2020, 1, 5),
            "30 December 2019 to 5 January 2020",
            "2019年12月30日から2020年1月5日",
        ),
    ];
    let date = |(year, month, day)| jiff::civil::date(year, month, day);
    for (text, first, last, en, ja) in cases {
        let mut report = sample::quiet();
        report.period = sample::stretch(text, date(first), date(last), "+09:00", 1, 1.0);
        let subtitles = Lang::ALL.map(|lang| page(&report, lang, &names()).subtitle);
        assert_eq!(subtitles, [en, ja]);
    }
}

#[test]
fn rows_that_are_left_out_are_told() {
    let mut report = sample::sample();
    report.few_sources = vec![service("445/tcp")];
    assert_eq!((report.ports.rows[1].subject, report.ports.rows[1].rank), (service("445/tcp"), 2));
    let mut report = publish::published(report);
    let notes = |report: &Report, id: &str| {
        Lang::ALL.map(|lang| table(&page(report, lang, &names()), id).notes.join(" "))
    };
    let expected = [
        "1 row of this ranking is left out, as the port was seen from fewer than 10 sources.",
        "送信元が10未満のポート番号が1件あり、この順位から除いている。",
    ];
    for id in ["ports", "sensor-ports-1", "group-ports-domestic", "ports-without-surveys"] {
        let notes = notes(&report, id);
        assert!(notes.iter().zip(expected).all(|(notes, told)| notes.contains(told)), "{id}: {notes:?}");
    }
    assert!(!notes(&report, "group-ports-overseas")[0].contains("left out"));
    // The others keep their places beside each other.
    let groups = table(&page(&report, Lang::En, &names()), "groups");
    let second: Vec<&str> = groups.rows[1].iter().map(|cell| cell.text.as_str()).collect();
    assert_eq!((groups.rows.len(), second[0], second[1]), (3, "2", "–"), "{second:?}");
    assert!(second[2].contains("22/TCP"), "{second:?}");
    // Beyond what is shown nothing is missing.
    report.top = 1;
    assert!(!notes(&report, "ports")[0].contains("left out"));
}

#[test]
fn the_chance_of_each_mark_is_told() {
    let report = sample::sample();
    let told = |lang| {
        let note = |block| match block {
            Block::Note(note) => Some(note),
            _ => None,
        };
        section(&page(&report, lang, &names()), "tools").into_iter().find_map(note).unwrap()
    };
    let [en, ja] = Lang::ALL.map(told);
    let of =
        "1 in 4,294,967,296 packets (Mirai), 1 in 65,536 packets (ZMap) and 1 in 65,536 packets (masscan)";
    assert!(en.starts_with(&format!("By chance, a mark is borne by {of}; shares")), "{en}");
    assert!(ja.contains("Miraiは4,294,967,296パケットに1件"), "{ja}");
    assert!(ja.contains("masscanは65,536パケットに1件"), "{ja}");
}

#[test]
fn odd_figures_make_no_panic() {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e300];
    for value in odd {
        let mut report = sample::sample();
        report.top = usize::MAX;
        report.period.observed = value;
        report.totals.change = Some(Change { packets: i64::MIN, relative: Some(value) });
        report.tools.chance.iter_mut().for_each(|chance| chance.share = value);
        report.surveys.slowest = Some(value);
        report.backscatter.detectable = Some(value);
        report.port_trend.series[0].values = vec![Some(value), None, Some(value)];
        for row in &mut report.ports.rows {
            row.share = value;
            row.packets = u64::MAX;
            row.previous = PreviousRank::Outside(u32::MAX);
        }
        for finding in &mut report.findings {
            match &mut finding.what {
                What::Surge(surge) => {
                    (surge.before, surge.since, surge.peak_packets) = (value, value, value);
                    surge.effective_sensors = Some(value);
                    surge.regions.iter_mut().for_each(|region| region.of_change = value);
                    surge.services.iter_mut().for_each(|service| service.of_change = value);
                }
                What::Silence(silence) => {
                    silence.packets = Levels { before: value, since: value };
                    (silence.depth, silence.onset) = (value, "no time".into());
                    silence.end = Some("nor this".into());
                }
                What::Blind(blind) => blind.from = String::new(),
                What::Newcomer(newcomer) => newcomer.sources = u64::MAX,
            }
        }
        for lang in Lang::ALL {
            assert_eq!(page(&report, lang, &names()).sections.len(), 10);
        }
    }
}
