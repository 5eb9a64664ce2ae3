//! Replays the seeds, and every beginning of each, through the targets; on stable, without the fuzzer.

use std::fs;
use std::path::Path;

#[test]
fn seeds() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (name, target) in lark_fuzz::TARGETS {
        let files: Vec<_> = fs::read_dir(seeds.join(name)).into_iter().flatten().collect();
        assert!(!files.is_empty(), "{name} has no seeds");
        for file in files {
            let path = file.unwrap().path();
            println!("{}", path.display());
            let seed = fs::read(path).unwrap();
            for end in 0..=seed.len() {
                target(&seed[..end]);
            }
        }
    }
}
