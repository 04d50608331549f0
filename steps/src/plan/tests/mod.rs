//! What is wrong with features, as people see it.

mod baselines;
mod files;
mod quarantines;
mod silences;
mod steps;

use crate::testing::yard;

const SUBJECT: &str = "Given the model \"line.tflite\" and the dataset \"line.csv\"\n";
const RUN: &str = "Given the model \"line.tflite\" and the dataset \"line.csv\"\nWhen it runs on the container\n";

/// What is wrong with a scenario of these steps.
fn wrong(steps: &str) -> String {
    yard().steps(steps).errors()
}

/// What is wrong with a feature file.
fn feature(text: &str) -> String {
    yard().file("f.feature", text).errors()
}
