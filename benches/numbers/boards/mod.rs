//! The numbers of the board stage, on simulated boards: what they owe to probe-rs and to QEMU is in the bare loops as well.
//!
//! | module | what lives there |
//! |---|---|
//! | `jobs` | attach, flash or skip the flash, 100 inferences |
//! | `link` | bytes a second over RTT |
//! | `busy` | eight boards kept at work by one farm |
//! | `soak` | a thousand jobs with random faults |
//! | `bare` | the bare loop over probe-rs |
//! | `campaign`, `explain`, `leftovers`, `yard` | shared with `boards/stage/tests/soak/` |

mod bare;
pub mod busy;
pub mod jobs;
pub mod link;
pub mod soak;

#[path = "../../../boards/stage/tests/soak/campaign.rs"]
mod campaign;
#[path = "../../../boards/stage/tests/soak/explain.rs"]
mod explain;
#[path = "../../../boards/stage/tests/soak/leftovers.rs"]
mod leftovers;
#[path = "../../../boards/stage/tests/soak/yard.rs"]
mod yard;
