//! Tables of any bytes.

use super::{Case, LINK};

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

/// A table of fields and separators in any order, of which a byte may be damaged.
fn any_table(random: &mut Random) -> Vec<u8> {
    let link = format!("{LINK}?sheet=Q7PlXT");
    let fields = [
        LINK,
        &link,
        "Q7PlXT",
        "B1",
        "a1:b2",
        "1.gif",
        "",
        "\"a\nb\"",
        "\"",
        "图",
        "XFD1",
        "\u{1b}[1m",
    ];
    let separators = [",", ",", ",", ";", "\t", "\n", "\r\n", "\r"];
    let mut table = b"spreadsheet,sheet,cell,path\n".to_vec();
    for _ in 0..random.below(30) {
        table.extend_from_slice(fields[random.below(fields.len())].as_bytes());
        table.extend_from_slice(separators[random.below(separators.len())].as_bytes());
    }
    if random.below(3) == 0 {
        let at = random.below(table.len());
        table[at] = [0, 0xff, b'"', b'\n', b','][random.below(5)];
    }
    table
}

#[test]
fn a_table_of_any_bytes_ends_in_one_line_or_in_a_run() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut refused = 0;
    for _ in 0..40 {
        let case = Case::new();
        let table = any_table(&mut random);
        let output = case.fill_table(&table);
        let text = String::from_utf8_lossy(&table);
        let line = case.stderr(&output);
        // A panic ends a program with 101.
        assert!(matches!(output.code(), Some(0..=3)), "{output:?} {text:?}");
        assert!(!line.contains(|c: char| c.is_control() && c != '\n'), "{line:?} {text:?}");
        assert!(line.len() < 4096, "{line} {text:?}");
        if output.code() == Some(2) {
            refused += 1;
            assert_eq!(line.lines().count(), 1, "{line} {text:?}");
            assert!(line.starts_with("fill_sheet: DIR/table.csv: "), "{line} {text:?}");
            case.assert_untouched();
        }
    }
    assert!(refused > 10, "only {refused} tables are refused");
}
