//! Characters that are invisible, or that change how the text around them is shown.

/// The characters that mislead, as ranges in ascending order: the general categories Cf (format), Zl and Zp (separators
/// of lines and paragraphs), the property `Default_Ignorable_Code_Point` (such as the Hangul fillers), and `BLANK`. The
/// table lacks the joiners (property `Join_Control`) and the variation selectors (property `Variation_Selector`),
/// because the spelling of words and emoji needs them.
///
/// The source is Unicode 17.0: `DerivedGeneralCategory.txt`, `DerivedCoreProperties.txt` and `PropList.txt`. A test
/// computes the table from the crate `icu_properties`. If that crate follows a later Unicode version, the test may
/// fail, and its message shows the new table.
const HIDDEN: &[(char, char)] = &[
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200b}'),
    ('\u{200e}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffc}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{13441}', '\u{13442}'),
    ('\u{16fe4}', '\u{16fe4}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d159}', '\u{1d159}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e00ff}'),
    ('\u{e01f0}', '\u{e0fff}'),
];

/// Characters that look blank, although no property of Unicode says so: the blank pattern of Braille, the object
/// replacement character, the blanks of hieroglyphs, the filler of the Khitan small script, and the null notehead.
#[cfg(test)]
const BLANK: [char; 6] =
    ['\u{2800}', '\u{fffc}', '\u{13441}', '\u{13442}', '\u{16fe4}', '\u{1d159}'];

/// Whether `c` is invisible, looks blank, ends a line or changes the direction of the text, although it is neither a
/// control character nor a space. Joiners and variation selectors are not among these characters.
pub(crate) fn misleads(c: char) -> bool {
    let at = HIDDEN.partition_point(|(_, last)| *last < c);
    HIDDEN.get(at).is_some_and(|(first, _)| *first <= c)
}

/// Whether `c` is ZWNJ or ZWJ. They are invisible; Persian and Indic words and joined emoji are spelled with them.
pub(crate) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether `c` is a variation selector: it is invisible and selects one of several shapes of the character before it,
/// such as the coloured one of an emoji or the one of an ideograph in a Japanese name.
pub(crate) fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use icu_properties::props::{
        DefaultIgnorableCodePoint, GeneralCategory, JoinControl, VariationSelector,
    };
    use icu_properties::{CodePointMapData, CodePointSetData};

    use super::*;

    #[test]
    fn the_table_lists_the_format_and_ignorable_characters_of_unicode() {
        let category = CodePointMapData::<GeneralCategory>::new();
        let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        let joiner = CodePointSetData::new::<JoinControl>();
        let selector = CodePointSetData::new::<VariationSelector>();

        let mut table: Vec<(char, char)> = Vec::new();
        let mut before = None;
        let mut misread = Vec::new();
        for c in '\0'..=char::MAX {
            let is_format = matches!(
                category.get(c),
                GeneralCategory::Format
                    | GeneralCategory::LineSeparator
                    | GeneralCategory::ParagraphSeparator
            );
            let is_kept = (joiner.contains(c), selector.contains(c));
            let is_hidden = (is_format || ignorable.contains(c) || BLANK.contains(&c))
                && is_kept == (false, false);
            match table.last_mut() {
                Some((_, last)) if is_hidden && Some(*last) == before => *last = c,
                _ if is_hidden => table.push((c, c)),
                _ => {}
            }
            before = Some(c);
            if misleads(c) != is_hidden || (is_joiner(c), is_variation_selector(c)) != is_kept {
                misread.push(c);
            }
        }
        assert_eq!(HIDDEN, table);
        assert_eq!(misread, [] as [char; 0]);
    }
}
