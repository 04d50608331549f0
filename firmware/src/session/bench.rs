//! What stands behind the link: an emulator's process, a container's connection, a board.

use crate::protocol::Hello;
use async_trait::async_trait;
use farm::{Clock, TargetError};

/// What stands behind a session's link. Dropping it must release what it holds, too: a session that is being opened
/// may be dropped when its time is up.
#[async_trait]
pub trait Bench: Send + Sync {
    /// The clock that ticks are told in, by what the runner said of its own.
    fn clock(&self, hello: &Hello) -> Clock;

    /// The runner's ticks in ticks of that clock.
    fn ticks(&self, ticks: u64) -> u64 {
        ticks
    }

    /// The link ended or broke: what became of the process behind it. `None` if this bench cannot know. Should answer
    /// within seconds.
    async fn why_ended(&mut self) -> Option<TargetError>;

    /// Whether somebody stopped the process behind the link without ending it, in words. Asked when answers stay away.
    /// Should answer within seconds.
    async fn stopped(&mut self) -> Option<String> {
        None
    }

    /// The runner is silent, and neither stopped nor slow: looks at what it is at, for the log. Some words where that
    /// cannot be seen because the bench itself does not answer. Should answer within seconds.
    async fn look_into_silence(&mut self) -> Option<String> {
        None
    }

    /// What the tool wrote (the emulator's standard error).
    fn log(&self) -> String;

    /// Ends the process and releases the target.
    async fn close(self: Box<Self>);
}
