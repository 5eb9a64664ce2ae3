//! The tests of the public API. They form one program, because each test program is linked separately. The tests that
//! count the allocations or the memory of the whole process are programs of their own.
//!
//! The rule that a new test checks decides where the test goes:
//! * a rule of one function, or a value at, below and above a limit: the unit tests of its file in `src`;
//! * the bytes of a request: `golden`, `round_trip`, `curl`;
//! * a reply and its error: a table in `replies`;
//! * a rule of the session, on a virtual clock: `session`, in the file of its subject;
//! * a rule for every order of events: the check of the rule in `session/model`;
//! * a rule that every client keeps: a scenario in `src/fake/scenarios/cases`, which all clients run;
//! * what only threads, wakers or sockets can break: the tests of the client.

mod curl;
mod fixtures;
mod golden;
mod replies;
mod round_trip;
mod scenarios;
mod secrets;
mod session;
mod sim;
mod vectors;

/// The page `walk` leads a reader through the sources.
#[test]
fn the_files_that_the_walk_names_exist() {
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let walk = include_str!("../../src/walk.md");
    let named = walk.split('`').skip(1).step_by(2);
    let own = named
        .filter(|it| it.contains('/') || it.ends_with(".rs"))
        .filter(|it| !it.starts_with("lark-"));
    let files: Vec<&str> = own.collect();
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        assert!(sources.join(file).exists(), "{file}");
    }
}
