//! `report.html`: one page for people, with nothing outside itself: no script, no font, no picture.
//!
//! What failed comes first. Text of features and devices is escaped by the template engine, and the page's own policy
//! forbids whatever might slip through. Charts are inline SVG beside a table that says the same.
//!
//! | file | what lives there |
//! |---|---|
//! | `parts` | the small pieces: verdicts, cells, names |
//! | `svg` | the charts, which know numbers only |
//! | `troubles` | what did not pass, and why |
//! | `matrix` | models by targets; which targets agree; confusion |
//! | `figures` | distributions, memory, bubbles |
//! | `trends` | figures over earlier runs |
//! | `bench` | the schedule, the health of the bench, targets left out |
//! | `scenarios` | every scenario, and where the run comes from |

mod bench;
mod figures;
mod matrix;
mod parts;
mod scenarios;
mod svg;
#[cfg(test)]
mod tests;
mod trends;
mod troubles;

use crate::{account::Account, documents::Document, text};
use farm::Verdict;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use parts::{escaped, mark};
use std::io;

/// The file's name in the report folder.
pub(crate) const FILE: &str = "report.html";

const STYLE: &str = include_str!("style.css");

/// Nothing is loaded and nothing runs, whatever a name in the report may say.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// Writes [`FILE`].
pub(crate) struct Html;

impl Document for Html {
    fn file(&self) -> &'static str {
        FILE
    }

    fn name(&self) -> &'static str {
        "HTML"
    }

    fn write(&self, account: &Account, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(page(account).into_string().as_bytes())
    }
}

/// A section: its anchor, its heading, and what is in it; `None`: it has nothing to tell.
type Section = (&'static str, &'static str, Option<Markup>);

fn page(account: &Account) -> Markup {
    let sections: Vec<Section> = vec![
        ("troubles", "What did not pass", troubles::section(account)),
        ("quarantine", "In quarantine", troubles::quarantined(account)),
        ("retried", "Needed another attempt", bench::retried(account)),
        ("matrix", "Models by targets", matrix::section(account)),
        ("trends", "Against the baseline and earlier runs", trends::section(account)),
        ("timings", "How long inferences took", figures::timings(account)),
        ("confusion", "Confusion", matrix::confusion(account)),
        ("agreement", "Which targets agree", matrix::agreement(account)),
        ("memory", "Memory against each target's limit", figures::memory(account)),
        ("bubbles", "Quality, speed and size", figures::bubbles(account)),
        ("schedule", "Schedule", bench::schedule(account)),
        ("bench", "Health of the bench", bench::health(account)),
        ("scenarios", "Every scenario", scenarios::section(account)),
        ("provenance", "Where this comes from", scenarios::provenance(account)),
    ];
    let there = || sections.iter().filter(|(.., body)| body.is_some());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content={ "tinyfarm " (escaped(&account.run.version)) };
                title { "tinyfarm: " (account.outcome()) ", run " (escaped(&account.run.id)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to the results" }
                header.top {
                    h1 { "tinyfarm: " (account.outcome()) }
                    p.soft {
                        "run " code { (escaped(&account.run.id)) } ", " (account.run.started.strftime("%Y-%m-%d %H:%M:%S UTC"))
                        @if let Some(took) = account.run.took { ", took " (text::time(took)) }
                    }
                    (tiles(account))
                    @if let Some(since) = &account.run.origin.since {
                        p {
                            "Of the change since " code { (escaped(&since.rev)) } ": "
                            (text::count(since.left_out, "scenario")) " left out, which it cannot have touched."
                        }
                    }
                    @if let Some(missing) = account.shortfall() { p { strong { (escaped(&missing)) } } }
                    nav aria-label="Sections" {
                        ul { @for (id, title, _) in there() { li { a href={ "#" (id) } { (title) } } } }
                    }
                }
                main id="content" tabindex="-1" {
                    @for (id, title, body) in there() {
                        section aria-labelledby=(id) {
                            h2 id=(id) { (title) }
                            @if let Some(body) = body { (body) }
                        }
                    }
                }
                footer {
                    p { "Written by tinyfarm " (escaped(&account.run.version)) " from the events of the run. Every figure is of this run unless it says otherwise." }
                }
            }
        }
    }
}

fn tiles(account: &Account) -> Markup {
    let tally = &account.tally;
    let quarantined = account.scenarios.iter().filter(|scenario| !scenario.gates()).count();
    html! {
        div.tiles {
            @for (verdict, count) in tally.counts().into_iter().rev() {
                @if count > 0 || verdict == Verdict::Pass {
                    div class={ "tile " (verdict.word()) } { b { (text::thousands(count as u64)) } (mark(verdict)) }
                }
            }
            @if quarantined > 0 {
                div.tile { b { (text::thousands(quarantined as u64)) } "in quarantine, not counted" }
            }
            @if tally.not_run() > 0 {
                div.tile { b { (text::thousands(tally.not_run() as u64)) } "not run" }
            }
        }
    }
}
