//! End to end: the real program, on real QEMU, in a real container, with runners that misbehave, judged by what a user
//! sees: the exit code, the verdict, and a message that names the cause.
#![allow(missing_docs, clippy::unwrap_used)]

mod bad_datasets;
mod bad_features;
mod bad_models;
mod baselines;
mod bench;
mod boards_care;
mod boards_cli;
mod boards_faults;
mod boards_gating;
mod boards_wanted;
mod ci_recipes;
mod cli;
mod criteria;
mod html;
mod interrupted;
mod ledger;
mod lost_bench;
mod misbehaving_runner;
mod nightly;
mod own_firmware;
mod quarantine;
mod renode;
mod report_again;
mod reports;
mod sim_board;
mod since;
mod support;
mod wave;
