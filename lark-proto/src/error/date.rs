//! Dates in HTTP headers.

/// The name and the length of each month; February has its length in a common year.
const MONTHS: [(&str, i64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

/// The seconds from the beginning of the year 0 to a date such as `Sun, 06 Nov 1994 08:49:37 GMT` (IMF-fixdate of RFC
/// 9110). `None` for the obsolete forms of that RFC and for a date that does not exist. The weekday is not compared
/// with the date.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    let (weekday, rest) = text.split_once(", ")?;
    if !["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].contains(&weekday) {
        return None;
    }
    let mut fields = rest.split(' ');
    let day = number(fields.next()?, 2)?;
    let month = fields.next()?;
    let year = number(fields.next()?, 4)?;
    let mut clock = fields.next()?.split(':');
    if fields.next() != Some("GMT") || fields.next().is_some() {
        return None;
    }
    let hour = number(clock.next()?, 2)?;
    let minute = number(clock.next()?, 2)?;
    let second = number(clock.next()?, 2)?;
    let month = MONTHS.iter().position(|(name, _)| *name == month)?;
    let leap_day = i64::from(is_leap(year) && month >= 1);
    let length = MONTHS.get(month)?.1 + if month == 1 { leap_day } else { 0 };
    // 60 is a leap second.
    let exists = (1..=length).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !exists || clock.next().is_some() {
        return None;
    }
    let before: i64 = MONTHS.iter().take(month).map(|(_, length)| length).sum();
    let days = days_before(year) + before + if month > 1 { leap_day } else { 0 } + day - 1;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// A number of exactly `digits` digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let valid = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if valid { text.parse().ok() } else { None }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The number of days from the beginning of the year 0 to the beginning of `year`.
fn days_before(year: i64) -> i64 {
    let leap_years = (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
    year * 365 + leap_years
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The start of Unix time.
    const EPOCH: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

    #[test]
    fn the_difference_of_two_dates_is_a_number_of_seconds() {
        for (text, unix) in [
            (EPOCH, 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Wed, 21 Oct 2026 07:28:00 GMT", 1_792_567_680),
            ("Mon, 28 Feb 2000 23:59:59 GMT", 951_782_399),
            ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
            ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
            ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
        ] {
            assert_eq!(seconds(text).unwrap() - seconds(EPOCH).unwrap(), unix, "{text}");
        }
        assert_eq!(seconds("Sat, 01 Jan 0000 00:00:00 GMT"), Some(0));
    }

    #[test]
    fn two_days_in_a_row_are_86400_seconds_apart_in_every_year() {
        let mut days = 0;
        for year in 0..=9999 {
            for (month, (name, _)) in MONTHS.iter().enumerate() {
                let date =
                    |day: i64| seconds(&format!("Mon, {day:02} {name} {year:04} 00:00:00 GMT"));
                let last = (28..=31).rev().find(|day| date(*day).is_some()).unwrap();
                let february = if is_leap(year) { 29 } else { 28 };
                assert_eq!(last, if month == 1 { february } else { MONTHS[month].1 });
                assert_eq!(date(1), Some(days * 86_400), "{name} {year}");
                assert_eq!(date(last), Some((days + last - 1) * 86_400), "{name} {year}");
                days += last;
            }
        }
    }

    #[test]
    fn a_malformed_date_is_not_read() {
        for text in [
            "",
            "Sun",
            "Sun, ",
            "Sun, 06 Nov 1994",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06 Nov 1994 08:49:37 GMT GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun,  6 Nov 1994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov 19940 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Tue, 29 Feb 1994 08:49:37 GMT",
            "Mon, 29 Feb 2100 00:00:00 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun, ０６ Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "1994-11-06T08:49:37Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
