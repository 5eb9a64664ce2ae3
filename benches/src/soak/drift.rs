//! The drift of a measured value: its least-squares slope over time.

/// The drift of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// The mean of the values.
    pub mean: f64,
    /// The change in an hour, in percent of the mean.
    pub percent_an_hour: f64,
    /// The standard error of that, if the deviations from the line are independent.
    pub error: f64,
}

/// The drift of points, each of which is a time in seconds and a value. It is `None` for fewer than three points, and
/// for points that all have the same time.
#[must_use]
pub fn drift(points: &[(f64, f64)]) -> Option<Drift> {
    let count = u32::try_from(points.len()).ok().map(f64::from).filter(|count| *count >= 3.0)?;
    let mean_of = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
    let (mean_time, mean) = (mean_of(|point| point.0), mean_of(|point| point.1));
    let squares: f64 = points.iter().map(|(time, _)| (time - mean_time).powi(2)).sum();
    let products: f64 =
        points.iter().map(|(time, value)| (time - mean_time) * (value - mean)).sum();
    if squares == 0.0 || mean == 0.0 {
        return None;
    }
    let slope = products / squares;
    let off_line = |(time, value): &(f64, f64)| value - mean - slope * (time - mean_time);
    let residuals: f64 = points.iter().map(|point| off_line(point).powi(2)).sum();
    let error = (residuals / (count - 2.0) / squares).sqrt();
    let percent_an_hour = |slope: f64| slope * 3600.0 / mean * 100.0;
    Some(Drift { mean, percent_an_hour: percent_an_hour(slope), error: percent_an_hour(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drift_of_a_line_is_its_slope() {
        let points: Vec<_> = (0..=60_u32)
            .map(|minute| (f64::from(minute) * 60.0, 970.0 + f64::from(minute)))
            .collect();
        let found = drift(&points).unwrap();
        assert!((found.mean - 1000.0).abs() < 1e-9, "{found:?}");
        assert!((found.percent_an_hour - 6.0).abs() < 1e-9 && found.error < 1e-9, "{found:?}");
    }

    #[test]
    fn deviations_that_balance_each_other_change_the_error_only() {
        let points: Vec<_> = [(0, 7), (60, 9), (120, 11), (180, 11), (240, 9), (300, 7)]
            .map(|(time, value)| (f64::from(time), f64::from(value)))
            .to_vec();
        let found = drift(&points).unwrap();
        assert!(found.percent_an_hour.abs() < 1e-9 && found.error > 1.0, "{found:?}");
    }

    #[test]
    fn points_without_a_line_have_no_drift() {
        for points in [&[][..], &[(0.0, 1.0), (1.0, 2.0)], &[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]] {
            assert_eq!(drift(points), None);
        }
    }
}
