//! Whether a board can be trusted: what happened on it, and what follows.
//!
//! Everything that happens on a board is a line of its history, kept over runs and shared by every process that names
//! the same folder. The state is a pure function of the history; what to do next one of state, [`Policy`] and time.
//!
//! ```text
//!              infra            as many as the policy says       recovered
//!  ┌─▶ Healthy ─────▶ Suspect(n) ───────────────────▶ (Recover) ─────────▶ Recovering ──┐
//!  │     ▲  served       │                                                              │ (Check)
//!  │     └───────────────┘                                                              │
//!  ├──────────────────────────────── check passed ◀─────────────────────────────────────┤
//!  │                                                                                    ▼ check failed
//!  ├── check passed, released ◀──────────────────────────────────────────── Quarantined by itself ◀┐
//!  │                                                                          │        └────(Check)┘ after a back-off
//!  └── released ◀──────────── Quarantined by hand ◀── by hand, from anywhere ─┘
//! ```
//!
//! A fail of a model never counts against the bench: the board took it, ran it and told of it.
//!
//! | file | what lives there |
//! |---|---|
//! | `event` | what can happen to a board: the lines of its history, and their counts |
//! | `state` | the state, from the history; what to do next |
//! | `history` | history as text: what a power cut left is survived, and told |
//! | `store` | [`Health`]: the history of one board in its file |
//! | [`care`] | doing what is next |
//! | [`reference`] | the model that shows whether a board works |

pub mod care;
mod event;
mod history;
pub mod reference;
mod state;
mod store;
#[cfg(test)]
mod tests;

pub use event::{Event, Record, Tally};
pub use history::{Damaged, History};
pub(crate) use state::local;
pub use state::{Policy, Quarantine, State, Step, derive, next_step};
pub use store::{Health, HealthError, default_folder};
