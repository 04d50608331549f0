//! The numbers that tinyfarm is to reach: one module for each, and each beside a bare loop that does the same work with
//! as little as can be, measured in turn with it. `docs/performance.md` holds what was measured.
//!
//! `make bench` measures all of them; `cargo bench --profile dev --bench numbers -- jobs check` these two.
//!
//! | module | what lives there |
//! |---|---|
//! | `jobs` | jobs a second on emulators, from Gherkin to verdict |
//! | `cost` | what the farm adds to one job |
//! | `shipped` | a warm run of the shipped features |
//! | `check` | `tinyfarm check` of a thousand files |
//! | `many` | ten thousand scenarios in one run |
//! | `boards` | jobs, link, load and endurance of boards |
//! | `renode` | Renode beside QEMU |
//! | `ledger` | a ledger of a million jobs |
//! | `html` | the HTML report of ten thousand scenarios |
//! | `bare` | the bare loop over QEMU |
//! | `project` | a folder with features and datasets, and the program run in it |
//! | `facts` | on which machine, and when |
//! | `figures` | medians and spreads |
#![allow(missing_docs)]

mod bare;
mod boards;
mod check;
mod cost;
mod facts;
mod figures;
mod html;
mod jobs;
mod ledger;
mod many;
mod project;
mod renode;
mod shipped;

/// What goes wrong in a benchmark ends it, in whatever words it comes.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

type Benchmark = (&'static str, &'static str, fn() -> Result);

const BENCHMARKS: [Benchmark; 12] = [
    ("jobs", "hello_world jobs on emulators, from Gherkin to verdict", jobs::measure),
    ("cost", "what the farm adds to a job", cost::measure),
    ("shipped", "a warm run of the shipped features on 2 cores", shipped::measure),
    ("check", "`tinyfarm check` of 1,000 feature files", check::measure),
    ("many", "10,000 scenarios in one run", many::measure),
    ("board-jobs", "hello_world jobs on a board, first and warm", boards::jobs::measure),
    ("board-link", "RTT payload beside raw memory accesses", boards::link::measure),
    ("board-farm", "eight boards and one farm", boards::busy::measure),
    ("board-soak", "1,000 jobs on boards with random faults", boards::soak::measure),
    ("ledger", "a ledger of a million jobs", ledger::measure),
    ("html", "the HTML report of 10,000 scenarios", html::measure),
    ("renode", "Renode beside QEMU, where it is installed", renode::measure),
];

fn main() -> Result {
    // Cargo adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let Some(unknown) = wanted.iter().find(|word| BENCHMARKS.iter().all(|(name, ..)| name != word)) {
        let names: Vec<&str> = BENCHMARKS.iter().map(|(name, ..)| *name).collect();
        return Err(format!("there is no benchmark `{unknown}`; there are {}", names.join(", ")).into());
    }
    if !shipped::is_pinned() {
        println!("{}", facts::facts());
    }
    for (name, title, measure) in BENCHMARKS {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            if !shipped::is_pinned() {
                println!("\n{name}: {title}");
            }
            measure()?;
        }
    }
    Ok(())
}
