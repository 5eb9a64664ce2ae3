//! One request through the agent, and the reply to it.

use std::io::{self, Read};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, Version};
use lark_proto::error::CallErrorKind;
use lark_proto::session::{Outgoing, Permanence, Timeouts, TransportFailure};
use ureq::{Error, SendBody, Timeout};

use crate::Clock;
use crate::permanence::permanence;
use crate::pieces::Pieces;

/// The outcome of a request.
pub(crate) type Received = Result<Response<Bytes>, TransportFailure<Error>>;

/// Sends a request and receives a reply of up to `reply_limit` bytes, whatever its status.
pub(crate) fn send(
    agent: &ureq::Agent,
    lacks_tls: bool,
    clock: &Clock,
    outgoing: Outgoing,
    reply_limit: u64,
) -> Received {
    let Outgoing { request, call_timeout, timeouts, fresh_connection, .. } = outgoing;
    let exchange = Exchange { agent, call_timeout, timeouts, reply_limit, fresh_connection };
    let (head, body) = request.into_parts();
    let len = body.len();
    let mut reader = Pieces::new(body.reader(), clock);
    // ureq sends a body without a `content-length` in chunks, even an empty one.
    let reply = if lacks_tls {
        Err(Error::Tls("lark-ureq was built without its feature `tls`"))
    } else if head.headers.contains_key(CONTENT_LENGTH) {
        exchange.run(head, SendBody::from_reader(&mut reader))
    } else {
        exchange.run(head, SendBody::none())
    };
    match reply {
        Ok(Some(reply)) => Ok(reply),
        Ok(None) => {
            let failure = CallErrorKind::TooLarge { limit: reply_limit };
            Err(TransportFailure::new(failure, len, Permanence::Transient))
        }
        Err(error) => {
            let failure = exchange.failure(error);
            let permanence = permanence(&failure);
            Err(TransportFailure::new(failure, len - reader.get_ref().get_ref().len(), permanence))
        }
    }
}

/// The settings of one request.
struct Exchange<'a> {
    agent: &'a ureq::Agent,
    call_timeout: Duration,
    timeouts: Timeouts,
    reply_limit: u64,
    fresh_connection: bool,
}

impl Exchange<'_> {
    /// Sends the request and reads its whole reply. `None` stands for a reply that is too long.
    fn run(
        &self,
        head: http::request::Parts,
        body: SendBody<'_>,
    ) -> Result<Option<Response<Bytes>>, Error> {
        let request = self.configure(Request::from_parts(head, body));
        let reply = self.agent.run(request);
        let reply = reply.map_err(|error| self.name_phase(error, Timeout::RecvResponse))?;
        let (mut head, mut body) = reply.into_parts();
        // The drop of an extension is the code of a middleware, and a reply may be dropped while the session is locked.
        head.extensions.clear();
        let mut reply = Vec::new();
        let mut limited = body.as_reader().take(self.reply_limit.saturating_add(1));
        let read = limited.read_to_end(&mut reply);
        read.map_err(|error| self.name_phase(error.into(), Timeout::RecvBody))?;
        if reply.len() as u64 > self.reply_limit {
            return Ok(None);
        }
        if body.content_length().is_none() && !is_known_to_be_whole(&head, &reply) {
            let text = "the reply names no length, so it may be cut";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text).into());
        }
        Ok(Some(Response::from_parts(head, reply.into())))
    }

    /// The request with the settings of this exchange. The agent's own timeouts, where it has them, replace those of
    /// the phases.
    fn configure<'b>(&self, request: Request<SendBody<'b>>) -> Request<SendBody<'b>> {
        let Self { agent, call_timeout, timeouts, .. } = self;
        let config = agent.config();
        let own = config.timeouts();
        // A timeout is at most a day, because some clocks overflow on longer times.
        let day = Duration::from_secs(24 * 60 * 60);
        let or = |own: Option<Duration>, default: Duration| Some(own.unwrap_or(default).min(day));
        let per_call = own.per_call.map(|own| own.min(day));
        // The time of a single read or write is a second less than the longest phase, so that ureq sets the socket's
        // timeout once, and not for each read or write. It is more than that of the phase `connect`, in which a proxy
        // and TLS read and write too.
        let second = Duration::from_secs(1);
        let connect = own.connect.map_or(Duration::ZERO, |own| own.saturating_add(second));
        let single = |phase: Duration, own: [Option<Duration>; 2]| {
            let longest = own.into_iter().flatten().fold(phase, Duration::max);
            longest.saturating_sub(second).max(connect)
        };
        let write = single(timeouts.send_body, [own.send_request, own.send_body]);
        let read = single(timeouts.recv_response, [own.recv_response, own.recv_body]);
        let global = Some(own.global.map_or(*call_timeout, |own| own.min(*call_timeout)));
        let recv_response = or(own.recv_response, timeouts.recv_response);
        let per_read = or(config.timeout_per_read(), read);
        let idle = if self.fresh_connection { Duration::ZERO } else { config.max_idle_age() };
        let request = agent
            .configure_request(request)
            .http_status_as_error(false)
            .max_redirects(0)
            // ureq removes the length of a reply that it decompresses.
            .accept_encoding("")
            .max_redirects_will_error(false)
            .max_idle_age(idle)
            .timeout_global(global)
            .timeout_per_call(per_call)
            .timeout_await_100(own.await_100.map(|own| own.min(day)))
            .timeout_resolve(or(own.resolve, timeouts.resolve))
            .timeout_connect(or(own.connect, timeouts.connect))
            .timeout_send_request(or(own.send_request, timeouts.send_request))
            .timeout_send_body(or(own.send_body, timeouts.send_body))
            .timeout_recv_response(recv_response)
            .timeout_recv_body(or(own.recv_body, timeouts.recv_body))
            .timeout_per_write(or(config.timeout_per_write(), write))
            .timeout_per_read(per_read)
            .build();
        // If timeouts are equal, the first in this list ends the request, as in ureq: the timeout of the whole request
        // began first.
        #[cfg(feature = "fake")]
        let request = crate::fake_transport::with_response_timeout(
            request,
            [
                (global, Timeout::Global),
                (per_call, Timeout::PerCall),
                (recv_response, Timeout::RecvResponse),
                (per_read, Timeout::PerRead),
            ],
        );
        request
    }

    /// Replaces the timeout of a single read or write by the timeout of its phase. [`Self::configure`] sets the timeout
    /// of a single read or write to less than that of the longest phase, so the former can pass first. A timeout of the
    /// agent's own for reads or writes is reported as it is.
    fn name_phase(&self, error: Error, reading: Timeout) -> Error {
        let config = self.agent.config();
        match error {
            Error::Timeout(Timeout::PerRead) if config.timeout_per_read().is_none() => {
                Error::Timeout(reading)
            }
            Error::Timeout(Timeout::PerWrite) if config.timeout_per_write().is_none() => {
                Error::Timeout(Timeout::SendBody)
            }
            error => error,
        }
    }

    /// Distinguishes the deadline of the call from the agent's own timeout for a whole request. ureq reports both by
    /// the same error.
    fn failure(&self, error: Error) -> CallErrorKind<Error> {
        let own = self.agent.config().timeouts().global;
        let is_agent_timeout = own.is_some_and(|own| own <= self.call_timeout);
        match error {
            Error::Timeout(Timeout::Global) if !is_agent_timeout => CallErrorKind::Deadline,
            error => CallErrorKind::Transport(error),
        }
    }
}

/// Whether a connection that broke inside a reply of unknown length would be noticed. Without chunks such a reply ends
/// with its connection, and ureq does not distinguish a broken connection from one that was closed. If the reply is
/// JSON, its reader finds the cut; an image would be taken for whole.
fn is_known_to_be_whole(head: &http::response::Parts, body: &[u8]) -> bool {
    !head.status.is_success()
        || head.version != Version::HTTP_10 && is_chunked(&head.headers)
        || matches!(body.trim_ascii(), [] | [b'{', .., b'}'])
}

fn is_chunked(headers: &HeaderMap) -> bool {
    headers
        .get(TRANSFER_ENCODING)
        .is_some_and(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"chunked"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const CALL_TIMEOUT: Duration = Duration::from_secs(50);

    fn exchange(agent: &ureq::Agent) -> Exchange<'_> {
        Exchange {
            agent,
            call_timeout: CALL_TIMEOUT,
            timeouts: Timeouts::for_body_len(0),
            reply_limit: 0,
            fresh_connection: false,
        }
    }

    #[test]
    fn the_shorter_of_the_deadline_and_the_agents_own_timeout_is_reported() {
        let nano = Duration::from_nanos(1);
        for (own, is_deadline) in [
            (None, true),
            (Some(CALL_TIMEOUT - nano), false),
            (Some(CALL_TIMEOUT), false),
            (Some(CALL_TIMEOUT + nano), true),
        ] {
            let agent = ureq::Agent::config_builder().timeout_global(own).build().into();
            let failure = exchange(&agent).failure(Error::Timeout(Timeout::Global));
            assert_eq!(matches!(failure, CallErrorKind::Deadline), is_deadline, "{own:?}");
        }
    }

    /// The proxy does not answer, so the connection ends with the time of its phase, and not with that of a read.
    #[test]
    fn the_agents_own_timeout_of_the_connection_may_be_longer_than_the_other_phases() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("http://{}", silent.local_addr().unwrap());
        let agent = ureq::Agent::config_builder()
            .proxy(Some(ureq::Proxy::new(&proxy).unwrap()))
            .timeout_connect(Some(Duration::from_secs(3)))
            .build()
            .into();
        let mut exchange = exchange(&agent);
        let second = Duration::from_secs(1);
        exchange.timeouts.send_body = second;
        exchange.timeouts.recv_response = second;
        let head = Request::get("https://service.example/").body(()).unwrap().into_parts().0;
        let error = exchange.run(head, SendBody::none()).unwrap_err();
        assert!(matches!(error, Error::Timeout(Timeout::Connect)), "{error:?}");
    }

    #[test]
    fn a_reply_without_a_length_is_whole_if_it_is_an_error_or_chunked_or_an_object_to_its_end() {
        for (status, encoding, body, is_whole) in [
            (200, None, "GIF89a", false),
            (200, None, "<html></html>", false),
            (200, None, "{\"code\":0", false),
            (200, None, " {\"code\":0}\n", true),
            (200, None, "", true),
            (502, None, "<html>", true),
            (200, Some("Chunked"), "GIF89a", true),
            (200, Some("identity"), "GIF89a", false),
        ] {
            let mut head = Response::builder().status(status);
            if let Some(encoding) = encoding {
                head = head.header(TRANSFER_ENCODING, encoding);
            }
            let head = head.body(()).unwrap().into_parts().0;
            let case = (status, encoding, body);
            assert_eq!(is_known_to_be_whole(&head, body.as_bytes()), is_whole, "{case:?}");
        }
    }

    #[test]
    fn the_timeout_of_a_single_read_or_write_is_that_of_its_phase_unless_the_agent_has_one() {
        let own = Some(Duration::from_secs(9));
        let [config, writes, reads] = [(); 3].map(|()| ureq::Agent::config_builder());
        for (agent, write, read) in [
            (config, Timeout::SendBody, Timeout::RecvBody),
            (writes.timeout_per_write(own), Timeout::PerWrite, Timeout::RecvBody),
            (reads.timeout_per_read(own), Timeout::SendBody, Timeout::PerRead),
        ] {
            let agent = agent.build().into();
            let named = |timeout| match exchange(&agent)
                .name_phase(Error::Timeout(timeout), Timeout::RecvBody)
            {
                Error::Timeout(named) => named,
                error => panic!("{error}"),
            };
            assert_eq!((named(Timeout::PerWrite), named(Timeout::PerRead)), (write, read));
        }
    }
}
