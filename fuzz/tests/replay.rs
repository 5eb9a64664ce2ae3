//! Replays the seeds, and prefixes of each seed, through the targets. This needs neither nightly nor the fuzzer.

use std::collections::HashSet;
use std::fs;
use std::panic;
use std::path::Path;
use std::thread;

use lark_fuzz::Target;

#[test]
fn no_prefix_of_a_seed_makes_its_target_panic() {
    // The targets take seconds, so they run side by side.
    thread::scope(|scope| {
        for (name, target) in lark_fuzz::TARGETS {
            scope.spawn(|| replay(name, *target));
        }
    });
}

/// The number of prefixes of a seed, with evenly spaced ends.
const PREFIXES: usize = 64;

fn replay(name: &str, target: Target) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let seeds: Vec<_> = fs::read_dir(seeds).unwrap().map(|seed| seed.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "{name} has no seeds");
    // Several seeds have the same prefixes.
    let mut replayed = HashSet::new();
    for path in seeds {
        let seed = fs::read(&path).unwrap();
        let step = seed.len() / PREFIXES + 1;
        let ends = (0..seed.len()).step_by(step).chain([seed.len()]);
        for end in ends.filter(|end| replayed.insert(seed[..*end].to_vec())) {
            let result = panic::catch_unwind(|| target(&seed[..end]));
            assert!(result.is_ok(), "the first {end} bytes of {}", path.display());
        }
    }
}
