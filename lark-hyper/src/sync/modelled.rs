//! How a model is run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::model::Builder;
use loom::thread::JoinHandle;

/// A thread of a model. loom's default stack is too small for a call.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let words = 1 << 16;
    loom::thread::Builder::new().stack_size(words).spawn(work).unwrap()
}

/// Runs `model` in every order of its threads with at most `preemptions` preemptions, and prints the number of orders.
pub(crate) fn explore(
    name: &str,
    preemptions: Option<usize>,
    model: impl Fn() + Send + Sync + 'static,
) {
    let executions = Arc::new(AtomicUsize::new(0));
    let counter = executions.clone();
    let model = Arc::new(model);
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 10_000;
    builder.check(move || {
        count(&counter);
        let model = model.clone();
        spawn(move || model()).join().unwrap();
    });
    println!("{name}: {} executions", executions.load(Ordering::Relaxed));
}

pub(crate) fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Asserts that each of the events was counted in some execution, so that the model has covered it.
pub(crate) fn assert_covered(counts: &[AtomicUsize]) {
    let counts: Vec<_> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    println!("    {counts:?}");
    assert!(!counts.contains(&0), "{counts:?}");
}
