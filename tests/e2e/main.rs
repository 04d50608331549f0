//! End to end: the real program, on real QEMU, in a real container, with runners that misbehave, judged by what a user
//! sees: the exit code, the verdict, and a message that names the cause.
#![allow(missing_docs, clippy::unwrap_used)]

mod bad_datasets;
mod bad_features;
mod bad_models;
mod bench;
mod boards_care;
mod boards_cli;
mod boards_faults;
mod boards_gating;
mod boards_wanted;
mod cli;
mod criteria;
mod interrupted;
mod lost_bench;
mod misbehaving_runner;
mod renode;
mod reports;
mod sim_board;
mod support;
