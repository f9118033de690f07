# Japanese. Every message stands on one line; sentences are whole. Numbers come in as values, formatted figures as text.

## Numbers, dates, lists

list-more = { $head }、{ $item }
list-last = { $head }、{ $item }
date = { $year }年{ $month }月{ $day }日
date-day = { $month }月{ $day }日
date-short = { $month }月{ $day }日
month-short = { $month }月
month-short-year = { $year }年{ $month }月
month = { $year }年{ $month }月
months = { $year }年{ $month }月～{ $last }月
year = { $year }年
dates = { $first }から{ $last }
dates-of-month = { $year }年{ $month }月{ $day }日から{ $last_day }日
dates-of-year = { $year }年{ $month }月{ $day }日から{ $last_month }月{ $last_day }日
clock = { $date }{ $hour }時{ $minute }分
clock-hour = { $date }{ $hour }時
clock-time = { $hour }時{ $minute }分
clock-time-hour = { $hour }時
time = { $time }（{ $offset }）
times = { $from }から{ $to }（{ $offset }）
times-apart = { $from }から{ $to }
percent = { $value }%
percent-less = { $least }%未満
percent-up = +{ $value }%
percent-down = −{ $value }%
rank = { $rank }位
unknown = –

## Names

region-in-sentence = { $code ->
   *[other] { $name }
}
region-unknown = 不明
region-non-routable = インターネットに経路のないアドレス
region-unattributed = 送信元の記録なし
region-other = その他
service-named = { $service }（{ $name }）
icmp-0 = エコー応答
icmp-3 = 宛先到達不能
icmp-5 = リダイレクト
icmp-8 = エコー要求
icmp-9 = ルーター広告
icmp-10 = ルーター要請
icmp-11 = 時間超過
icmp-13 = タイムスタンプ要求
icmp-15 = 情報要求
icmp-17 = アドレスマスク要求
icmpv6-1 = 宛先到達不能
icmpv6-2 = パケット過大
icmpv6-3 = 時間超過
icmpv6-128 = エコー要求
icmpv6-129 = エコー応答
icmpv6-135 = 近隣要請
icmpv6-139 = ノード情報照会
pair = { $region }から{ $service }宛
tool-none = 特徴なし
tool-mirai = Mirai
tool-zmap = ZMap
tool-masscan = masscan
role-dark = 未使用アドレス
role-lit = 使用中のホスト
role-honeypot = ハニーポット

## The page

page-title = インターネット定点観測レポート
page-contents = 目次
page-analyst = 分析担当者による補足
page-summary = 概況
page-chart-data = グラフの数値
page-date = 日付
page-not-observed = 観測なし
page-skip = 本文へ移動
footer-made = 本レポートは{ $program }により{ $made }に作成した。
footer-figures = パケットは抽出によらず、すべてを計数した。送信元の記録が失われたパケットは別に示した。送信元アドレス数は推定値である。
footer-home = 宛先ポート番号に関する動向には、送信元地域としての{ $region }の順位を併記した。
footer-publish = 本レポートは公開用である。センサーは別名で示し、観測された送信元が{ $sources }に満たないポートは記載していない。
footer-internal = 本レポートは内部用であり、公開してはならない。

cover-period = 対象期間
cover-previous = 比較対象
cover-zone = タイムゾーン
cover-zone-value = { $zone }（{ $offset }）
cover-sensors = センサー
cover-sensors-value = { $sensors }センサー（観測用IPv4アドレス{ $addresses }）
cover-sensors-only = { $sensors }センサー（観測用アドレス数は不明）
cover-observed = 観測時間
cover-observed-value = 期間の{ $observed }（{ $days }日のうち{ $counted }日が集計対象）
cover-packets = パケット数
cover-sources = 送信元アドレス数
cover-rate = 1アドレス1日あたりのパケット数
cover-rate-value = { $mean }（センサーの中央値：{ $median }）
cover-region-database = 地域データベース
cover-asn-database = AS番号データベース
cover-database-value = { $name }（{ $built }作成）
cover-database-value-undated = { $name }（作成日不明）
cover-database-none = なし（送信元地域はすべて不明となる）
cover-basis = 送信元地域
cover-basis-value = データベースの定める地域（登録国か推定所在地かはデータベースによる）
cover-ranked = 順位の基準
cover-ranked-packets = パケット数
cover-ranked-sources = 送信元アドレス数
cover-made = 作成日時
cover-frozen = 数値の確定日時

## Alerts

alert-uncounted = 計上されていないフレームが{ $count }件あり、数値が過小となっている。開発元に連絡されたい。
alert-mismatches = 計数の整合性検査に{ $count }件の不一致があり、数値が誤っている可能性がある。開発元に連絡されたい。
alert-observed = 観測できたのは期間の{ $observed }である。{ $gaps ->
    [0] 1時間以上の欠測はない。
   *[other] 1時間以上の欠測は{ $gaps }回、計{ $hours }時間である。
}
alert-days = 対象期間{ $all }日のうち{ $days }日は、観測時間の不足またはセンサーの観測不能により集計対象から除いた。
alert-nothing = 対象期間中の観測はない。
alert-nic = ネットワークカードが計数前に破棄したパケットが{ $packets }件ある。
alert-lost = 送信元の記録が失われたパケットが{ $packets }件（{ $share }）ある。計数には含まれるが、送信元地域の順位には含まれない。
alert-pending = 順位にまだ反映されていないパケットが{ $packets }件ある。データベースへの反映後に再度作成されたい。
alert-partial = 対象期間の外にまたがる区間のパケット{ $packets }件は計上していない。
alert-cut = データベースの上限により少数の項目を「その他」にまとめたため、下位の順位が欠けている可能性がある。
alert-first = 比較できる前の期間がないため、増減および前期順位は示していない。
alert-previous = 前の期間（{ $previous }）は{ $observed }しか観測していないため、増減および前期順位は示していない。
alert-lit = すべてのセンサーが使用中のホストである。自らの通信への応答が含まれるほか、跳ね返りパケット、攻撃対象および途絶の検出は行っていない。
alert-not-compared = { $names }は両期間を通して観測していないため、増減はこれを除くセンサーによる。

## Summary

summary-total = { $period }に観測したパケットは{ $packets }件、送信元アドレス数は約{ $sources }であった。
summary-total-no-sources = { $period }に観測したパケットは{ $packets }件であった。
summary-more = 前の期間（{ $previous }）と比べて{ $change }増加した。
summary-fewer = 前の期間（{ $previous }）と比べて{ $change }減少した。
summary-more-compared = 両期間を通して観測したセンサーでは、前の期間（{ $previous }）と比べて{ $change }増加した。
summary-fewer-compared = 両期間を通して観測したセンサーでは、前の期間（{ $previous }）と比べて{ $change }減少した。
summary-same = 前の期間（{ $previous }）と同数であった。
summary-none = { $period }に観測したパケットはない。
summary-ports = 宛先ポート番号別では{ $first }が最も多く、全体の{ $share }を占め、{ $others }が続いた。
summary-ports-sources = 送信元アドレス数でみると{ $first }が最も多く、全体の{ $share }を占め、{ $others }が続いた。
summary-port = 宛先ポート番号別では{ $first }が最も多く、全体の{ $share }を占めた。
summary-risen = { $service }は前の期間の{ $previous }から{ $rank }に上昇した。
summary-entered = { $service }は前の期間のTOP{ $outside }外から{ $rank }となった。
summary-new = { $service }は前の期間には観測されなかったが、{ $rank }となった。
summary-regions = 送信元地域別では{ $first }が最も多く（{ $share }）、{ $others }が続いた。
summary-region = 送信元地域別では{ $first }が最も多かった（{ $share }）。
summary-findings = 注目すべき動向は{ $count }件であり、主なものは{ $headings }である。
summary-findings-all = 注目すべき動向は{ $count }件であり、{ $headings }である。
summary-quiet = 注目すべき動向はなかった。
summary-untested = 過去の観測が足りないため、注目すべき動向の有無は判定できない。
list-long = { $head }、{ $item }
quoted = 「{ $text }」

## Rankings

section-ports = 宛先ポート番号
section-regions = 送信元地域
caption-ports = 宛先ポート番号TOP{ $top }（{ $period }）
caption-regions = 送信元地域TOP{ $top }（{ $period }）
ports-none = 対象期間に、順位の対象となる宛先ポート番号はなかった。
regions-none = 対象期間に、順位の対象となる送信元地域はなかった。
column-rank = 順位
column-port = 宛先ポート番号
column-service = サービス名
column-region = 送信元地域
column-code = コード
column-packets = パケット数
column-share = 割合
column-change-percent = 前期比
column-change = 増減（パケット数）
column-previous = 前期順位
column-sources = 送信元アドレス数
column-rate = 1アドレス1日あたり
previous-outside = TOP{ $places }外
previous-new = 新規
rank-close = { $rank } ≈
ranking-population = 割合は、順位の対象となる{ $ranked }ポート宛の{ $population }パケットに対するものである。
ranking-population-sources = 割合は、順位の対象となる{ $ranked }ポートの送信元アドレス数{ $population }に対するものである。
ranking-regions-population = 割合は、順位の対象となる{ $ranked }地域からの{ $population }パケットに対するものである。
ranking-regions-population-sources = 割合は、順位の対象となる{ $ranked }地域の送信元アドレス数{ $population }に対するものである。
ranking-close = ≈：日ごとの差からは、1つ上の順位と区別できない。
ranking-tied = 次の順位は、表の最後の項目と同数である。
ranking-withheld = 送信元が{ $sources }未満のポート番号が{ $count }件あり、この順位から除いている。
ranking-ports-note = サービス名はIANAに登録されたものであり、実際にそのプロトコルの通信であったことを示すものではない。
ranking-changes = 増減は前の期間（{ $previous }）との比較であり、両期間を通して観測したセンサーによる。
ranking-no-previous = 比較できる前の期間はない。
ranking-below-none = 順位の対象から外れたパケットはない。
below-unattributed = 送信元の記録が失われたもの：{ $packets }パケット。
below-unknown = データベースにない送信元：{ $packets }パケット。
below-non-routable = 予約済みなどインターネットに経路のない送信元：{ $packets }パケット。
below-other = データベースの上限によりまとめられたもの：{ $packets }パケット。

## Trends

section-trends = 推移
chart-ports = 宛先ポート番号TOP{ $count }のパケット数の推移
chart-regions = 送信元地域TOP{ $count }のパケット数の推移
chart-finding = 日ごとのパケット数：{ $subject }
chart-unit-rate = 1アドレス1日あたりのパケット数
chart-unit-packets = 1日あたりのパケット数
chart-description = { $dates }の日ごとのパケット数。
chart-line = { $name }：平均{ $mean }、最少{ $least }、最多{ $most }。
chart-line-empty = { $name }：観測なし。
chart-onset = 開始
trend-none = 推移を示すに足りる観測日がない。
trend-gaps = 観測時間が{ $least }に満たない日は、0ではなく欠測として示した。

## Groups and sensors

section-sensors = グループおよびセンサー別
sensors-single = センサーは1つであり、順位は上記のとおりである。
sensors-note = グループおよびセンサーごとの宛先ポート番号TOP10を示す。割合はそれぞれのパケット数に対するものである。
sensors-groups = グループ別の上位宛先ポート番号
caption-group = グループ「{ $name }」の宛先ポート番号TOP{ $top }（{ $sensors }センサー、{ $packets }パケット）
caption-sensor = センサー「{ $name }」の宛先ポート番号TOP{ $top }（{ $packets }パケット）
part-rate = 1アドレス1日あたり{ $rate }パケット。
part-none = 「{ $name }」では、順位の対象となるパケットを観測していない。

## Phenomena

section-phenomena = 注目すべき動向
phenomena-none = 対象期間に、注目すべき動向はなかった。
phenomena-untestable = 過去の観測が{ $days }日に満たないため、通常の水準からの増減は判定できず、検出を行っていない。
phenomena-tested = { $ports }ポート、{ $regions }地域、地域とポートの組{ $pairs }組について増減を、{ $silences }地域について途絶を調べた。
phenomena-tested-silences = { $silences }地域について途絶を調べた。
phenomena-tested-lit = { $ports }ポート、{ $regions }地域、地域とポートの組{ $pairs }組について増減を調べた。すべてのセンサーが使用中のホストであるため、途絶は調べていない。
phenomena-not-testable = { $count }地域は送信元または過去の観測が少なく、途絶の有無を判定できない（正常を意味するものではない）。
phenomena-not-testable-home = { $region }もこれに含まれる。
phenomena-more = その他の動向
kind-rise = 増加
kind-fall = 減少
kind-silence = 途絶
kind-blind = 観測不能
kind-newcomer = 新規
heading-rise = { $subject }：{ $onset }からの増加
heading-fall = { $subject }：{ $onset }からの減少
heading-silence = { $region }：{ $dates }の途絶
heading-silence-open = { $region }：{ $onset }からの途絶
heading-silence-level = { $region }：{ $onset }からの水準低下
heading-blind = { $date }の観測不能
heading-newcomer = { $service }：新規に{ $rank }
listed = { $heading }。{ $text }

surge-rise-port = { $onset }ごろから、{ $service }宛のパケットが増加した。
surge-fall-port = { $onset }ごろから、{ $service }宛のパケットが減少した。
surge-rise-region = { $onset }ごろから、{ $region }を送信元地域とするパケットが増加した。
surge-fall-region = { $onset }ごろから、{ $region }を送信元地域とするパケットが減少した。
surge-rise-pair = { $onset }ごろから、{ $region }を送信元地域とする{ $service }宛のパケットが増加した。
surge-fall-pair = { $onset }ごろから、{ $region }を送信元地域とする{ $service }宛のパケットが減少した。
surge-levels-rise = 1日あたりの平均は、それまでの{ $before }から{ $since }（約{ $times }倍）となった。
surge-levels-rise-from-none = それまではほとんど観測されていなかったが、1日あたりの平均は{ $since }となった。
surge-levels-fall = 1日あたりの平均は、それまでの{ $before }から{ $since }（{ $part }減）となった。
surge-rise-ended = 増加は{ $last }まで続き、{ $peak }に最多の{ $packets }パケットを観測した。
surge-rise-continuing = 増加は期間の末日においても続いており、{ $peak }に最多の{ $packets }パケットを観測した。
surge-rise-new-level = 増加は{ $days }日を超えて続いたため新たな水準とみなす。最多は{ $peak }の{ $packets }パケットであった。
surge-fall-ended = 減少は{ $last }まで続き、{ $peak }に最少の{ $packets }パケットとなった。
surge-fall-continuing = 減少は期間の末日においても続いており、{ $peak }に最少の{ $packets }パケットとなった。
surge-fall-new-level = 減少は{ $days }日を超えて続いたため新たな水準とみなす。最少は{ $peak }の{ $packets }パケットであった。
surge-regions-rise = 送信元地域別では{ $first }が増加分の{ $share }を占め、{ $others }が続いた。
surge-regions-rise-one = 送信元地域別では{ $first }が増加分の{ $share }を占めた。
surge-regions-rise-packets = 送信元地域別のパケット数では{ $first }（{ $packets_share }）が最も多く、{ $others }が続いた。増加分の{ $share }は{ $driver }によるものである。
surge-regions-fall = 送信元地域別では{ $first }が減少分の{ $share }を占め、{ $others }が続いた。
surge-regions-fall-one = 送信元地域別では{ $first }が減少分の{ $share }を占めた。
surge-home-many = { $region }を送信元地域とするパケットも多数観測している（{ $rank }）。
surge-home-few = { $region }を送信元地域とするパケットは{ $packets }件であった（{ $rank }）。
surge-home-none = { $region }を送信元地域とするパケットは観測していない。
surge-services-rise = 宛先ポート番号別では{ $first }が増加分の{ $share }を占め、{ $others }が続いた。
surge-services-rise-one = 宛先ポート番号別では{ $first }が増加分の{ $share }を占めた。
surge-services-rise-spread = 増加は多数の宛先ポート番号に及んでおり、増加分の大きいものは{ $ports }であった。
surge-services-fall = 宛先ポート番号別では{ $first }が減少分の{ $share }を占め、{ $others }が続いた。
surge-services-fall-one = 宛先ポート番号別では{ $first }が減少分の{ $share }を占めた。
surge-services-fall-spread = 減少は多数の宛先ポート番号に及んでおり、減少分の大きいものは{ $ports }であった。
surge-part = { $name }（{ $share }）
surge-wide-rise = 1日あたりの送信元アドレス数も{ $before }から{ $since }に増加しており、多数の送信元によるものとみられる。
surge-wide-fall = 1日あたりの送信元アドレス数も{ $before }から{ $since }に減少した。
surge-wide-rise-unknown = パケット数、送信元アドレス数ともに増加しており、多数の送信元によるものとみられる。
surge-wide-fall-unknown = パケット数、送信元アドレス数ともに減少した。
surge-narrow-rise = 増加分の半分以上は、わずか{ $prefixes }つのアドレスブロック（IPv4は/24、IPv6は/48）を送信元とするものであった。
surge-narrow-fall = 減少分の半分以上は、わずか{ $prefixes }つのアドレスブロック（IPv4は/24、IPv6は/48）によるものであった。
surge-sources = 1日あたりの送信元アドレス数は{ $before }から{ $since }となった。
surge-tool = 以後のパケットの{ $share }に{ $tool }の特徴がみられた。
surge-newcomer = このポートは、前の期間にはTOP{ $places }外であった。
surge-local = 観測したのは一部のセンサーに限られており（{ $sensors }センサー中、実効{ $effective }）、これらに固有の事象である可能性がある。

silence-closed = { $times }にかけて、{ $region }を送信元地域とするパケットの送信元アドレス数が通常を大きく下回った（計{ $hours }時間、{ $bin }時間単位で判定）。
silence-closed-days = { $dates }にかけての{ $days }日間、{ $region }を送信元地域とするパケットの送信元アドレス数が通常を大きく下回った。
silence-open = { $time }から、{ $region }を送信元地域とするパケットの送信元アドレス数が通常を大きく下回り（{ $bin }時間単位で判定）、期間の末日においても回復していない。
silence-open-days = { $date }から、{ $region }を送信元地域とするパケットの送信元アドレス数が通常を大きく下回り、期間の末日においても回復していない。
silence-level = { $date }から、{ $region }を送信元地域とするパケットの送信元アドレス数がそれまでの水準を大きく下回った。{ $days }日を超えて続いたため、水準の変化とみなす。
silence-depth = { $bin }時間あたりの送信元アドレス数は、通常の{ $usual }から最少で{ $least }（{ $depth }減）となり、1日あたりのパケット数は{ $before }から{ $since }となった。
silence-level-reason = 長く続く変化は、障害ではなく、アドレスの割り当て、経路またはデータベースの変更による可能性もある。
silence-reason = 同じ時間帯に他の地域全体の減少はみられないことから、センサー側の障害ではなく、当該地域またはそこに至る通信経路の障害である可能性が高い。

blind-nothing = { $times }にかけて（{ $hours }時間）、偶然では説明できない長さにわたりパケットがまったく届かず、センサーまたはその上流が観測不能であった。
blind-all = { $times }にかけて（{ $hours }時間）、すべての地域が一様に通常を下回り、センサーまたはその上流が観測不能であった。
blind-consequence = この時間帯は通常の水準の算出から除き、いずれの地域の途絶ともみなしていない。

newcomer-first = { $service }が、前の期間のTOP{ $places }外から{ $rank }となった。
newcomer-counts = { $first }の初観測以降、{ $days }日にわたり、約{ $sources }の送信元アドレスから{ $packets }パケットを観測した。
newcomer-sensors = { $sensors }センサーのうち{ $seen }センサーで観測した。

detail-onset = 開始日
detail-last = 最終日
detail-before = それまでの1日平均
detail-since = 以後の1日平均
detail-peak = 最多の日
detail-lowest = 最少の日
detail-peak-value = { $date }（{ $packets }パケット）
detail-packets = 開始日以降のパケット数
detail-home = { $region }の順位
detail-home-value = { $rank }（{ $packets }パケット、{ $share }）
detail-sources = 1日あたりの送信元アドレス数
detail-levels = { $before } → { $since }
detail-width = 広がり
detail-wide = 広域
detail-narrow = 局所（{ $prefixes }アドレスブロック）
detail-undetermined = 判定なし
detail-sensors = 実効センサー数
detail-sensors-value = { $sensors }センサー中{ $effective }
detail-test = 検定統計量
detail-test-value = z = { $z }、過分散{ $phi }
detail-advisories = 関連する既知の情報
detail-advisory-value = { $title }（{ $date }）
detail-from = 開始
detail-to = 終了
detail-open = 未回復
detail-hours = 継続時間
detail-hours-value = { $hours }時間（{ $bin }時間単位）
detail-hours-exact = { $hours }時間
detail-usual = 通常の送信元アドレス数（{ $bin }時間）
detail-least = 最少の送信元アドレス数（{ $bin }時間）
detail-missing = 失われた送信元数×時間
detail-levels-packets = 1日あたりのパケット数
detail-days = 観測日数
detail-seen = 観測したセンサー

## Tools

section-tools = スキャンツール
tools-intro = ツールの特徴が現れうるTCPの接続要求パケットは{ $packets }件であった。
tools-share = { $tool }の特徴がみられたものは{ $share }（送信元アドレス数は約{ $sources }）であった。
tools-share-no-sources = { $tool }の特徴がみられたものは{ $share }であった。
tools-none = 偶然に生じる割合を超えて既知のツールの特徴がみられたものはなかった。
tools-no-packets = ツールの特徴が現れうるTCPの接続要求パケットは観測していない。
tools-chance = 特徴は偶然にも現れる（{ $list }）ため、これを明らかに上回らない割合は示していない。
tools-chance-of = { $tool }は{ $one_in }パケットに1件
tools-suppressed = これにより{ $count }件の割合を省いた。
caption-tools = スキャンツール（TCPの接続要求パケット）
caption-tools-ports = 宛先ポート番号別のスキャンツール
caption-tools-regions = 送信元地域別のスキャンツール
column-tool = ツール

## Survey scanners

section-surveys = 調査目的のスキャン
surveys-intro = 1日に{ $ports }以上のポートを走査した送信元のアドレスブロック（IPv4は/24、IPv6は/48）は{ $prefixes }であり、全体の{ $share }にあたる{ $packets }パケットを送信した。
surveys-none = 1日に{ $ports }以上のポートを走査したアドレスブロック（IPv4は/24、IPv6は/48）はなかった。
surveys-unknown = 調査目的のスキャンについて判明している日はない。
surveys-days = 対象期間{ $all }日のうち、判明しているのは{ $days }日である。
surveys-slowest = この観測規模では、全IPv4アドレスの{ $ports }ポートを走査するスキャンは、毎秒{ $rate }パケット以上でなければ1日のうちに判別できない。
surveys-slowest-unknown = 観測用アドレス数が不明であるため、判別できる最も遅いスキャンは示せない。
caption-declared = 公表されているスキャン実施組織
caption-surveys = パケット数の多いアドレスブロック
caption-ports-without = 調査目的のスキャンを除いた宛先ポート番号
caption-regions-without = 調査目的のスキャンを除いた送信元地域
surveys-declared-none = 一覧にあるスキャン実施組織は観測していないか、一覧が指定されていない。
surveys-declared-note = 日ごとの上位アドレスブロックの一覧によるものであり、実際のパケット数はこれ以上である。
surveys-without-unknown = 調査目的のスキャンを除いた順位は、対象期間については不明である。
column-organisation = 組織
column-url = URL
column-prefixes = アドレスブロック数
column-prefix = アドレスブロック
column-days = 日数
column-ports = 1日の最多ポート数
column-rank-without = 除いた順位
column-rank-with = 含む順位

## Backscatter

section-backscatter = 跳ね返りパケット
backscatter-off = センサーが使用中のホストであり、自らの通信への応答と区別できないため、跳ね返りパケットは示していない。
backscatter-none = 跳ね返りパケットは観測していない。
backscatter-intro = 詐称された送信元に対する応答（跳ね返りパケット）は{ $packets }件、その送信元アドレス数は約{ $sources }であった。
backscatter-intro-no-sources = 詐称された送信元に対する応答（跳ね返りパケット）は{ $packets }件であった。
backscatter-victims = この観測規模で判別できる攻撃の対象となったアドレスは{ $victims }、延べ{ $days }（アドレス×日）であった。うち{ $moore }はMooreらの基準も満たす。
backscatter-sources = 集中して応答した送信元アドレスは{ $victims }、延べ{ $days }（アドレス×日）であった。観測用アドレスが少ないため、これらを攻撃とはみなさない。
backscatter-no-victims = 集中して応答した送信元はなかった。
backscatter-victims-unknown = 集中した応答について判明している日はない。
backscatter-days = 対象期間{ $all }日のうち、集中した応答について判明しているのは{ $days }日である。
backscatter-detectable = 送信元を無作為に詐称した攻撃は、毎秒{ $rate }パケット以上であれば判別できる。
backscatter-mismatches = 観測用アドレスが送信したはずのないパケットに関するICMPエラー{ $packets }件は除いた。
caption-backscatter-services = 攻撃対象のサービス
caption-backscatter-regions = 攻撃対象の地域
caption-victim-services = サービス別の攻撃対象数
caption-sources-services = サービス別の跳ね返りパケット送信元数
column-attacked = 攻撃対象のサービス
column-attacked-region = 攻撃対象の地域
column-victims = 攻撃対象数
column-burst-sources = 集中した送信元数

## Advisories

section-advisories = 既知の情報との対応
advisories-none = 順位または増減のみられたポートに該当する既知の情報はないか、一覧が指定されていない。
advisories-intro = 順位または増減のみられたポートに関する既知の注意喚起等は{ $count }件である。
advisories-caveat = ポートの一致は、原因の一致を示すものではない。
caption-advisories = 既知の注意喚起等
column-date = 日付
column-title = 表題
column-id = 識別子
column-seen = 対象期間の観測
column-note = 備考
advisory-ranked = { $service }：{ $rank }
advisory-found = { $heading }
advisory-only = { $service }：観測

## Quality

section-quality = データの品質
quality-complete = 対象期間に1時間以上の欠測および損失はなかった。
quality-previous = 前の期間は{ $dates }であり、その{ $observed }を観測した（{ $days }日のうち{ $counted }日が集計対象）。
quality-no-previous = 前の期間（{ $dates }）の観測はない。
caption-quality = フレームおよび全区分のパケットの計数
caption-sensors = センサー
caption-databases = データベース
caption-gaps = いずれのセンサーも観測していない1時間以上の区間
caption-parameters = 本レポートのパラメーター
caption-corrections = 確定済みレポートの訂正
corrections-none = 確定済みレポートの数値に訂正はない。
column-figure = 項目
column-count = 件数
column-sensor = センサー
column-role = 種別
column-group = グループ
column-addresses = IPv4アドレス数
column-first = 最初の日
column-last = 最後の日
column-filtered = 上流での遮断
column-compared = 比較対象
column-database = データベース
column-kind = 用途
column-built = 作成日
column-from = 開始
column-to = 終了
column-hours = 時間
column-parameter = パラメーター
column-value = 値
column-period = 期間
column-subject = 対象
column-frozen-rank = 公表時の順位
column-new-rank = 現在の順位
column-frozen-packets = 公表時のパケット数
column-new-packets = 現在のパケット数
yes = 対象
no = 対象外
database-country = 地域
database-asn = AS番号
quality-frames = 受信フレーム
quality-packets = 計数したIPパケット
quality-lost = うち送信元の記録が失われたもの
quality-malformed = 不正な形式
quality-non-ip = IP以外
quality-unwatched = 観測用アドレス宛でないもの
quality-local = ホスト自らの通信
quality-uncounted = 計上漏れ（0であるべきもの）
quality-mismatches = 計数の不一致（0であるべきもの）
quality-nic-received = ネットワークカードの受信数
quality-nic-dropped = ネットワークカードの破棄数
quality-restarts = エージェントの再起動
quality-partial = 対象期間の外にまたがる区間のもの
quality-pending = 順位に未反映のもの
quality-days-out = 集計対象から除いた日：{ $days }。
quality-databases-changed = 期間中に地域データベースが更新された。その前後の順位の変動は、更新による可能性がある。
quality-sensors-none = センサーの情報はない。
quality-databases-none = データベースは使用していない。
quality-gaps-none = いずれのセンサーも観測していない1時間以上の区間はなかった。

parameter-least-observed = 日または期間を集計対象とする最小の観測割合
parameter-least-sources = これより送信元の少ないポートは省く（公開用）
parameter-surge-days = 増減：まとめて検定する日数
parameter-surge-baseline = 増減：比較する直前の日数
parameter-surge-trimmed = 増減：平均から除く上位・下位の各日数
parameter-surge-z = 増減：zの最小値
parameter-surge-ratio = 増減：合計の最小の比
parameter-surge-day-ratio = 増減：各日の最小の比
parameter-surge-excess = 増減：最小の超過パケット数
parameter-surge-new-level = 増減：新たな水準とみなす日数
parameter-surge-history = 増減：必要な過去の日数
parameter-surge-top = 増減：各週の上位いくつを候補とするか
parameter-surge-increase = 増減：候補とする増加分の割合
parameter-surge-narrow = 増減：増加分の半分を占めるブロックがこの数以下なら局所
parameter-silence-bins = 途絶：判定単位の時間
parameter-silence-usual = 途絶：判定単位あたりの通常の送信元アドレス数の最小値
parameter-silence-weeks = 途絶：中央値をとる週数
parameter-silence-spread-days = 途絶：ばらつきを求める日数
parameter-silence-spread = 途絶：ばらつきの最小値
parameter-silence-running = 途絶：連続する判定単位の数
parameter-silence-alert = 途絶：検出するばらつきの倍数
parameter-silence-clear = 途絶：回復とみなすばらつきの倍数
parameter-silence-level = 途絶：水準の変化とみなす日数
parameter-blind-factor = 観測不能：平均到着間隔の倍数（13.8倍単位）
parameter-blind-minutes = 観測不能：最小の分数
parameter-newcomer-before = 新規：前の期間にこの順位より下
parameter-newcomer-now = 新規：今期にこの順位以内
parameter-newcomer-sources = 新規：最小の送信元アドレス数
parameter-newcomer-days = 新規：最小の日数
parameter-newcomer-sensors = 新規：半数の観測を求める最小のセンサー数
