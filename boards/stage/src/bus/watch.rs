//! What is plugged and unplugged, as a stream.

use super::{Attached, attached, news::News};
use futures::{Stream, stream};
use serde::Serialize;
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

/// Something came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is attached.
    Plugged(Attached),
    /// It is no more.
    Unplugged(Attached),
}

/// First what is attached now, each as [`Change::Plugged`], then what comes and goes, on USB and on the simulated bench
/// `bench`. Never ends. What goes and is back at once is no change.
///
/// To be called on the executor.
pub fn watch(bench: &Path) -> impl Stream<Item = Change> + Send + use<> {
    // Listening begins before the first look: nothing is missed in between.
    let news = News::of_bench(bench);
    let watch = Watch { bench: bench.to_owned(), news, known: Vec::new(), changes: VecDeque::new(), fresh: true };
    stream::unfold(watch, |mut watch| async { Some((watch.next().await, watch)) })
}

struct Watch {
    bench: PathBuf,
    news: News,
    known: Vec<Attached>,
    changes: VecDeque<Change>,
    /// Nobody looked yet.
    fresh: bool,
}

impl Watch {
    async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.changes.pop_front() {
                return change;
            }
            if !std::mem::take(&mut self.fresh) {
                self.news.wait().await;
            }
            let bench = self.bench.clone();
            match tokio::task::spawn_blocking(move || attached(&bench)).await {
                Ok(Ok(now)) => {
                    self.changes.extend(changes(&self.known, &now));
                    self.known = now;
                }
                Ok(Err(error)) => tracing::warn!("{error}"),
                Err(error) => tracing::warn!("cannot look at what is attached: {error}"),
            }
        }
    }
}

/// What went, then what came. A serial port that comes later than its probe is no change.
fn changes(before: &[Attached], now: &[Attached]) -> Vec<Change> {
    let missing = |from: &[Attached], one: &Attached| {
        !from.iter().any(|other| (&other.selector, &other.place) == (&one.selector, &one.place))
    };
    let gone = before.iter().filter(|one| missing(now, one)).cloned().map(Change::Unplugged);
    let come = now.iter().filter(|one| missing(before, one)).cloned().map(Change::Plugged);
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bus::bench::tests::put;
    use futures::StreamExt as _;

    async fn next(watch: &mut (impl Stream<Item = Change> + Unpin)) -> String {
        loop {
            // On a machine with USB there may be others.
            match watch.next().await.unwrap() {
                Change::Plugged(attached) if attached.simulated => return format!("+{}", attached.place),
                Change::Unplugged(attached) if attached.simulated => return format!("-{}", attached.place),
                _ => {}
            }
        }
    }

    #[tokio::test]
    async fn what_is_there_then_what_comes_and_goes_even_if_it_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        // The folder comes later than who watches it.
        let bench = folder.path().join("bench");
        let mut early = Box::pin(watch(&bench));
        std::fs::create_dir(&bench).unwrap();
        let one = put(&bench, "one", "SIM-1");
        assert_eq!(next(&mut early).await, "+one");
        let mut late = Box::pin(watch(&bench));
        assert_eq!(next(&mut late).await, "+one");
        let other = put(&bench, "other", "SIM-1");
        assert_eq!((next(&mut early).await, next(&mut late).await), ("+other".into(), "+other".into()));
        // Its lock ends and its file stays: so it looks when a process is killed.
        drop(one);
        assert_eq!((next(&mut early).await, next(&mut late).await), ("-one".into(), "-one".into()));
        std::fs::remove_file(bench.join("other.json")).unwrap();
        assert_eq!(next(&mut late).await, "-other");
        drop(other);
    }
}
