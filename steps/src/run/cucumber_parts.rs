//! The parts that cucumber lets one bring: where features come from, and where its events go.

use super::{FarmWorld, Shared};
use cucumber::{Event, Parser, Writer, cli, event, parser, writer};
use futures::stream::{self, LocalBoxStream, StreamExt as _};
use gherkin::Feature;
use std::{
    sync::{Arc, atomic::Ordering},
    task::Poll,
};

/// Feeds cucumber the planned scenarios, parsed and expanded long ago, each as a feature of its own and only when it is
/// soon to run.
///
/// Cucumber looks through all scenarios that wait whenever one ends, which is quadratic in a long run, and keeps a copy
/// of each: so no more than `window` are with it at a time. It must never be left without one while more are to come,
/// because it would then spin without giving way to this stream. It polls the stream each time it wakes, and in one
/// wake cannot end many more scenarios than run at once, since each gives way several times on its way: a window of
/// four times those is safe.
pub(super) struct Feed {
    /// Most scenarios fed and not ended.
    pub window: usize,
}

impl Parser<Arc<Shared>> for Feed {
    type Cli = cli::Empty;
    type Output = LocalBoxStream<'static, parser::Result<Feature>>;

    fn parse(self, shared: Arc<Shared>, _: cli::Empty) -> Self::Output {
        let mut next = 0;
        stream::poll_fn(move |_| {
            let Some(planned) = shared.scenarios.get(next) else { return Poll::Ready(None) };
            if shared.outstanding.load(Ordering::Relaxed) >= self.window {
                // No waker is needed: whatever ends a scenario wakes cucumber, and cucumber polls this.
                return Poll::Pending;
            }
            shared.outstanding.fetch_add(1, Ordering::Relaxed);
            next += 1;
            let mut feature = Feature::clone(&planned.feature);
            let scenario = planned.scenario.clone();
            match &planned.rule {
                Some(rule) => {
                    let mut rule = gherkin::Rule::clone(rule);
                    rule.scenarios = vec![scenario];
                    feature.rules = vec![rule];
                }
                None => feature.scenarios = vec![scenario],
            }
            Poll::Ready(Some(Ok(feature)))
        })
        .boxed_local()
    }
}

/// Takes cucumber's events and keeps none: the farm's own have been told where they happened. Writers that put events
/// in order or repeat them hold on to every scenario's world until the end.
pub(super) struct Discard;

impl Writer<FarmWorld> for Discard {
    type Cli = cli::Empty;

    async fn handle_event(&mut self, event: parser::Result<Event<event::Cucumber<FarmWorld>>>, _: &cli::Empty) {
        if let Err(error) = event {
            tracing::error!("cucumber refused a planned scenario: {error}");
        }
    }
}

impl writer::Normalized for Discard {}
impl writer::NonTransforming for Discard {}
