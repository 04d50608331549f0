//! The Gherkin vocabulary of tinyfarm: what may be written, whether a set of features is sound, and its execution
//! through cucumber.
//!
//! | module | what lives there |
//! |---|---|
//! | [`catalogue`] | every step there is, once; documentation is printed from it |
//! | [`action`] | what a step means |
//! | [`acceptance`] | the acceptance table |
//! | [`baseline`] | what must not be worse than before |
//! | [`outputs`] | tables of expected outputs |
//! | [`tags`] | tags with a meaning |
//! | [`plan`] | features checked before anything runs |
//! | [`run`] | their execution, as events |
//!
//! Feature files become a [`Plan`], or [`PlanErrors`]; [`run`](run()) turns the plan into events and counts by verdict.

pub mod acceptance;
pub mod action;
pub mod baseline;
mod boards;
pub mod catalogue;
mod expression;
mod gherkin_text;
mod lineup;
mod numbers;
mod outline;
pub mod outputs;
mod phrase;
pub mod plan;
pub mod run;
mod source;
pub mod tags;
#[cfg(test)]
mod testing;

pub use phrase::PhraseError;
pub use plan::{Plan, PlanError, PlanErrors, PlanOptions, PlannedScenario, PlannedStep, QuarantineRule};
pub use run::{Resume, RunOptions, run};
