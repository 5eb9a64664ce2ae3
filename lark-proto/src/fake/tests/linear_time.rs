//! The work on a request is linear in its length. Each test here would take minutes if the parameters, parts, pairs,
//! keys or headers were compared with one another.

use super::*;

const MANY: usize = 100_000;

/// The texts that `each` returns for the numbers below [`MANY`], joined.
fn many(each: impl Fn(usize) -> String) -> String {
    (0..MANY).map(each).collect()
}

#[test]
fn a_content_type_with_many_parameters_is_read_in_linear_time() {
    for (params, code) in [
        (many(|n| format!("; p{n}=x")), 0),
        (many(|n| format!("; p{n}=\"\\x\"")), 0),
        (many(|n| format!("; p{n}=x")) + "; P0=y", 234001),
        ("; p=x".repeat(MANY), 234001),
        (";p".repeat(MANY), 234001),
    ] {
        let request = post(IM_PATH, &format!("{FORM}{params}"), good_form());
        let reply = fake().handle(now(), request);
        assert_eq!(at(&reply, "/code"), code, "{params:.40}");

        let json = post(CELL_PATH, &format!("{JSON}{params}"), CELL);
        let code = if code == 0 { 0 } else { 90201 };
        assert_eq!(at(&fake().handle(now(), json), "/code"), code, "{params:.40}");
    }
}

/// The `msg` of the reply to an upload.
fn upload(body: String) -> String {
    let reply = fake().handle(now(), post(V4_PATH, FORM, body));
    at(&reply, "/msg").to_string()
}

#[test]
fn a_form_with_many_parts_is_refused_in_linear_time() {
    let part = |number: usize| (format!("name=x{number}"), String::new());
    let parts: Vec<_> = (0..MANY).map(part).collect();
    let parts: Vec<_> = parts.iter().map(|(name, content)| (&**name, &**content)).collect();
    for (body, text) in [
        (form(&parts), "the form has more than 32 parts"),
        ("--b\r\n".repeat(MANY), "a field without a colon in the part header"),
        (format!("--b\r\n{}", "\r\n".repeat(MANY)), "there is no Content-Disposition in the part"),
        (format!("--b--{}", "\r\n".repeat(MANY)), "image is missing"),
    ] {
        let msg = upload(body);
        assert!(msg.contains(text), "{msg}");
    }
}

#[test]
fn a_part_with_a_long_head_or_content_is_read_in_linear_time() {
    let name = |rest: String| form(&[(&format!("name=image; filename=a{rest}"), "GIF89a")]);
    for (body, text) in [
        (name(many(|n| format!("; p{n}=x"))), "does not end within 4096 bytes"),
        (name(many(|n| format!("\r\nx{n}:"))), "does not end within 4096 bytes"),
        (name("\r\n\r\n--".repeat(MANY)), "image_type is missing"),
    ] {
        let msg = upload(body);
        assert!(msg.contains(text), "{msg}");
    }
}

#[test]
fn the_longest_query_is_read_in_linear_time() {
    let path = "/open-apis/wiki/v2/spaces/get_node?";
    for (pair, code) in [("a=b&", 0), ("&", 0), ("=&", 0), ("%61&", 0), ("token=&", 131002)] {
        // `Uri` holds 65534 bytes.
        let query = pair.repeat(65_000 / pair.len());
        let mut request = post(&format!("{path}{query}token={}", FakeLark::WIKI_NODE), JSON, "");
        *request.method_mut() = Method::GET;
        assert_eq!(at(&fake().handle(now(), request), "/code"), code, "{pair}");
    }
}

#[test]
fn the_longest_path_is_read_in_linear_time() {
    let request = post(&"/:".repeat(32_000), JSON, "");
    assert_eq!(fake().handle(now(), request).status(), StatusCode::NOT_FOUND);
}

#[test]
fn a_body_with_many_keys_is_read_in_linear_time() {
    let distinct = many(|n| format!(r#""k{n}":0,"#));
    let same = r#""k":0,"#.repeat(MANY);
    let nested = r#""k":{"k":[0]},"#.repeat(MANY);
    let mut fake = fake();
    fake.add_image(ImageKind::Message, "GIF89a");
    let messages = "/open-apis/im/v1/messages?receive_id_type=chat_id";
    for keys in [&distinct, &same, &nested] {
        for (path, body, code) in [
            (CELL_PATH, CELL.replacen('{', &format!("{{{keys}"), 1), 0),
            (CELL_PATH, format!("{{{keys}"), 90201),
            (CELL_PATH, format!(r#"{{{keys}"name":""}}"#), 90204),
            (TOKEN_PATH, format!(r#"{{{keys}"app_id":""}}"#), 10003),
            // The service checks this field on its own, so its value is read as JSON of any type first.
            (messages, format!(r#"{{{keys}"receive_id":{{{keys}"":0}}}}"#), 99992402),
        ] {
            let reply = fake.handle(now(), post(path, JSON, body));
            assert_eq!(at(&reply, "/code"), code, "{path} {keys:.20}");
        }
    }
}

#[test]
fn a_key_that_comes_many_times_is_refused_in_linear_time() {
    let twice = CELL.replacen('{', &format!("{{{}", r#""name":"","#.repeat(MANY)), 1);
    assert_eq!(at(&fake().handle(now(), post(CELL_PATH, JSON, twice)), "/code"), 90204);
}

#[test]
fn an_image_of_many_numbers_is_read_in_linear_time() {
    let image = format!("[{}0]", "0,".repeat(MANY));
    let numbers = CELL.replace("[1,2]", &image);
    assert_eq!(at(&fake().handle(now(), post(CELL_PATH, JSON, numbers)), "/code"), 0);
}

#[test]
fn many_headers_are_read_in_linear_time() {
    // `HeaderMap` holds 24,576 names, but any number of values.
    let mut request = post(CELL_PATH, JSON, CELL);
    for n in 0..20_000 {
        let name = HeaderName::from_bytes(format!("x-{n}").as_bytes()).unwrap();
        request.headers_mut().insert(name, HeaderValue::from_static("x"));
    }
    for _ in 0..MANY {
        request.headers_mut().append("x", HeaderValue::from_static("x"));
    }
    assert_eq!(verdict(&fake().handle(now(), request.clone())), (200, Some(0)));
    for (name, expected) in [
        (CONTENT_TYPE, (200, Some(90201))),
        (AUTHORIZATION, (400, Some(99991661))),
        (CONTENT_LENGTH, (400, None)),
    ] {
        let mut request = request.clone();
        for _ in 0..MANY {
            request.headers_mut().append(&name, HeaderValue::from_static("1"));
        }
        assert_eq!(verdict(&fake().handle(now(), request)), expected, "{name}");
    }
}

#[test]
fn a_head_that_arrives_byte_by_byte_is_read_in_linear_time() {
    let line = "GET / HTTP/1.1\r\n";
    for (lines, text) in [
        (many(|n| format!("x{n}:\r\n")), "the head is longer than 65536 bytes"),
        ("a:\r\n".repeat(MANY), "the head is longer than 65536 bytes"),
        ("a:\r\n".repeat(10_000) + "\r\n", "the head has more than 100 headers"),
        ("a:\r\n".repeat(99) + &"\u{7}\r\n".repeat(10_000) + "\r\n", "line 101 `\\x07`"),
        (format!("a:{}\r\n", "x".repeat(100_000)), "the head is longer than 65536 bytes"),
    ] {
        let mut requests = http1::Requests::new();
        for byte in format!("{line}{lines}").bytes() {
            requests.push(&[byte]);
        }
        let error = requests.head().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}
