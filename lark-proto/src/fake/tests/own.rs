//! Endpoints that a test adds: how they are chosen, and what their closures see.

use super::*;

const PATH: &str = "/open-apis/drive/v1/:kind/upload";

/// An endpoint whose answer is `name`.
fn named(fake: &mut FakeLark, route: Route, name: &'static str) {
    fake.add_route(route, move |_| Ok(name));
}

/// The `data` of the reply to a request without a body, or nothing for a 404.
fn data(fake: &mut FakeLark, method: &str, path: &str) -> Option<String> {
    let mut request = post(path, JSON, "");
    *request.method_mut() = method.parse().unwrap();
    at(&fake.handle(now(), request), "/data").as_str().map(str::to_owned)
}

#[test]
fn the_pattern_that_was_added_last_answers() {
    let narrow = Route::Own { method: "POST", path: "/open-apis/drive/v1/medias/upload" };
    let wide = Route::Own { method: "POST", path: PATH };
    for (routes, medias) in [([narrow, wide], "second"), ([wide, narrow], "second")] {
        let mut fake = fake();
        named(&mut fake, routes[0], "first");
        named(&mut fake, routes[1], "second");
        assert_eq!(data(&mut fake, "POST", narrow.path()).as_deref(), Some(medias));
        assert_eq!([fake.count(routes[0]), fake.count(routes[1])], [0, 1]);
        let other = if routes[0] == wide { "first" } else { "second" };
        let found = data(&mut fake, "POST", "/open-apis/drive/v1/files/upload");
        assert_eq!(found.as_deref(), Some(other));
        // An endpoint that is added again comes before the others again.
        named(&mut fake, routes[0], "third");
        assert_eq!(data(&mut fake, "POST", narrow.path()).as_deref(), Some("third"));
    }
}

#[test]
fn a_named_route_keeps_its_name_and_loses_its_own_answer() {
    let mut fake = fake();
    let wiki = format!("{}?token={}", Route::WikiNode.path(), FakeLark::WIKI_NODE);
    let get = || {
        let mut request = post(&wiki, JSON, "");
        *request.method_mut() = Method::GET;
        request
    };
    let kind = at(&fake.handle(now(), get()), "/data/node/obj_type");
    assert_eq!(kind, "sheet");
    fake.add_route(Route::WikiNode, |request| Ok(json!({"asked": request.query("token")})));
    let reply = fake.handle(now(), get());
    assert_eq!(at(&reply, "/data"), json!({"asked": FakeLark::WIKI_NODE}));
    assert_eq!(fake.count(Route::WikiNode), 2);
    let mut without = get();
    without.headers_mut().remove(AUTHORIZATION);
    assert_eq!(verdict(&fake.handle(now(), without)).1, Some(99991661));
    // The other endpoints answer as before.
    assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, CELL))), (200, Some(0)));
}

#[test]
fn a_method_is_the_same_in_any_case() {
    for (own, sent, is_found) in [
        ("post", "POST", true),
        ("Post", "POST", true),
        ("POST", "post", true),
        ("DELETE", "DELETE", true),
        ("delete", "POST", false),
    ] {
        let mut fake = fake();
        named(&mut fake, Route::Own { method: own, path: PATH }, "own");
        let found = data(&mut fake, sent, "/open-apis/drive/v1/files/upload");
        assert_eq!(found.is_some(), is_found, "{own} {sent}");
    }
}

#[test]
fn a_closure_gets_the_parts_of_a_form_or_the_refusal_of_one() {
    let mut fake = fake();
    fake.add_route(Route::Own { method: "POST", path: PATH }, |request| {
        let parts = request.form()?;
        let part = |part: &FormPart<'_>| {
            let content = String::from_utf8_lossy(part.content).into_owned();
            json!([part.name, part.file_name, part.content_type, content])
        };
        Ok(parts.iter().map(part).collect::<Vec<_>>())
    });
    let mut send = |content_type: &str, body: &str| {
        let path = "/open-apis/drive/v1/files/upload";
        fake.handle(now(), post(path, content_type, body.to_owned()))
    };
    let parts =
        json!([["image_type", null, null, "avatar"], ["image", "a.png", "image/gif", "GIF89a"],]);
    assert_eq!(at(&send(FORM, &good_form()), "/data"), parts);
    for (content_type, body, told) in [
        (JSON, good_form(), "application/json"),
        ("multipart/form-data", good_form(), "no boundary"),
        ("multipart/form-data; boundary=c", good_form(), "does not start with the boundary"),
        (FORM, good_form().replace("--b--\r\n", ""), "Bad Request: "),
    ] {
        let reply = send(content_type, &body);
        assert_eq!(verdict(&reply), (400, Some(9499)), "{content_type}");
        let msg = at(&reply, "/msg").as_str().unwrap().to_owned();
        assert!(msg.contains(told), "{msg}");
    }
}

#[test]
fn a_closure_learns_whose_token_a_request_has() {
    let route = Route::Own { method: "POST", path: PATH };
    let mut fake = fake();
    fake.add_open_route(route, |request| Ok(format!("{:?}", request.token_kind())));
    for (token, kind) in [
        (Some("t-x"), "Some(Tenant)"),
        (Some("u-x"), "Some(User)"),
        (Some("a-x"), "Some(App)"),
        (Some("t-unknown"), "None"),
        (None, "None"),
    ] {
        let mut request = post("/open-apis/drive/v1/files/upload", JSON, "");
        request.headers_mut().remove(AUTHORIZATION);
        if let Some(token) = token {
            set(&mut request, AUTHORIZATION, &format!("Bearer {token}"));
        }
        assert_eq!(at(&fake.handle(now(), request), "/data"), kind, "{token:?}");
    }
}
