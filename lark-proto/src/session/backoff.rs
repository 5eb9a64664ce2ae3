//! The backoff after failures for which the service names no wait.

use std::time::Duration;

/// The first backoff. It doubles with each failure.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
/// The longest backoff.
const MAX_BACKOFF: Duration = Duration::from_secs(8);

/// The exponential backoff after `failures` failures in a row: half a second, doubled with each failure up to eight
/// seconds. Any value of `jitter`, including 0, shortens it by up to a half.
pub(super) fn backoff(failures: u32, jitter: u64) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let wait = FIRST_BACKOFF.saturating_mul(doubled).min(MAX_BACKOFF);
    // Multiplying by the constant of splitmix64 gives each failure a different fraction.
    let mixed = jitter.wrapping_add(u64::from(failures)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let [high, low, ..] = mixed.to_be_bytes();
    wait - wait / 2 * u32::from(u16::from_be_bytes([high, low])) / 65_536
}

#[cfg(test)]
mod tests {
    use super::*;

    const JITTERS: [u64; 5] = [0, 1, 7, u64::MAX / 3, u64::MAX];

    #[test]
    fn backoff_doubles_with_each_failure_up_to_eight_seconds() {
        for (failures, millis) in
            [(0, 500), (1, 500), (2, 1000), (4, 4000), (5, 8000), (6, 8000), (u32::MAX, 8000)]
        {
            let longest = (0..1000).map(|jitter| backoff(failures, jitter)).max().unwrap();
            let most = Duration::from_millis(millis);
            assert!(longest <= most && longest > most.mul_f64(0.99), "{failures}: {longest:?}");
        }
    }

    #[test]
    fn jitter_shortens_a_backoff_by_a_half_at_most() {
        for failures in [0, 1, 2, 5, 6, u32::MAX] {
            let most = FIRST_BACKOFF * [1, 1, 2, 4, 8, 16][failures.min(5) as usize];
            let shortest = (0..1000).map(|jitter| backoff(failures, jitter)).min().unwrap();
            assert!(shortest < most.mul_f64(0.51), "{failures}: {shortest:?}");
            for jitter in JITTERS {
                let wait = backoff(failures, jitter);
                assert!(most / 2 <= wait && wait <= most, "{failures} {jitter}: {wait:?}");
            }
        }
    }

    #[test]
    fn each_failure_shortens_its_backoff_by_a_different_fraction() {
        for jitter in JITTERS {
            let fractions = [5, 6, 7, 8].map(|failures| backoff(failures, jitter));
            for (at, fraction) in fractions.iter().enumerate() {
                assert!(!fractions[..at].contains(fraction), "{jitter}: {fractions:?}");
            }
        }
    }
}
