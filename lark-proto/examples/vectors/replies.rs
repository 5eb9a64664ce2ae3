//! The replies: status, headers and body, with what they mean for an endpoint.

use http::{HeaderName, HeaderValue, Response};
use serde_json::{Value, json};

use crate::json::bytes;
use crate::replies_in_json::read;

const REPLIES: &str = include_str!("replies.txt");

pub(crate) fn cases() -> Vec<Value> {
    REPLIES.split("\n== ").skip(1).map(case).collect()
}

fn case(text: &str) -> Value {
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let name = lines.next().unwrap();
    let (endpoint, status) = lines.next().unwrap().split_once(' ').unwrap();
    let status: u16 = status.parse().unwrap();
    let headers: Vec<&str> = lines.collect();
    let body = read_body(body.lines().next().unwrap());
    let mut response = Response::new(body.clone().into());
    *response.status_mut() = status.try_into().unwrap();
    for header in &headers {
        let (name, value) = header.split_once(": ").unwrap();
        let value = HeaderValue::from_str(value).unwrap();
        response.headers_mut().append(name.parse::<HeaderName>().unwrap(), value);
    }
    json!({
        "name": name,
        "endpoint": endpoint,
        "reply": { "status": status, "headers": headers, "body": bytes(&body) },
        "expected": read(endpoint, response),
    })
}

/// The bytes of a body: `\x` and two digits stand for a byte, and `{n * x}` for n repetitions of x.
fn read_body(line: &str) -> Vec<u8> {
    let repeated =
        line.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')?.split_once(" * "));
    if let Some((count, part)) = repeated {
        return read_body(part).repeat(count.parse().unwrap());
    }
    let mut pieces = line.split("\\x");
    let mut body = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at(2);
        body.push(u8::from_str_radix(digits, 16).unwrap());
        body.extend_from_slice(rest.as_bytes());
    }
    body
}
