//! The vocabulary as a page for people: `tinyfarm steps` and `docs/writing-features.md`.

use super::{definitions, word};
use crate::{action::Place, tags};
use farm::criterion::Metric;
use gherkin::StepType;
use std::fmt::Write as _;

const HEAD: &str = r#"<!-- Generated from steps/src/catalogue by a test; change it there, then run the tests with TINYFARM_UPDATE_DOCS=1. -->

# Writing features

A feature file says in [Gherkin](https://cucumber.io/docs/gherkin/reference) what a model must do, and where. `tinyfarm run` runs it,
`tinyfarm check` only looks whether it is sound, and `tinyfarm steps` prints the steps of this page.

```gherkin
Feature: hello_world predicts a sine

  Scenario: everywhere the same
    Given the model "hello_world" and the dataset "sine"
    When it runs on every stage, accepted by
      | metric              | container | emulator    |
      | mean absolute error | <= 0.05   | <= 0.05     |
      | outputs             |           | = container |
      | instructions p99    |           | <= 8,000    |
```

A scenario's steps run in order, and one that does not pass ends it: what comes after is not touched. The scenario's verdict is that of its
worst step: *pass*, *fail* (the model is at fault), *infra* (the bench is), *blocked* (it could not be tried) or *inconclusive* (the evidence
cannot decide). No output is never a pass.

All of Gherkin works: `Background`, `Rule`, `Scenario Outline` with `Examples`, `And`, `But` and `*`, tags, tables, doc strings, and
`# language: fr` for its keywords (steps stay as they are here).

"#;

const BOARDS: &str = r#"### Boards

A board is named, and tagged, by its definition. Features are shared between farms, and each has boards of its own: where no board is as the
step wants it, the scenario is *blocked* and says what was looked for and what there is. So it is where all are absent or quarantined.

A simulated board runs the same firmware and is labelled `(simulated)` wherever it is named. It counts instructions and tells no time: a bound
on instructions is judged there, one on latency is *inconclusive*. With `tinyfarm run --require-boards`, for gates, simulated boards are as if
they were not there: a step that has no other is *blocked*, and so is `every stage` where there is no real board, and each board that is absent.

"#;

const NUMBERS: &str = r#"
## Numbers

Numbers read as people write them: `0.05`, `1e-3`, `8,000`, `90 %`, `5 ms` (`s`, `ms`, `us`, `ns`), `1.5 KiB` (`B`, `KB` = 1,000 bytes,
`KiB` = 1,024 bytes, `MB`, `MiB`). They are compared exactly as written: a criterion missed by one unit in the last place is missed.
"#;

const ACCEPTANCE: &str = r#"
## Acceptance tables

The first column is `metric`. Each other column says in its heading which targets it speaks of:

| heading | speaks of |
|---|---|
| `bound` | every target of the step |
| `container`, `emulator`, `board` | the targets of that stage; the `container` column also holds for the `host` where it stands in |
| `host` | the host alone |
| a target's name, like `qemu:mps2-an386` or a board's | that target; a bound in its cell stands in place of its stage's, and it is never left out |

An empty cell asks for nothing of its own. A bound is written `<= 0.05`, `< 0.05`, `>= 90 %`, `> 90 %`, `= 0`, `between 1 and 2`,
`>= 80 % for class "yes"`; to compare with another target `= container`, `= qemu:mps2-an386`, `within 1e-6 of container`,
`>= 95 % against container`. The target that is compared with runs first, if the scenario has not run it yet;
a bound for several targets is not asked of that one.

On `every stage`, a stage is judged before the next one starts. One that does not pass keeps the later ones from being touched.
"#;

const BASELINES: &str = r#"
## Baselines

A baseline is what somebody has accepted: `tinyfarm baseline accept` takes the figures and outputs of a run, for each model, dataset and target.
`nothing is worse than the baseline` then compares every job with it:

- Instructions, errors, accuracy, sizes and the arena are the same whenever nothing has changed: one that is worse by a trace is a *fail*,
  which names it, before and after. `by more than 2 %` allows each 2 % of its accepted value.
- Outputs that differ, of the same model and dataset, are a *fail*, whatever is allowed. Those of another model are not compared, and it says so.
- A time on a board varies. It is worse only beyond 3 deviations of the spread of the runs that the baseline stands among (of the same model,
  dataset, runner and tools, up to its own) and beyond what is allowed; and only if it is so again when the job is run once more. With fewer
  than 5 such runs the spread is not known: what is worse is *inconclusive* then, and says how many more runs would tell.
- A model that fitted, and does not any more, is a *fail*, also where the step says that it runs where it fits.
- Where nothing was accepted, or it was measured with another dataset, it is *inconclusive*: accept a run. Without a ledger it is *blocked*.

What is better is no fail, and stays unguarded until it is accepted.
"#;

const METRICS: &str = r#"
## Metrics

A metric in an acceptance table, or in `Then the … is at most …`. Letter case does not matter.

| metric | also | a bound | what it is | needs |
|---|---|---|---|---|
"#;

const TAGS: &str = r#"
## Tags

Any tag can be filtered by: `tinyfarm run --tags "@smoke and not @slow"`. These also mean something:

| tag | meaning |
|---|---|
"#;

const END: &str = r#"
A tag nearer the scenario overrides one farther away (feature, rule, scenario, examples); two different values in one place contradict each
other and are refused, as is a step on a stage that the tag rules out.
"#;

/// The page `docs/writing-features.md`.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for keyword in [StepType::Given, StepType::When, StepType::Then] {
        let _ = writeln!(page, "## {}\n", word(keyword));
        for definition in definitions().filter(|definition| definition.keyword == keyword) {
            let _ = writeln!(page, "### `{}`\n\n{}\n", definition.pattern, definition.summary);
            let _ = writeln!(page, "```gherkin\n{} {}\n```\n", word(keyword), definition.example);
        }
        if keyword == StepType::When {
            page.push_str("`{place}` is one of:\n\n| place | meaning |\n|---|---|\n");
            for (phrase, meaning) in Place::PHRASES {
                let _ = writeln!(page, "| `{phrase}` | {meaning} |");
            }
            page.push('\n');
            page.push_str(BOARDS);
        }
    }
    page.push_str("`{reference}` is `the container's`, `the host's` or `those on \"…\"` with a target's name.\n");
    page.push_str(ACCEPTANCE);
    page.push_str(BASELINES);
    page.push_str(METRICS);
    for metric in Metric::all() {
        let also = metric.aliases.iter().map(|alias| format!("`{alias}`")).collect::<Vec<_>>().join(", ");
        let meaning = metric.meaning.replace('|', "\\|");
        let _ = writeln!(
            page,
            "| `{}` | {also} | `{}` | {meaning} | {} |",
            metric.name,
            metric.example,
            metric.needs.words()
        );
    }
    page.push_str(NUMBERS);
    page.push_str(TAGS);
    for (_, example, meaning) in tags::RESERVED {
        let _ = writeln!(page, "| `{example}` | {meaning} |");
    }
    page.push_str(END);
    page
}

/// The steps as `tinyfarm steps` prints them: what to write, and what it does.
pub fn text() -> String {
    let mut text = String::new();
    for definition in definitions() {
        let _ = writeln!(text, "{} {}", word(definition.keyword), definition.pattern);
        for line in wrapped(definition.summary, 96) {
            let _ = writeln!(text, "    {line}");
        }
        let example = definition.example.replace('\n', "\n    ");
        let _ = writeln!(text, "    e.g. {} {example}\n", word(definition.keyword));
    }
    let _ = writeln!(text, "{{place}} is one of");
    for (phrase, meaning) in Place::PHRASES {
        let _ = writeln!(text, "    {phrase:<34}{meaning}");
    }
    let _ = writeln!(text, "\n{{metric}} is one of");
    for metric in Metric::all() {
        let _ = writeln!(text, "    {:<26}{:<28}{}", metric.name, metric.example, metric.needs.words());
    }
    let _ = writeln!(text, "\n{{reference}} is the container's, the host's or those on \"…\"");
    let _ = writeln!(text, "{{quantity}} is a number with its unit: 0.05, 8,000, 90 %, 5 ms, 1.5 KiB");
    text
}

/// `text` in lines of `width` characters at most, where its words let it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
