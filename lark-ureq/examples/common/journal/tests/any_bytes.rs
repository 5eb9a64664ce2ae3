//! Journals of any bytes: lines of journals in any order, cut, repeated and damaged anywhere.

use super::*;

/// The lines of journals. The last one begins the journal of another run.
const LINES: [&str; 7] = [
    BEGIN,
    DONE,
    FAILED,
    FAILED_AGAIN,
    HEADER,
    r#"{"record":"begin","item":"A2","file":"图.png","bytes":3,"modified":5,"hash":"h","held":"box"}"#,
    r#"{"record":"run","version":1,"run":"send_images https://open.feishu.cn cli_a1b2"}"#,
];

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}

/// The bytes of a journal of up to eight lines, after up to three damages.
fn any_bytes(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    match random.below(8) {
        0 => {}
        1 => bytes.extend_from_slice(format!("{}\n", LINES[6]).as_bytes()),
        _ => bytes.extend_from_slice(format!("{HEADER}\n").as_bytes()),
    }
    for _ in 0..random.below(8) {
        let line = LINES[[random.below(6), 6][random.below(16) / 15]];
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice([&b"\n"[..], b"\r\n", b""][random.below(12).saturating_sub(9)]);
    }
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => bytes[at..end].fill(0),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {
                let odd = [b'\n', b'"', b'{', b'\\', 0xff, b'9'][random.below(6)];
                bytes.insert(at, odd);
            }
        }
    }
    bytes
}

#[test]
fn any_bytes_are_read_the_same_by_each_run_or_left_as_they_are() {
    let folder = Folder::new();
    let path = folder.path("a.journal");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut opened = [0, 0];
    for _ in 0..400 {
        let bytes = any_bytes(&mut random);
        fs::write(&path, &bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let dry = shown(Journal::open(&path, RUN, true));
        assert_eq!(fs::read(&path).unwrap(), bytes, "a dry run changes {text:?}");
        let run: Result<Journal<Detail>, String> = Journal::open(&path, RUN, false);
        opened[usize::from(run.is_ok())] += 1;
        let journal = match run {
            Ok(journal) => journal,
            Err(error) => {
                assert_eq!(dry, Err(error.clone()), "{text:?}");
                assert!(!error.contains(char::is_control) && error.len() < 2000, "{error:?}");
                assert_eq!(
                    fs::read(&path).unwrap(),
                    bytes,
                    "a refused journal is changed: {text:?}"
                );
                continue;
            }
        };
        let kept = fs::read(&path).unwrap();
        let is_new = kept == format!("{HEADER}\n").as_bytes();
        assert!(is_new || bytes.starts_with(&kept), "{text:?} becomes another journal");
        assert!(kept.ends_with(b"\n"), "{text:?} ends in a part of a line");
        journal.begin("item of this run", "c.png", identity(), held(None)).unwrap();
        drop(journal);
        let mut again = shown(Journal::open(&path, RUN, false)).unwrap();
        again.retain(|entry| !entry.starts_with("item of this run"));
        assert_eq!(dry, Ok(again), "the next run reads another journal: {text:?}");
    }
    assert!(opened.iter().all(|count| *count > 40), "{opened:?}");
}
