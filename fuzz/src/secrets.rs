//! The secrets of a request, in a reply that quotes them.

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::{HeaderName, Response};
use lark_proto::endpoints::{DownloadMedia, QuerySheets};
use lark_proto::session::{Call, Limits, Session, Step};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{
    App, CreateImage, Image, PutImage, Site, TenantToken, UserToken, WriteSheetImage,
};

const SECRET: &str = "0aB1cD2eF3gH";

/// The forms in which a reply quotes a secret.
const FORMS: [fn(u8) -> String; 6] = [
    |c| char::from(c).to_string(),
    |c| format!("\\u{c:04x}"),
    |c| format!("%{c:02X}"),
    |c| format!("&#{c};"),
    |c| char::from(c).to_ascii_uppercase().to_string(),
    |c| format!("{} ", char::from(c)),
];

/// Reads the reply with a secret of the request in the middle of its body, in one of the forms, and in a header. No
/// result that is an error shows the secret, whatever the endpoint and the secret are.
pub(crate) fn secrets_are_hidden(response: &Response<Bytes>) {
    let body = response.body();
    let form = FORMS[body.len() / 8 % FORMS.len()];
    let quoted: String = SECRET.bytes().map(form).collect();
    let (before, after) = body.split_at(body.len() / 2);
    // The space keeps a character of the body from becoming a part of an escape.
    let quoted = [before, b" ", quoted.as_bytes(), b" ", after].concat();
    let mut response = response.clone();
    *response.body_mut() = quoted.into();
    let names = ["x-tt-logid", "x-request-id", "content-type", "retry-after"];
    let name = HeaderName::from_static(names[body.len() % names.len()]);
    if body.len() % 3 == 0 {
        response.headers_mut().insert(name, SECRET.parse().unwrap());
    }

    let image = Image::new("GIF89a").unwrap();
    let put = PutImage::message(image.clone()).unwrap();
    let create = CreateImage::message(image.clone()).unwrap();
    let token = TenantToken::new(SECRET).unwrap();
    let user = UserToken::new(SECRET).unwrap();
    let spreadsheet = || "shtcnabc".parse().unwrap();
    let write = WriteSheetImage::new(spreadsheet(), "a!A1".parse().unwrap(), image).unwrap();
    let query = QuerySheets::new(spreadsheet());
    let media = DownloadMedia::new("boxcnabc".parse().unwrap());
    let tenant = TenantKey::new("tenant").unwrap();
    let session = |app| Session::new(Site::LARK, app);
    let none = session(App::None);
    // Each input is read by one of the calls, because the calls take most of the time of the target.
    match body.len() % 8 {
        0 => answered(none, Call::with_token(&token, &put), &response),
        1 => answered(none, Call::with_token(&token, &create), &response),
        2 => answered(none, Call::with_token(&user, &write), &response),
        3 => answered(none, Call::with_token(&user, &query), &response),
        4 => answered(none, Call::with_token(&user, &media), &response),
        5 => {
            let app = App::custom("cli_a", SECRET).unwrap();
            answered(session(app), Call::new(&put), &response);
        }
        secret => {
            let word = |is_secret| if is_secret { SECRET } else { "-" };
            let mut store = session(App::store("cli_a", word(secret == 6)).unwrap());
            if secret == 7 {
                store.set_app_ticket(AppTicket::new(SECRET).unwrap());
            }
            answered(store, Call::for_tenant(tenant, &put), &response);
        }
    }
}

/// Takes the step that sends the first request, which has the secret, and has it answered with this reply.
fn answered<O>(mut session: Session, call: Call<O, std::fmt::Error>, response: &Response<Bytes>) {
    let session = &mut session;
    let mut call = call.with_limits(Limits::one_attempt()).with_events();
    let Step::Send(outgoing) = call.next(session, UNIX_EPOCH) else { panic!("nothing is sent") };
    assert_hidden(&format!("{outgoing:?}"));
    let parsed = call.read(response.clone());
    call.received(session, UNIX_EPOCH, parsed);
    if let Some(failure) = call.last_failure() {
        assert_hidden(&format!("{failure} {failure:?}"));
    }
    for event in call.events() {
        assert_hidden(&format!("{event:?}"));
    }
    match call.next(session, UNIX_EPOCH) {
        Step::Done(Err(error)) => assert_hidden(&format!("{error} {error:?}")),
        // The outputs hold what the service sent, because the caller needs all of it.
        Step::Done(Ok(_)) | Step::Wait(_) => {}
        Step::Send(outgoing) => assert_hidden(&format!("{outgoing:?}")),
    }
    assert_hidden(&format!("{call:?} {session:?}"));
}

fn assert_hidden(text: &str) {
    let dense: String = text.to_lowercase().split_whitespace().collect();
    let secret = SECRET.to_lowercase();
    assert!(!dense.contains(&secret), "a secret is shown: {text}");
    for form in FORMS {
        let form: String = secret.bytes().map(form).collect();
        let form: String = form.to_lowercase().split_whitespace().collect();
        assert!(!dense.contains(&form), "a secret is shown: {text}");
    }
}
