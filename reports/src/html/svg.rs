//! Charts as inline SVG. They know numbers and labels only; each has a title and a description for those who do not see it.

use crate::account::Bucket;
use maud::{Markup, html};

/// A number for an attribute: to a tenth of a pixel.
fn at(number: f64) -> String {
    let text = format!("{:.1}", if number.is_finite() { number } else { 0.0 });
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// How many inferences took how long, from the smallest to the largest.
pub(super) fn histogram(buckets: &[Bucket], title: &str, shown: impl Fn(u64) -> String) -> Markup {
    const WIDTH: f64 = 240.0;
    const HEIGHT: f64 = 36.0;
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(1).max(1) as f64;
    let width = WIDTH / buckets.len().max(1) as f64;
    // One bucket is one value: a bar as wide as the chart would look like a spread.
    let width = width.min(12.0);
    html! {
        svg.fixed width="240" height="38" viewBox="0 0 240 38" role="img" aria-label=(title) {
            title { (title) }
            desc {
                @for bucket in buckets.iter().filter(|bucket| bucket.count > 0) {
                    (bucket.count) " from " (shown(bucket.from)) " to " (shown(bucket.to)) "; "
                }
            }
            line.rule x1="0" y1="37" x2="240" y2="37" {}
            @for (index, bucket) in buckets.iter().enumerate().filter(|(_, bucket)| bucket.count > 0) {
                // At least a pixel, so that a single slow inference is seen.
                @let height = (bucket.count as f64 / most * HEIGHT).max(1.0);
                rect.bar x=(at(index as f64 * width)) y=(at(37.0 - height)) width=(at((width - 0.5).max(0.8))) height=(at(height)) {}
            }
        }
    }
}

/// Values over runs, oldest first, the last one of this run; a dashed line where the baseline is.
pub(super) fn spark(values: &[f64], baseline: Option<f64>, title: &str) -> Markup {
    let all = || values.iter().copied().chain(baseline);
    let (least, most) =
        all().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), it| (least.min(it), most.max(it)));
    let range = most - least;
    let y = |value: f64| if range > 0.0 { 26.0 - (value - least) / range * 22.0 } else { 15.0 };
    let step = 150.0 / (values.len().max(2) - 1) as f64;
    let points: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(index, value)| format!("{},{}", at(4.0 + index as f64 * step), at(y(*value))))
        .collect();
    html! {
        svg.fixed width="160" height="30" viewBox="0 0 160 30" role="img" aria-label=(title) {
            title { (title) }
            desc { @for value in values { (value) "; " } }
            @if let Some(baseline) = baseline {
                line.mark x1="0" x2="160" y1=(at(y(baseline))) y2=(at(y(baseline))) stroke-dasharray="4 3" {}
            }
            polyline.line points=(points.join(" ")) {}
            @if let Some(last) = values.last() {
                circle.dot cx=(at(4.0 + (values.len() - 1) as f64 * step)) cy=(at(y(*last))) r="3" {}
            }
        }
    }
}

/// How much of `limit` is `used`; of an unknown limit the bar is of the largest beside it.
pub(super) fn fill(used: f64, limit: Option<f64>, largest: f64, title: &str) -> Markup {
    let whole = limit.unwrap_or(largest).max(1.0);
    let width = (used / whole * 118.0).clamp(1.0, 118.0);
    let class = if limit.is_some_and(|limit| used > limit) { "fail" } else { "bar" };
    html! {
        svg.fixed width="120" height="14" viewBox="0 0 120 14" role="img" aria-label=(title) {
            title { (title) }
            @if limit.is_some() { rect.back x="0.5" y="0.5" width="119" height="13" rx="2" {} }
            rect class=(class) x="1" y="2" width=(at(width)) height="10" rx="1" {}
        }
    }
}

/// A bubble: where, how large, and what it is. In the chart it has its number.
pub(super) struct Bubble {
    pub x: f64,
    pub y: f64,
    /// What its area stands for; `None`: not known, drawn small.
    pub size: Option<f64>,
    pub title: String,
}

/// The numbers of bubbles (centre and radius, from 1) above them, those that would lie on each other together.
fn labels(bubbles: impl Iterator<Item = (f64, f64, f64)>) -> Vec<(String, f64, f64)> {
    let mut labels: Vec<(String, f64, f64)> = Vec::new();
    for (index, (x, y, radius)) in bubbles.enumerate() {
        let (number, y) = (index + 1, y - radius - 4.0);
        match labels.iter_mut().find(|(_, other_x, other_y)| (x - *other_x).abs() < 40.0 && (y - *other_y).abs() < 14.0)
        {
            Some((numbers, _, top)) => {
                numbers.push_str(&format!(", {number}"));
                *top = top.min(y);
            }
            None => labels.push((number.to_string(), x, y)),
        }
    }
    labels
}

/// Bubbles over a logarithmic x and a linear y axis.
pub(super) fn bubbles(
    all: &[Bubble],
    x_name: &str,
    y_name: &str,
    y_shown: impl Fn(f64) -> String,
    title: &str,
) -> Markup {
    const LEFT: f64 = 74.0;
    const RIGHT: f64 = 690.0;
    const TOP: f64 = 22.0;
    const BOTTOM: f64 = 268.0;
    let bounds = |of: fn(&Bubble) -> f64| {
        all.iter().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), it| (least.min(it), most.max(it)))
    };
    let log = |value: f64| value.max(1e-12).log10();
    let (x_least, x_most) = bounds(|bubble| bubble.x);
    let (x_first, x_last) = (log(x_least).floor(), log(x_most).ceil().max(log(x_least).floor() + 1.0));
    let (y_least, y_most) = bounds(|bubble| bubble.y);
    let pad = if y_most > y_least { (y_most - y_least) * 0.15 } else { y_most.abs().max(0.01) * 0.2 };
    let (y_first, y_last) = (y_least - pad, y_most + pad);
    let x = |value: f64| LEFT + (log(value) - x_first) / (x_last - x_first) * (RIGHT - LEFT);
    let y = |value: f64| BOTTOM - (value - y_first) / (y_last - y_first) * (BOTTOM - TOP);
    let largest = all.iter().filter_map(|bubble| bubble.size).fold(1.0, f64::max);
    let radius = |size: Option<f64>| size.map_or(4.0, |size| (size / largest).sqrt() * 26.0).max(4.0);
    html! {
        svg width="720" height="310" viewBox="0 0 720 310" role="img" aria-label=(title) {
            title { (title) }
            desc { @for (index, bubble) in all.iter().enumerate() { (index + 1) ": " (bubble.title) "; " } }
            rect.back x=(at(LEFT)) y=(at(TOP)) width=(at(RIGHT - LEFT)) height=(at(BOTTOM - TOP)) {}
            @for power in (x_first as i32)..=(x_last as i32) {
                @let place = LEFT + (f64::from(power) - x_first) / (x_last - x_first) * (RIGHT - LEFT);
                line.rule x1=(at(place)) x2=(at(place)) y1=(at(TOP)) y2=(at(BOTTOM)) {}
                text.soft x=(at(place)) y="284" text-anchor="middle" { (power_of_ten(power)) }
            }
            @for part in [0.0, 0.5, 1.0] {
                @let value = y_first + (y_last - y_first) * part;
                text.soft x="68" y=(at(y(value) + 4.0)) text-anchor="end" { (y_shown(value)) }
            }
            text.soft x=(at((LEFT + RIGHT) / 2.0)) y="303" text-anchor="middle" { (x_name) }
            text.soft x="4" y="14" { (y_name) }
            @for bubble in all {
                circle.bubble cx=(at(x(bubble.x))) cy=(at(y(bubble.y))) r=(at(radius(bubble.size))) { title { (bubble.title) } }
            }
            @for (numbers, x, y) in labels(all.iter().map(|bubble| (x(bubble.x), y(bubble.y), radius(bubble.size)))) {
                text x=(at(x)) y=(at(y)) text-anchor="middle" { (numbers) }
            }
        }
    }
}

fn power_of_ten(power: i32) -> String {
    const UP: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = power.unsigned_abs().to_string();
    let up: String = digits.bytes().filter_map(|digit| UP.get(usize::from(digit - b'0'))).collect();
    format!("10{}{up}", if power < 0 { "⁻" } else { "" })
}

/// A bar of a timeline: from and to in seconds, its class, and what it is.
pub(super) struct Span {
    pub from: f64,
    pub to: f64,
    pub class: &'static str,
    pub title: String,
}

/// Rows of bars over `seconds`.
pub(super) fn timeline(rows: &[(String, Vec<Span>)], seconds: f64, title: &str) -> Markup {
    const LEFT: f64 = 210.0;
    const WIDTH: f64 = 780.0;
    const ROW: f64 = 20.0;
    let height = rows.len() as f64 * ROW + 28.0;
    let x = |second: f64| LEFT + second / seconds.max(1e-9) * WIDTH;
    html! {
        svg.fixed width="1000" height=(at(height)) viewBox={ "0 0 1000 " (at(height)) } role="img" aria-label=(title) {
            title { (title) }
            desc { @for (name, spans) in rows { (name) ": " (spans.len()) " bars; " } }
            @for part in 0..=5 {
                @let second = seconds * f64::from(part) / 5.0;
                line.rule x1=(at(x(second))) x2=(at(x(second))) y1="0" y2=(at(height - 20.0)) {}
                text.soft x=(at(x(second))) y=(at(height - 6.0)) text-anchor=(if part == 5 { "end" } else { "middle" }) {
                    @if part == 0 { "0" } @else { (crate::text::time(std::time::Duration::from_secs_f64(second.max(0.0)))) }
                }
            }
            @for (index, (name, spans)) in rows.iter().enumerate() {
                @let y = index as f64 * ROW;
                text x="204" y=(at(y + 14.0)) text-anchor="end" { (name) }
                @for span in spans {
                    rect class=(span.class) x=(at(x(span.from))) y=(at(y + 3.0)) width=(at((x(span.to) - x(span.from)).max(0.8))) height="13" {
                        title { (span.title) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of an attribute, one for each element that has it.
    fn attribute(svg: &str, name: &str) -> Vec<f64> {
        let opening = format!(" {name}=\"");
        let parts = svg.split(&opening).skip(1);
        parts.filter_map(|part| part.split('"').next()?.parse().ok()).collect()
    }

    #[test]
    fn a_single_slow_inference_is_seen_in_a_histogram() {
        let bucket = |from, count| Bucket { from, to: from + 9, count };
        let svg = histogram(&[bucket(0, 100_000), bucket(10, 0), bucket(20, 1)], "t", |ticks| ticks.to_string())
            .into_string();
        // The back line has no height; two bars, the empty bucket none.
        let heights = attribute(&svg, "height");
        assert_eq!(heights[1..], [36.0, 1.0], "{svg}");
        assert!(svg.contains("<desc>100000 from 0 to 9; 1 from 20 to 29; </desc>"), "{svg}");
    }

    #[test]
    fn a_value_that_never_changed_is_a_level_line() {
        let svg = spark(&[5.0, 5.0], Some(5.0), "t").into_string();
        assert!(svg.contains("points=\"4,15 154,15\"") && svg.contains("y1=\"15\""), "{svg}");
        let one = spark(&[5.0], None, "t").into_string();
        assert!(one.contains("cx=\"4\"") && !one.contains("NaN"), "{one}");
    }

    #[test]
    fn a_bar_over_its_limit_is_full_and_marked() {
        let svg = fill(200.0, Some(100.0), 1.0, "t").into_string();
        assert!(svg.contains("class=\"fail\"") && attribute(&svg, "width").contains(&118.0), "{svg}");
        assert!(!fill(50.0, None, 100.0, "t").into_string().contains("back"), "no frame without a limit");
    }

    #[test]
    fn bubbles_of_any_numbers_stay_in_the_picture() {
        for (x, y) in [(0.0, 0.0), (1e-9, 1.0), (1e12, -5.0), (f64::NAN, f64::INFINITY)] {
            let bubble = |size| Bubble { x, y, size, title: String::new() };
            let svg =
                bubbles(&[bubble(None), bubble(Some(3.0))], "x", "y", |value| value.to_string(), "t").into_string();
            assert!(attribute(&svg, "cx").iter().all(|cx| (0.0..=720.0).contains(cx)), "{svg}");
            assert!(!svg.contains("=\"NaN"), "{svg}");
        }
    }

    #[test]
    fn numbers_that_would_lie_on_each_other_stand_together() {
        let labels = labels([(100.0, 50.0, 10.0), (105.0, 50.0, 4.0), (300.0, 50.0, 4.0)].into_iter());
        let numbers: Vec<&str> = labels.iter().map(|(numbers, ..)| numbers.as_str()).collect();
        assert_eq!(numbers, ["1, 2", "3"]);
    }

    #[test]
    fn a_bar_of_no_length_is_still_drawn_and_a_run_of_no_length_divides_by_nothing() {
        let span = Span { from: 0.0, to: 0.0, class: "bar", title: String::new() };
        let svg = timeline(&[("t".to_owned(), vec![span])], 0.0, "t").into_string();
        assert!(svg.contains("width=\"0.8\"") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
