# English. Every message stands on one line; sentences are whole. Numbers come in as values, formatted figures as text.

## Numbers, dates, lists

list-more = { $head }, { $item }
list-last = { $head } and { $item }
date = { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[other] December
} { $year }
date-day = { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[other] December
}
date-short = { $day } { $month ->
    [1] Jan
    [2] Feb
    [3] Mar
    [4] Apr
    [5] May
    [6] Jun
    [7] Jul
    [8] Aug
    [9] Sep
    [10] Oct
    [11] Nov
   *[other] Dec
}
month-short = { $month ->
    [1] Jan
    [2] Feb
    [3] Mar
    [4] Apr
    [5] May
    [6] Jun
    [7] Jul
    [8] Aug
    [9] Sep
    [10] Oct
    [11] Nov
   *[other] Dec
}
month-short-year = { $month ->
    [1] Jan
    [2] Feb
    [3] Mar
    [4] Apr
    [5] May
    [6] Jun
    [7] Jul
    [8] Aug
    [9] Sep
    [10] Oct
    [11] Nov
   *[other] Dec
} { $year }
month = { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[other] December
} { $year }
months = { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[other] December
} to { $last ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[other] December
} { $year }
year = { $year }
dates = { $first } to { $last }
dates-of-month = { $day } to { $last_day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[other] December
} { $year }
dates-of-year = { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[other] December
} to { $last_day } { $last_month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[other] December
} { $year }
clock = { $date }, { $hour }:{ $minute }
clock-hour = { $date }, { $hour }:00
clock-time = { $hour }:{ $minute }
clock-time-hour = { $hour }:00
time = { $time } ({ $offset })
times = { $from } to { $to } ({ $offset })
times-apart = { $from } to { $to }
percent = { $value }%
percent-less = <{ $least }%
percent-up = +{ $value }%
percent-down = −{ $value }%
rank = { NUMBER($rank, type: "ordinal") ->
    [one] { $rank }st
    [two] { $rank }nd
    [few] { $rank }rd
   *[other] { $rank }th
}
unknown = –

## Names

# With the article that the name takes in a sentence.
region-in-sentence = { $code ->
    [AE] the { $name }
    [BS] the { $name }
    [CD] the { $name }
    [CF] the { $name }
    [CG] the { $name }
    [CK] the { $name }
    [DO] the { $name }
    [EU] the { $name }
    [FK] the { $name }
    [FO] the { $name }
    [GB] the { $name }
    [GM] the { $name }
    [IM] the { $name }
    [IO] the { $name }
    [KM] the { $name }
    [KY] the { $name }
    [MH] the { $name }
    [MP] the { $name }
    [MV] the { $name }
    [NL] the { $name }
    [PH] the { $name }
    [SB] the { $name }
    [SC] the { $name }
    [TC] the { $name }
    [TF] the { $name }
    [UM] the { $name }
    [US] the { $name }
    [VA] the { $name }
    [VG] the { $name }
    [VI] the { $name }
   *[other] { $name }
}
region-unknown = Unknown
region-non-routable = Not routed on the Internet
region-unattributed = Unattributed
region-other = Other
service-named = { $service } ({ $name })
icmp-0 = echo reply
icmp-3 = destination unreachable
icmp-5 = redirect
icmp-8 = echo request
icmp-9 = router advertisement
icmp-10 = router solicitation
icmp-11 = time exceeded
icmp-13 = timestamp request
icmp-15 = information request
icmp-17 = address mask request
icmpv6-1 = destination unreachable
icmpv6-2 = packet too big
icmpv6-3 = time exceeded
icmpv6-128 = echo request
icmpv6-129 = echo reply
icmpv6-135 = neighbour solicitation
icmpv6-139 = node information query
pair = { $service } from { $region }
tool-none = no mark
tool-mirai = Mirai
tool-zmap = ZMap
tool-masscan = masscan
role-dark = dark
role-lit = lit (host in use)
role-honeypot = honeypot

## The page

page-title = Internet Threat Monitoring Report
page-contents = Contents
page-analyst = Analyst’s comment
page-summary = Summary
page-chart-data = Figures of the chart
page-date = Date
page-not-observed = not observed
page-skip = Skip to the text
footer-made = Made by { $program } on { $made }.
footer-figures = Packets are counted, not sampled; those whose source was lost are shown as unattributed. Unique sources are estimates.
footer-home = Ranks of { $region } are told with the phenomena of destination ports.
footer-publish = This edition is for publication: sensors have aliases, and ports seen from fewer than { $sources } sources are left out.
footer-internal = This edition is internal: it is not for publication.

cover-period = Period
cover-previous = Compared with
cover-zone = Time zone
cover-zone-value = { $zone } ({ $offset })
cover-sensors = Sensors
cover-sensors-value = { $sensors ->
    [one] { $sensors } sensor, { $addresses } watched IPv4 addresses
   *[other] { $sensors } sensors, { $addresses } watched IPv4 addresses
}
cover-sensors-only = { $sensors ->
    [one] { $sensors } sensor; the number of watched addresses is not known
   *[other] { $sensors } sensors; the number of watched addresses is not known
}
cover-observed = Observed
cover-observed-value = { $observed } of the time; { $counted } of { $days } days count
cover-packets = Packets
cover-sources = Unique sources
cover-rate = Packets per address and day
cover-rate-value = { $mean } (median of the sensors: { $median })
cover-region-database = Regions by
cover-asn-database = Autonomous systems by
cover-database-value = { $name }, built { $built }
cover-database-value-undated = { $name }, build date not known
cover-database-none = no database: all sources are of unknown region
cover-basis = Region of a source
cover-basis-value = as the database gives it: the country of registration or an estimate of the location, whichever it knows
cover-ranked = Ranked by
cover-ranked-packets = packets
cover-ranked-sources = unique sources
cover-made = Made
cover-frozen = Figures frozen

## Alerts

alert-uncounted = { $count } frames are in no counter: figures are too low. Please report this.
alert-mismatches = { $count } accounting identities did not hold: figures may be wrong. Please report this.
alert-observed = Only { $observed } of the period was observed; { $gaps ->
    [0] there is no gap of an hour or more.
    [one] there is { $gaps } gap of an hour or more, { $hours } hours in all.
   *[other] there are { $gaps } gaps of an hour or more, { $hours } hours in all.
}
alert-days = { $days } of the period’s { $all } days do not count, as too little of them was observed or the sensors were blind.
alert-nothing = Nothing was observed in this period.
alert-nic = The network cards dropped { $packets } packets before they could be counted.
alert-lost = The source of { $packets } packets ({ $share }) was lost; they are counted, but not in the rankings of regions.
alert-pending = { $packets } packets are not in the rankings yet; run the report again when the store has caught up.
alert-partial = { $packets } packets belong to spans that reach beyond the period; they are not counted.
alert-cut = A bound of the store put rare rows together as “other”; small ranks may be missing.
alert-first = There is no period before this one to compare with: changes and previous ranks are not given.
alert-previous = Only { $observed } of the period before ({ $previous }) was observed: changes and previous ranks are not given.
alert-lit = All sensors are hosts in use: answers to their own connections are among what was seen, and backscatter, victims and silences are off.
alert-not-compared = { $names } did not watch in both periods; changes are told over the other sensors.

## Summary

summary-total = In the period { $period }, { $packets } packets from about { $sources } unique sources were observed.
summary-total-no-sources = In the period { $period }, { $packets } packets were observed.
summary-more = That is { $change } more than in the period before ({ $previous }).
summary-fewer = That is { $change } fewer than in the period before ({ $previous }).
summary-more-compared = Over the sensors that watched in both periods, that is { $change } more than in the period before ({ $previous }).
summary-fewer-compared = Over the sensors that watched in both periods, that is { $change } fewer than in the period before ({ $previous }).
summary-same = That is as many as in the period before ({ $previous }).
summary-none = No packet was observed in the period { $period }.
summary-ports = Most packets went to { $first }: { $share } of all, followed by { $others }.
summary-ports-sources = Most unique sources were seen on { $first }: { $share } of all, followed by { $others }.
summary-port = Of the destination ports, { $first } ranked first, with { $share } of all.
summary-risen = { $service } ranked { $previous } in the period before and is now { $rank }.
summary-entered = { $service } was outside the top { $outside } in the period before and is now { $rank }.
summary-new = { $service } was not seen at all in the period before and is now { $rank }.
summary-regions = By source region, { $first } ranked first ({ $share }), followed by { $others }.
summary-region = By source region, { $first } ranked first ({ $share }).
summary-findings = { $count } notable phenomena were found, above all { $headings }.
summary-findings-all = { $count ->
    [one] One notable phenomenon was found: { $headings }.
   *[other] { $count } notable phenomena were found: { $headings }.
}
summary-quiet = No notable phenomena were found.
summary-untested = Whether there were notable phenomena cannot be said: there is not enough history to tell.
list-long = { $head }; { $item }
quoted = “{ $text }”

## Rankings

section-ports = Destination ports
section-regions = Source regions
caption-ports = { $top ->
    [one] Top destination port, { $period }
   *[other] Top { $top } destination ports, { $period }
}
caption-regions = { $top ->
    [one] Top source region, { $period }
   *[other] Top { $top } source regions, { $period }
}
ports-none = No destination port was ranked in this period.
regions-none = No source region was ranked in this period.
column-rank = Rank
column-port = Port/protocol
column-service = Service
column-region = Source region
column-code = Code
column-packets = Packets
column-share = Share
column-change-percent = Change
column-change = Change (packets)
column-previous = Previous rank
column-sources = Unique sources
column-rate = Per address and day
previous-outside = outside top { $places }
previous-new = new
rank-close = { $rank } ≈
ranking-population = Shares are of the { $population } packets to { $ranked } ranked ports.
ranking-population-sources = Shares are of the { $population } unique sources of { $ranked } ranked ports.
ranking-regions-population = Shares are of the { $population } packets from { $ranked } ranked regions.
ranking-regions-population-sources = Shares are of the { $population } unique sources from { $ranked } ranked regions.
ranking-close = ≈: cannot be told apart from the rank above by the differences of their days.
ranking-tied = The next rank has as many as the last one shown.
ranking-withheld = { $count ->
    [one] { $count } row of this ranking is left out, as the port was seen from fewer than { $sources } sources.
   *[other] { $count } rows of this ranking are left out, as their ports were seen from fewer than { $sources } sources.
}
ranking-ports-note = Service names are those that IANA has registered for the port. A name does not prove what was spoken there.
ranking-changes = Changes are on the period before ({ $previous }), over the sensors that watched in both.
ranking-no-previous = There is no period before to compare with.
ranking-below-none = No packet was left out of the ranking.
below-unattributed = Unattributed (the source was lost): { $packets } packets.
below-unknown = Unknown to the database: { $packets } packets.
below-non-routable = From sources that are not routed on the Internet: { $packets } packets.
below-other = Put together by a bound of the store: { $packets } packets.

## Trends

section-trends = Trends
chart-ports = { $count ->
    [one] Packets to the top destination port
   *[other] Packets to the top { $count } destination ports
}
chart-regions = { $count ->
    [one] Packets from the top source region
   *[other] Packets from the top { $count } source regions
}
chart-finding = Packets by day: { $subject }
chart-unit-rate = packets per address and day
chart-unit-packets = packets per day
chart-description = Packets by day, { $dates }.
chart-line = { $name }: { $mean } on average, between { $least } and { $most }.
chart-line-empty = { $name }: not observed.
chart-onset = onset
trend-none = There are no days with enough observation to draw a trend.
trend-gaps = Days of which less than { $least } was observed are gaps, not zeros.

## Groups and sensors

section-sensors = Groups and sensors
sensors-single = There is a single sensor: its ranking is the one above.
sensors-note = Each group and sensor has its own top 10 of destination ports; shares are of its own packets.
sensors-groups = Top destination ports of the groups
caption-group = Top { $top } destination ports of group { $name } ({ $sensors ->
    [one] { $sensors } sensor
   *[other] { $sensors } sensors
}, { $packets } packets)
caption-sensor = Top { $top } destination ports of sensor { $name } ({ $packets } packets)
part-rate = { $rate } packets per address and day.
part-none = Group or sensor { $name } saw no ranked packet.

## Phenomena

section-phenomena = Notable phenomena
phenomena-none = No notable phenomena were found in this period.
phenomena-untestable = With less than { $days } days of history, rises and falls cannot be told from what is usual; none were looked for.
phenomena-tested = Rises and falls were looked for in { $ports } ports, { $regions } regions and { $pairs } pairs of region and port; silences in { $silences } regions.
phenomena-tested-silences = Silences were looked for in { $silences ->
    [one] { $silences } region.
   *[other] { $silences } regions.
}
phenomena-tested-lit = Rises and falls were looked for in { $ports } ports, { $regions } regions and { $pairs } pairs of region and port. Silences were not, as all sensors are hosts in use.
phenomena-not-testable = { $count ->
    [one] { $count } region has too few sources, or too little history, to tell whether it fell silent: not testable, which is not normal.
   *[other] { $count } regions have too few sources, or too little history, to tell whether they fell silent: not testable, which is not normal.
}
phenomena-not-testable-home = { $region } is among them.
phenomena-more = Further phenomena
kind-rise = Rise
kind-fall = Fall
kind-silence = Silence
kind-blind = Sensor blind
kind-newcomer = Newcomer
heading-rise = { $subject }: rise from { $onset }
heading-fall = { $subject }: fall from { $onset }
heading-silence = { $region }: silence from { $dates }
heading-silence-open = { $region }: silence from { $onset }
heading-silence-level = { $region }: lower level from { $onset }
heading-blind = Sensors blind on { $date }
heading-newcomer = { $service }: newcomer at rank { $rank }
listed = { $heading }. { $text }

surge-rise-port = Packets to { $service } increased from around { $onset }.
surge-fall-port = Packets to { $service } decreased from around { $onset }.
surge-rise-region = Packets from { $region } increased from around { $onset }.
surge-fall-region = Packets from { $region } decreased from around { $onset }.
surge-rise-pair = Packets from { $region } to { $service } increased from around { $onset }.
surge-fall-pair = Packets from { $region } to { $service } decreased from around { $onset }.
surge-levels-rise = The daily mean rose from { $before } to { $since } packets, about { $times } times the previous level.
surge-levels-rise-from-none = Hardly any had been observed until then; the daily mean has since been { $since } packets.
surge-levels-fall = The daily mean fell from { $before } to { $since } packets, a decrease of { $part }.
surge-rise-ended = The increase lasted until { $last } and peaked on { $peak } with { $packets } packets.
surge-rise-continuing = The increase continued at the end of the period; it peaked on { $peak } with { $packets } packets.
surge-rise-new-level = It has gone on for more than { $days } days and is regarded as a new level; it peaked on { $peak } with { $packets } packets.
surge-fall-ended = The decrease lasted until { $last }; the lowest day was { $peak } with { $packets } packets.
surge-fall-continuing = The decrease continued at the end of the period; the lowest day was { $peak } with { $packets } packets.
surge-fall-new-level = It has gone on for more than { $days } days and is regarded as a new level; the lowest day was { $peak } with { $packets } packets.
surge-regions-rise = By source region, { $first } accounted for { $share } of the increase, followed by { $others }.
surge-regions-rise-one = By source region, { $first } accounted for { $share } of the increase.
surge-regions-rise-packets = By source region, { $first } sent most of these packets ({ $packets_share }), followed by { $others }, while { $share } of the increase came from { $driver }.
surge-regions-fall = By source region, { $first } accounted for { $share } of the decrease, followed by { $others }.
surge-regions-fall-one = By source region, { $first } accounted for { $share } of the decrease.
surge-home-many = Many packets were observed from { $region } as well (ranked { $rank }).
surge-home-few = From { $region }, { $packets ->
    [one] { $packets } packet was observed (ranked { $rank }).
   *[other] { $packets } packets were observed (ranked { $rank }).
}
surge-home-none = No such packets were observed from { $region }.
surge-services-rise = By destination port, { $first } accounted for { $share } of the increase, followed by { $others }.
surge-services-rise-one = By destination port, { $first } accounted for { $share } of the increase.
surge-services-rise-spread = The increase was spread over many ports; the largest parts of it went to { $ports }.
surge-services-fall = By destination port, { $first } accounted for { $share } of the decrease, followed by { $others }.
surge-services-fall-one = By destination port, { $first } accounted for { $share } of the decrease.
surge-services-fall-spread = The decrease was spread over many ports; the largest parts of it were those of { $ports }.
surge-part = { $name } ({ $share })
surge-wide-rise = Unique sources increased as well, from { $before } to { $since } a day, which points to many participating hosts.
surge-wide-fall = Unique sources decreased as well, from { $before } to { $since } a day.
surge-wide-rise-unknown = Packets and unique sources both increased, which points to many participating hosts.
surge-wide-fall-unknown = Packets and unique sources both decreased.
surge-narrow-rise = { $prefixes ->
    [one] At least half of the increase came from a single prefix (IPv4 /24 or IPv6 /48).
   *[other] At least half of the increase came from only { $prefixes } prefixes (IPv4 /24 or IPv6 /48).
}
surge-narrow-fall = { $prefixes ->
    [one] At least half of the decrease was that of a single prefix (IPv4 /24 or IPv6 /48).
   *[other] At least half of the decrease was that of only { $prefixes } prefixes (IPv4 /24 or IPv6 /48).
}
surge-sources = Unique sources went from { $before } to { $since } a day.
surge-tool = Of the packets since then, { $share } bore the mark of { $tool }.
surge-newcomer = In the period before, this port had been outside the top { $places }.
surge-local = It was seen by a part of the sensors only ({ $effective } of { $sensors }, in effect), and may be a matter of these.

silence-closed = From { $times }, the number of unique sources from { $region } was far below what is usual, for { $hours } hours in all (to within { $bin } h).
silence-closed-days = From { $dates }, the number of unique sources from { $region } was far below what is usual, for { $days ->
    [one] { $days } day.
   *[other] { $days } days.
}
silence-open = From { $time }, the number of unique sources from { $region } was far below what is usual (to within { $bin } h), and had not recovered by the end of the period.
silence-open-days = From { $date }, the number of unique sources from { $region } was far below what is usual, and had not recovered by the end of the period.
silence-level = From { $date }, the number of unique sources from { $region } was far below what had been usual; as this went on for more than { $days } days, it is regarded as a change of level.
silence-depth = Of the { $usual } sources usual in { $bin ->
    [one] an hour
   *[other] { $bin } hours
}, as few as { $least } were seen ({ $depth } fewer); packets went from { $before } to { $since } a day.
silence-level-reason = A change that lasts may be one of addresses, routes or the database rather than an outage.
silence-reason = The other regions together did not fall in these hours, so an outage in the region, or of the links to it, is more likely than a fault of the sensors.

blind-nothing = From { $times } ({ $hours } h), nothing arrived at all, for longer than chance allows: the sensors or their upstream were blind.
blind-all = From { $times } ({ $hours } h), all regions together fell below what is usual: the sensors or their upstream were blind.
blind-consequence = These hours are left out of what is usual, and no region is called silent for them.

newcomer-first = { $service } ranked { $rank } in this period, having been outside the top { $places } before.
newcomer-counts = { $packets } packets from about { $sources } unique sources were observed on { $days } days, the first on { $first }.
newcomer-sensors = { $seen } of { $sensors } sensors saw it.

detail-onset = Onset
detail-last = Last day
detail-before = Packets a day before
detail-since = Packets a day since
detail-peak = Highest day
detail-lowest = Lowest day
detail-peak-value = { $date } ({ $packets } packets)
detail-packets = Packets since the onset
detail-home = Rank of { $region }
detail-home-value = { $rank } ({ $packets } packets, { $share })
detail-sources = Unique sources a day
detail-levels = { $before } → { $since }
detail-width = Breadth
detail-wide = wide
detail-narrow = narrow: { $prefixes ->
    [one] { $prefixes } prefix
   *[other] { $prefixes } prefixes
}
detail-undetermined = not determined
detail-sensors = Sensors in effect
detail-sensors-value = { $effective } of { $sensors }
detail-test = Test value
detail-test-value = z = { $z }, overdispersion { $phi }
detail-advisories = Known advisories
detail-advisory-value = { $title } ({ $date })
detail-from = From
detail-to = To
detail-open = not recovered
detail-hours = Duration
detail-hours-value = { $hours } h, to within { $bin } h
detail-hours-exact = { $hours } h
detail-usual = Usual sources per { $bin } h
detail-least = Fewest sources per { $bin } h
detail-missing = Missing source-hours
detail-levels-packets = Packets a day
detail-days = Days observed
detail-seen = Sensors that saw it

## Tools

section-tools = Tools
tools-intro = { $packets } TCP connection requests were observed, the only packets with room for a tool’s mark.
tools-share = { $share } of them, from about { $sources } unique sources, bore the mark of { $tool }.
tools-share-no-sources = { $share } of them bore the mark of { $tool }.
tools-none = None of them bore the mark of a known tool more often than by chance.
tools-no-packets = No TCP connection requests were observed, and only those have room for a tool’s mark.
tools-chance = By chance, a mark is borne by { $list }; shares that do not stand out from this are suppressed.
tools-chance-of = 1 in { $one_in } packets ({ $tool })
tools-suppressed = { $count ->
    [one] { $count } share was suppressed.
   *[other] { $count } shares were suppressed.
}
caption-tools = Tools, of TCP connection requests
caption-tools-ports = Tools by destination port
caption-tools-regions = Tools by source region
column-tool = Tool

## Survey scanners

section-surveys = Survey scanners
surveys-intro = { $prefixes } prefixes (IPv4 /24, IPv6 /48) hit at least { $ports } ports in a day. They sent { $packets } packets, { $share } of all.
surveys-none = No prefix (IPv4 /24, IPv6 /48) hit { $ports } ports in a day.
surveys-unknown = Survey scanners are not known for any day of this period.
surveys-days = They are known for { $days } of the period’s { $all } days.
surveys-slowest = With this many addresses, a scan of { $ports } ports of all IPv4 addresses shows within a day only from { $rate } packets a second on.
surveys-slowest-unknown = How slow a scan would still show cannot be said, as the number of watched addresses is not known.
caption-declared = Declared scanners
caption-surveys = Prefixes with the most packets
caption-ports-without = Destination ports without survey scanners
caption-regions-without = Source regions without survey scanners
surveys-declared-none = None of the declared scanners on the list was seen, or no list was given.
surveys-declared-note = Counted from each day’s lists of the largest prefixes: at least so many packets.
surveys-without-unknown = The rankings without survey scanners are not known for this period.
column-organisation = Organisation
column-url = Address
column-prefixes = Prefixes
column-prefix = Prefix
column-days = Days
column-ports = Most ports in a day
column-rank-without = Rank without
column-rank-with = Rank with

## Backscatter

section-backscatter = Backscatter
backscatter-off = Backscatter is not told: the sensors are hosts in use, whose own connections are answered as well.
backscatter-none = No backscatter was observed.
backscatter-intro = { $packets } packets from about { $sources } unique sources were answers to packets that somebody sent with forged sources.
backscatter-intro-no-sources = { $packets } packets were answers to packets that somebody sent with forged sources.
backscatter-victims = { $victims ->
    [one] { $victims } address was attacked, as far as this many watched addresses can tell ({ $days } pairs of address and day); { $moore } of them by Moore’s thresholds as well.
   *[other] { $victims } addresses were attacked, as far as this many watched addresses can tell ({ $days } pairs of address and day); { $moore } of them by Moore’s thresholds as well.
}
backscatter-sources = { $victims ->
    [one] { $victims } backscatter source answered in bursts ({ $days } pairs of address and day); with so few watched addresses this is not called an attack.
   *[other] { $victims } backscatter sources answered in bursts ({ $days } pairs of address and day); with so few watched addresses these are not called attacks.
}
backscatter-no-victims = No source answered in bursts.
backscatter-victims-unknown = Bursts are not known for any day of this period.
backscatter-days = Bursts are known for { $days } of the period’s { $all } days.
backscatter-detectable = An attack with random sources shows from { $rate } packets a second.
backscatter-mismatches = { $packets } ICMP errors were about packets that no watched address can have sent; they are left out.
caption-backscatter-services = Attacked services
caption-backscatter-regions = Regions of the attacked
caption-victim-services = Victims by attacked service
caption-sources-services = Backscatter sources by service
column-attacked = Attacked service
column-attacked-region = Region of the attacked
column-victims = Victims
column-burst-sources = Sources in bursts

## Advisories

section-advisories = Comparison with known advisories
advisories-none = No advisory on the list fits a port that ranked or changed in this period, or no list was given.
advisories-intro = { $count ->
    [one] { $count } known advisory or note is about a port that ranked or changed in this period.
   *[other] { $count } known advisories or notes are about ports that ranked or changed in this period.
}
advisories-caveat = The same port does not prove the same cause.
caption-advisories = Advisories
column-date = Date
column-title = Title
column-id = Identifier
column-seen = Seen in this period
column-note = Note
advisory-ranked = { $service }: rank { $rank }
advisory-found = { $heading }
advisory-only = { $service }: observed

## Quality

section-quality = Data quality
quality-complete = The period was observed without a gap of an hour or more, and nothing was lost.
quality-previous = The period before is { $dates }: { $observed } of it was observed, { $counted } of { $days } days count.
quality-no-previous = Nothing is known of the period before ({ $dates }).
caption-quality = Counts of frames and packets of all classes
caption-sensors = Sensors
caption-databases = Databases
caption-gaps = Stretches of an hour and more in which no sensor observed
caption-parameters = Parameters of this report
caption-corrections = Corrections of frozen reports
corrections-none = No figure of a frozen report had to be corrected.
column-figure = Figure
column-count = Count
column-sensor = Sensor
column-role = Role
column-group = Group
column-addresses = IPv4 addresses
column-first = First day
column-last = Last day
column-filtered = Filtered upstream
column-compared = Compared
column-database = Database
column-kind = Serves
column-built = Built
column-from = From
column-to = To
column-hours = Hours
column-parameter = Parameter
column-value = Value
column-period = Period
column-subject = Subject
column-frozen-rank = Rank as published
column-new-rank = Rank now
column-frozen-packets = Packets as published
column-new-packets = Packets now
yes = yes
no = no
database-country = regions
database-asn = autonomous systems
quality-frames = Frames received
quality-packets = IP packets counted
quality-lost = of these, without their source
quality-malformed = Malformed
quality-non-ip = Not IP
quality-unwatched = Not to a watched address
quality-local = Of the hosts’ own connections
quality-uncounted = Without a counter (must be 0)
quality-mismatches = Accounting identities that did not hold (must be 0)
quality-nic-received = Received by the network cards
quality-nic-dropped = Dropped by the network cards
quality-restarts = Restarts of the agent
quality-partial = In spans that reach beyond the period
quality-pending = Not in the rankings yet
quality-days-out = Days that do not count: { $days }.
quality-databases-changed = The database of regions changed within the period; a change of ranks around that day may be due to it.
quality-sensors-none = No sensor is known.
quality-databases-none = No database was in use.
quality-gaps-none = There was no stretch of an hour or more in which no sensor observed.

parameter-least-observed = A day or period counts when at least so much of it was observed
parameter-least-sources = Ports from fewer sources are suppressed (profile publish)
parameter-surge-days = Surge: days tested together
parameter-surge-baseline = Surge: days before them that they are compared with
parameter-surge-trimmed = Surge: highest and lowest days left out of the mean, each
parameter-surge-z = Surge: least z
parameter-surge-ratio = Surge: least ratio of the sums
parameter-surge-day-ratio = Surge: least ratio of each day
parameter-surge-excess = Surge: least excess in packets
parameter-surge-new-level = Surge: days until it is a new level
parameter-surge-history = Surge: least days of history
parameter-surge-top = Surge: candidates are the first so many of any week
parameter-surge-increase = Surge: or those with this part of the increase
parameter-surge-narrow = Surge: so few prefixes with half of the increase are narrow
parameter-silence-bins = Silence: lengths of bins in hours
parameter-silence-usual = Silence: least usual number of sources of a bin
parameter-silence-weeks = Silence: weeks whose median is usual
parameter-silence-spread-days = Silence: days of the spread
parameter-silence-spread = Silence: least spread
parameter-silence-running = Silence: bins running
parameter-silence-alert = Silence: alert below so many spreads
parameter-silence-clear = Silence: clear above so many spreads
parameter-silence-level = Silence: days until it is a change of level
parameter-blind-factor = Blind: mean intervals without a packet, times 13.8
parameter-blind-minutes = Blind: least minutes
parameter-newcomer-before = Newcomer: outside this place before
parameter-newcomer-now = Newcomer: within this place now
parameter-newcomer-sources = Newcomer: least sources
parameter-newcomer-days = Newcomer: least days
parameter-newcomer-sensors = Newcomer: sensors from which on half of them must see it
