//! Tests of reading criteria.
#![allow(clippy::unwrap_used)]

use super::*;

fn read(metric: &str, bound: &str) -> String {
    match Criterion::parse(metric, bound) {
        Ok(criterion) => criterion.to_string(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn words_and_signs_say_the_same() {
    for (words, signs) in [
        ("at most 0.05", "<= 0.05"),
        ("is at most 0.05", "<= 0.05"),
        ("no more than 0.05", "≤0.05"),
        ("up to 0.05", "<=0.05"),
        ("below 0.05", "< 0.05"),
        ("is less than 0.05", "<0.05"),
        ("At Least 0.05", ">= 0.05"),
        ("no less than 0.05", "≥ 0.05"),
        ("above 0.05", "> 0.05"),
        ("more than 0.05", ">0.05"),
        ("exactly 0.05", "= 0.05"),
        ("is equal to 0.05", "== 0.05"),
        ("equals 0.05", "=0.05"),
    ] {
        assert_eq!(
            Criterion::parse("mean absolute error", words).unwrap(),
            Criterion::parse("MAE", signs).unwrap(),
            "{words}"
        );
    }
    assert_eq!(read("outputs", "the same as the container"), "outputs = container");
    assert_eq!(read("outputs", "identical to \"qemu:mps2-an386\""), "outputs = qemu:mps2-an386");
}

#[test]
fn every_metric_is_read_by_each_of_its_names_with_its_example() {
    for info in Metric::all() {
        for name in std::iter::once(&info.name).chain(info.aliases) {
            let criterion = Criterion::parse(name, info.example).unwrap();
            assert_eq!(criterion.metric().info(), info, "{name}");
            // What is shown reads back to the same.
            let bound = criterion.bound.to_string();
            assert_eq!(Criterion::parse(&criterion.metric().to_string(), &bound).unwrap(), criterion, "{criterion}");
        }
    }
    assert_eq!(Metric::parse("The TOP 1  accuracy").unwrap().to_string(), "top-1 accuracy");
    assert_eq!(Metric::parse("mean_absolute-error").unwrap().to_string(), "mean absolute error");
}

#[test]
fn no_two_metrics_share_a_name() {
    let mut names: Vec<String> = Metric::all()
        .iter()
        .flat_map(|info| std::iter::once(&info.name).chain(info.aliases))
        .map(|name| name.to_lowercase().replace('-', " "))
        .collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn criteria_show_themselves_in_one_way() {
    let shown = [
        read("mean absolute error", "at most 0.05"),
        read("accuracy", "at least 90%"),
        read("accuracy", ">= 0.9"),
        read("wrong samples", "= 0"),
        read("precision", ">= 0.8 for class \"yes\""),
        read("recall of class 'not a dog'", ">= 80 %"),
        read("F1", "above 0.5"),
        read("outputs", "= container"),
        read("outputs", "within 1e-6 of container"),
        read("predicted classes", "same as host"),
        read("bit-identical outputs", "at least 95 % of the container"),
        read("same argmax", ">= 99 % vs container"),
        read("largest difference", "<= 1e-6 compared with container"),
        read("instructions p99", "<= 8,000"),
        read("p99 instructions", "below 8000 instructions"),
        read("latency p99", "<= 5 ms"),
        read("median latency", "between 1 and 2 ms"),
        read("median latency", "between 900 us and 2 ms"),
        read("arena", "<= 1.5 KiB"),
        read("RAM", "< 64 KiB"),
        read("flash total", "<= 512000"),
    ];
    insta::assert_snapshot!(shown.join("\n"), @r#"
    mean absolute error <= 0.05
    top-1 accuracy >= 90 %
    top-1 accuracy >= 0.9
    misclassified samples = 0
    precision of class "yes" >= 0.8
    recall of class "not a dog" >= 80 %
    F1 > 0.5
    outputs = container
    outputs within 1e-6 of container
    argmax = host
    identical outputs >= 95 % against container
    same argmax >= 99 % against container
    largest difference <= 1e-6 against container
    instructions p99 <= 8000
    instructions p99 < 8000 instructions
    latency p99 <= 5 ms
    latency median between 1 ms and 2 ms
    latency median between 900 us and 2 ms
    arena used <= 1.5 KiB
    RAM < 64 KiB
    flash <= 512000
    "#);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_mend() {
    let refused = [
        read("mean absolut eror", "<= 0.05"),
        read("wibble", "<= 0.05"),
        read("latency", "<= 5 ms"),
        read("mean absolute error", "0.05"),
        read("mean absolute error", "<= "),
        read("mean absolute error", "<= 0,05"),
        read("mean absolute error", "<= 5 %"),
        read("mean absolute error", "= container"),
        read("mean absolute error", "within 0.1 of container"),
        read("accuracy", ">= 90"),
        read("accuracy", ">= 101 %"),
        read("accuracy", "= 100 %"),
        read("accuracy", ">= 90 ms"),
        read("misclassified samples", "<= 2.5"),
        read("misclassified samples", "<= -1"),
        read("latency p99", "<= 5"),
        read("latency p99", "<= 5 KiB"),
        read("latency p99", "between 5 ms and 3 ms"),
        read("latency p99", "between 5 ms"),
        read("instructions p99", "<= 5 ms"),
        read("outputs", "<= container"),
        read("outputs", "= 5"),
        read("outputs", "= "),
        read("outputs", "within 0.1"),
        read("outputs", "within -0.1 of container"),
        read("identical outputs", ">= 95 %"),
        read("precision of class \"yes\"", ">= 0.8 for class \"no\""),
        read("recall of class ", ">= 0.8"),
    ];
    insta::assert_snapshot!(refused.join("\n"), @r#"
    error: unknown metric `mean absolut eror`: did you mean `mean absolute error`?
    error: unknown metric `wibble`: there is: mean absolute error, root mean square error, maximum error, top-1 accuracy, misclassified samples, precision, recall, F1, outputs, argmax, identical outputs, same argmax, largest difference, instructions min, instructions median, instructions p90, instructions p99, instructions max, latency min, latency median, latency p90, latency p99, latency max, arena used, firmware text, firmware data, firmware bss, flash, RAM
    error: unknown metric `latency`: say which: `latency min`, `latency median`, `latency p90`, `latency p99`, `latency max`
    error: `0.05` is not a bound of mean absolute error: write it like `<= 0.05`
    error: `` is not a number: write it like `8,000`, `0.05`, `1e-3`, `90 %`, `5 ms` or `1.5 KiB`
    error: `0,05` is not grouped in thousands: write `8,000` for eight thousand and, with a point, `0.05` for a fraction
    error: `5 %` does not go with mean absolute error: it is a number, like `0.05`
    error: `container` is not a number: write it like `8,000`, `0.05`, `1e-3`, `90 %`, `5 ms` or `1.5 KiB`
    error: `within 0.1 of container` is not a bound of mean absolute error: write it like `<= 0.05`
    error: `90` is not a share: top-1 accuracy lies between 0 and 1, or 0 % and 100 %
    error: `101 %` is not a share: top-1 accuracy lies between 0 and 1, or 0 % and 100 %
    error: `= 100 %`: no number of samples shows an exact accuracy; bound it with `>=`, or count with the metric `misclassified samples`, like `= 0`
    error: `90 ms` does not go with top-1 accuracy: it is a share, like `90 %`
    error: `2.5` is not a whole number of 0 or more: misclassified samples is a count
    error: `-1` is not a whole number of 0 or more: misclassified samples is a count
    error: `5` does not go with latency p99: it is a time, like `5 ms`
    error: `5 KiB` does not go with latency p99: it is a time, like `5 ms`
    error: nothing lies between 5 ms and 3 ms: write the smaller number first
    error: `between 5 ms` is not a bound of latency p99: write it like `<= 5 ms`
    error: `5 ms` does not go with instructions p99: it is a count of instructions, like `8,000`
    error: `<= container` is not a bound of outputs: write it like `= container` or `within 1e-6 of container`
    error: `= 5` is not a bound of outputs: write it like `= container` or `within 1e-6 of container`
    error: `=` is not a bound of outputs: write it like `= container` or `within 1e-6 of container`
    error: `within 0.1` is not a bound of outputs: write it like `= container` or `within 1e-6 of container`
    error: `within -0.1 of container` is not a bound of outputs: write it like `= container` or `within 1e-6 of container`
    error: identical outputs compares with another target: say which, like `>= 95 % against container`
    error: precision of class "yes" cannot be of class "no" too
    error: unknown metric `recall of class`: did you mean `recall`?
    "#);
}
