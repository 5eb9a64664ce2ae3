//! Timeouts of which the kernel is told rarely.

use std::time::Duration;

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time,
};

/// What is left of a timeout is another time before each read and write, and the kernel is told whenever it is.
/// Connections of this tell it less precisely, and a thousand times as rarely.
#[derive(Debug)]
pub(crate) struct Rarely;

impl<In: Transport> Connector<In> for Rarely {
    type Out = Connection<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Connection<In>>, Error> {
        Ok(chained.map(Connection))
    }
}

#[derive(Debug)]
pub(crate) struct Connection<T>(T);

impl<T: Transport> Transport for Connection<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.0.transmit_output(amount, less_precisely(timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.0.await_input(less_precisely(timeout))
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

fn less_precisely(mut timeout: NextTimeout) -> NextTimeout {
    if let time::Duration::Exact(after) = timeout.after {
        timeout.after = time::Duration::Exact(leading(after));
    }
    timeout
}

/// The five leading bits of a time: at most a sixteenth less, so that nothing ends too late.
fn leading(time: Duration) -> Duration {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let rest = (u64::BITS - nanos.leading_zeros()).saturating_sub(5);
    Duration::from_nanos(nanos >> rest << rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_sixteenth_less_at_most() {
        let mut time = Duration::from_nanos(1);
        while time < Duration::from_secs(1 << 32) {
            let told = leading(time);
            assert!(told <= time && told >= time * 15 / 16, "{time:?} as {told:?}");
            time = time * 9 / 8 + Duration::from_nanos(1);
        }
        assert_eq!(
            (leading(Duration::ZERO), leading(Duration::from_nanos(31))),
            (Duration::ZERO, Duration::from_nanos(31))
        );
        assert!(leading(Duration::MAX) > Duration::from_secs(1 << 33));
    }

    #[test]
    fn a_minute_that_passes_is_told_in_a_few_steps() {
        let mut told: Vec<Duration> =
            (0..60_000).map(|ms| leading(Duration::from_millis(60_000 - ms))).collect();
        told.dedup();
        assert!(told.len() < 300, "{}", told.len());
    }
}
