//! Messages: refusals, uuids and threads.

use super::*;
use crate::api::EndpointExt;
use crate::endpoints::{MessageSent, ReplyImage, SendImage};
use crate::site::Site;
use crate::token::{TenantToken, UserToken};
use crate::values::{MessageId, MessageUuid, Receiver};

const PATH: &str = "/open-apis/im/v1/messages";

/// A fake with an image for messages and an avatar, and their keys.
fn with_images() -> (FakeLark, [String; 2]) {
    let mut fake = fake();
    fake.add_token(TokenKind::Tenant, "t-x", now() + Duration::from_secs(7200));
    let keys = [ImageKind::Message, ImageKind::Avatar].map(|kind| fake.add_image(kind, "12"));
    (fake, keys)
}

fn uuid(text: &str) -> MessageUuid {
    MessageUuid::new(text).unwrap()
}

/// Sends an image `after` seconds after [`now`], with `text` as the uuid.
fn send(fake: &mut FakeLark, after: u64, key: &str, to: &str, text: &str) -> MessageSent {
    let send = SendImage::new(Receiver::new(to).unwrap(), key.parse().unwrap(), uuid(text));
    let request = send.request(&Site::LARK, &TenantToken::new("t-x").unwrap());
    SendImage::decode(fake.handle(now() + Duration::from_secs(after), request)).unwrap()
}

/// Replies to a message, with `text` as the uuid.
fn reply(fake: &mut FakeLark, key: &str, to: &MessageId, text: &str, thread: bool) -> MessageSent {
    let reply = ReplyImage::new(to.clone(), key.parse().unwrap(), uuid(text)).in_thread(thread);
    let request = reply.request(&Site::LARK, &UserToken::new("u-x").unwrap());
    ReplyImage::decode(fake.handle(now(), request)).unwrap()
}

/// Receivers in each form, and their ids.
fn receivers() -> [(String, &'static str); 6] {
    let id_as_it_is = |id: &'static str| (id.to_owned(), id);
    [
        id_as_it_is(FakeLark::CHAT),
        id_as_it_is("oc_new"),
        id_as_it_is(FakeLark::OPEN_ID),
        id_as_it_is(FakeLark::UNION_ID),
        (format!("user_id:{}", FakeLark::USER_ID), FakeLark::USER_ID),
        id_as_it_is(FakeLark::EMAIL),
    ]
}

#[test]
fn a_message_is_stored_with_its_receiver_its_image_and_its_uuid() {
    let (mut fake, [key, _]) = with_images();
    fake.add_chat("oc_new");
    for (number, (to, id)) in receivers().into_iter().enumerate() {
        send(&mut fake, 0, &key, &to, &to);
        let stored = fake.messages().last().unwrap();
        assert_eq!(stored.time, now());
        assert_eq!((stored.receive_id.as_deref(), &stored.image_key), (Some(id), &key));
        assert_eq!((stored.uuid.as_ref(), stored.reply_to.as_ref()), (Some(&to), None));
        assert_eq!(fake.messages().count(), number + 1);
    }
    assert_eq!(fake.count(Route::Messages), 6);
}

#[test]
fn a_message_is_answered_with_its_id_its_chat_and_its_time() {
    let (mut fake, [key, _]) = with_images();
    fake.add_chat("oc_new");
    for (to, _) in receivers() {
        let sent = send(&mut fake, 0, &key, &to, &to);
        let stored = fake.messages().last().unwrap();
        assert_eq!(sent.message_id.as_str(), stored.message_id);
        assert_eq!(sent.chat_id.as_ref(), Some(&stored.chat_id));
        assert_eq!(sent.create_time, Some(now()));
        assert_eq!((sent.root_id, sent.parent_id, sent.thread_id), (None, None, None));
    }
}

#[test]
fn every_id_of_the_user_leads_to_the_same_chat() {
    let (mut fake, [key, _]) = with_images();
    fake.add_chat("oc_new");
    for (to, _) in receivers() {
        send(&mut fake, 0, &key, &to, &to);
    }
    let chats: Vec<_> = fake.messages().map(|message| message.chat_id.as_str()).collect();
    assert_eq!(chats[..2], [FakeLark::CHAT, "oc_new"]);
    assert!(chats[2..].iter().all(|chat| *chat == chats[2]), "{chats:?}");
}

#[test]
fn a_message_is_refused_with_the_description_of_its_mistake() {
    let (mut fake, [key, avatar]) = with_images();
    let chat = FakeLark::CHAT;
    let good = json!({"receive_id": chat, "msg_type": "image",
        "content": format!(r#"{{"image_key": "{key}"}}"#), "uuid": "u"});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body.to_string()
    };
    let content = |text: &str| with("content", text.into());
    let by = |id_type| format!("?receive_id_type={id_type}");
    let field = "99992402 field validation failed";
    let parameter = "230001 Your request contains an invalid request parameter, ext=";
    let invalid = |ext: &str| format!("{parameter}{ext}.");
    let violation = |of: &str, why: &str| format!("{field} {of}: {why}");
    let required = |of: &str| violation(of, &format!("{of} is required"));
    let options = "options: [open_id,union_id,user_id,email,chat_id]";
    let foreign = "230017 Bot is NOT the owner of the resource.".to_owned();
    let unknown = "230034 The receive_id is invalid.".to_owned();
    for (query, body, expected) in [
        (String::new(), good.to_string(), required("receive_id_type")),
        (by(""), good.to_string(), required("receive_id_type")),
        (by("thread_id"), good.to_string(), violation("receive_id_type", options)),
        (by("Chat_id"), good.to_string(), violation("receive_id_type", options)),
        (by("open_id"), good.to_string(), invalid("invalid receive_id")),
        (by("union_id"), good.to_string(), invalid("invalid receive_id")),
        (by("email"), good.to_string(), invalid("invalid receive_id")),
        (by("user_id"), good.to_string(), unknown.clone()),
        (by("chat_id"), with("receive_id", "ou_a".into()), invalid("invalid receive_id")),
        (by("open_id"), with("receive_id", "ou_a".into()), unknown.clone()),
        (by("email"), with("receive_id", "ann@example.com".into()), unknown),
        (
            by("chat_id"),
            with("receive_id", "oc_other".into()),
            "230002 Bot/User can NOT be out of the chat.".to_owned(),
        ),
        (by("chat_id"), with("receive_id", Value::Null), required("receive_id")),
        (by("chat_id"), with("receive_id", "".into()), required("receive_id")),
        (
            by("chat_id"),
            with("receive_id", 7.into()),
            violation("receive_id", "it is not a string"),
        ),
        (by("chat_id"), with("msg_type", Value::Null), required("msg_type")),
        (
            by("chat_id"),
            with("msg_type", "text".into()),
            invalid("invalid msg_type, the fake takes images only"),
        ),
        (by("chat_id"), with("content", Value::Null), required("content")),
        // `content` is an object here. The service takes a string.
        (
            by("chat_id"),
            with("content", json!({"image_key": key})),
            invalid("invalid message content"),
        ),
        (by("chat_id"), content(&key), invalid("invalid message content")),
        (by("chat_id"), content("{}"), invalid("invalid message content")),
        (by("chat_id"), content(r#"{"image_key":7}"#), invalid("invalid message content")),
        (by("chat_id"), content(&format!("[\"{key}\"]")), invalid("invalid message content")),
        (by("chat_id"), content(&format!(r#"{{"image_key":"{avatar}"}}"#)), foreign.clone()),
        (by("chat_id"), content(r#"{"image_key":"img_v3_other"}"#), foreign),
        (
            by("chat_id"),
            with("uuid", "图".repeat(51).into()),
            violation("uuid", "the max len is 50"),
        ),
        (by("chat_id"), with("uuid", 7.into()), violation("uuid", "it is not a string")),
    ] {
        let response = fake.handle(now(), post(&format!("{PATH}{query}"), JSON, body.clone()));
        assert_eq!(response.status(), 400, "{query} {body}");
        let mut found = at(&response, "/code").to_string();
        found = found + " " + at(&response, "/msg").as_str().unwrap();
        if let Some(violation) = body_violation(&response) {
            found = found + " " + &violation;
        }
        assert_eq!(found, expected, "{query} {body}");
    }
    assert_eq!(fake.messages().count(), 0);
}

/// The path and the body of a message to the chat, with the image of this key.
fn message(key: &str) -> (String, Value) {
    let content = format!(r#"{{"image_key": "{key}"}}"#);
    let body = json!({"receive_id": FakeLark::CHAT, "msg_type": "image", "content": content,
        "uuid": "u"});
    (format!("{PATH}?receive_id_type=chat_id"), body)
}

#[test]
fn a_message_that_is_not_one_json_object_is_refused() {
    let (mut fake, [key, _]) = with_images();
    let (path, good) = message(&key);
    for (content_type, body) in [
        ("text/plain", good.to_string()),
        (JSON, String::new()),
        (JSON, "[]".to_owned()),
        (JSON, good.to_string() + "x"),
        (JSON, good.to_string().replacen('{', r#"{"uuid":"v","#, 1)),
    ] {
        let response = fake.handle(now(), post(&path, content_type, body.clone()));
        assert_eq!(verdict(&response), (400, Some(9499)), "{body}");
    }
    assert_eq!(fake.messages().count(), 0);
}

#[test]
fn a_message_may_have_fields_that_the_fake_does_not_know() {
    let (mut fake, [key, _]) = with_images();
    let (path, body) = message(&key);
    let other = body.to_string().replacen('{', r#"{"x":[], "#, 1);
    assert_eq!(verdict(&fake.handle(now(), post(&path, JSON, other))), (200, Some(0)));
    assert_eq!(fake.messages().count(), 1);
}

#[test]
fn a_uuid_has_fifty_characters_at_most() {
    let (mut fake, [key, _]) = with_images();
    let (path, mut body) = message(&key);
    body["uuid"] = "图".repeat(50).into();
    let reply = fake.handle(now(), post(&path, JSON, body.to_string()));
    assert_eq!(verdict(&reply), (200, Some(0)));
    assert_eq!(fake.messages().count(), 1);
}

/// The one field that the gateway refused.
fn body_violation(response: &Response<Bytes>) -> Option<String> {
    let violations = at(response, "/error/field_violations");
    let [violation] = &violations.as_array()?[..] else { panic!("{violations}") };
    let text = |name: &str| violation[name].as_str().unwrap().to_owned();
    Some(format!("{}: {}", text("field"), text("description")))
}

/// The key of a message's image that was uploaded with this token.
fn upload(fake: &mut FakeLark, token: &str) -> String {
    let form = good_form().replace("avatar", "message");
    let reply = fake.handle(now(), with_token(post(IM_PATH, FORM, form), Some(token)));
    at(&reply, "/data/image_key").as_str().unwrap().to_owned()
}

#[test]
fn an_app_sends_only_images_that_it_uploaded() {
    let (mut fake, [of_nobody, _]) = with_images();
    let [custom, store] = app_tokens(&mut fake);
    let [of_custom, of_store] = [&custom, &store].map(|token| upload(&mut fake, token));
    for (key, token, expected) in [
        (&of_custom, &*custom, (200, Some(0))),
        (&of_store, &*custom, (400, Some(230017))),
        // The fake does not know the app that uploaded the image, or the app of the token.
        (&of_nobody, &*custom, (200, Some(0))),
        (&of_store, "t-x", (200, Some(0))),
    ] {
        let chat = Receiver::chat(FakeLark::CHAT).unwrap();
        let uuid = uuid(&format!("{} {token:.4}", &key[key.len() - 4..]));
        let send = SendImage::new(chat, key.parse().unwrap(), uuid);
        let request = send.request(&Site::LARK, &TenantToken::new(token).unwrap());
        assert_eq!(verdict(&fake.handle(now(), request)), expected, "{key} {token}");
    }
}

#[test]
fn requests_with_one_uuid_send_one_message_within_an_hour() {
    let (mut fake, [key, _]) = with_images();
    let other = fake.add_image(ImageKind::Message, "3");
    let first = send(&mut fake, 0, &key, FakeLark::CHAT, "u");
    for (after, key, to) in [
        (0, &key, FakeLark::CHAT),
        (3599, &key, FakeLark::CHAT),
        // The rest of the request may differ.
        (1, &other, FakeLark::EMAIL),
    ] {
        assert_eq!(send(&mut fake, after, key, to, "u"), first, "{after} {to}");
    }
    // The uuid of a message is known to replies too.
    assert_eq!(reply(&mut fake, &key, &first.message_id, "u", true), first);
    assert_eq!(fake.messages().count(), 1);
}

#[test]
fn a_uuid_sends_another_message_after_an_hour() {
    let (mut fake, [key, _]) = with_images();
    let first = send(&mut fake, 0, &key, FakeLark::CHAT, "u");
    let second = send(&mut fake, 3599, &key, FakeLark::CHAT, "v");
    let late = send(&mut fake, 3600, &key, FakeLark::CHAT, "u");
    let ids = [&first, &second, &late].map(|sent| sent.message_id.as_str());
    assert!(fake.messages().map(|message| message.message_id.as_str()).eq(ids));
}

#[test]
fn a_request_with_a_used_uuid_gets_the_reply_of_the_latest_message_with_it() {
    let (mut fake, [key, _]) = with_images();
    send(&mut fake, 0, &key, FakeLark::CHAT, "u");
    let late = send(&mut fake, 3600, &key, FakeLark::CHAT, "u");
    // This holds for a clock that goes back as well.
    for after in [0, 3600, 7199] {
        assert_eq!(send(&mut fake, after, &key, FakeLark::CHAT, "u"), late, "{after}");
    }
}

#[test]
fn each_request_without_a_uuid_is_a_message() {
    let (mut fake, [key, _]) = with_images();
    let content = format!(r#"{{"image_key":"{key}"}}"#);
    let mut body = json!({"receive_id": FakeLark::CHAT, "msg_type": "image", "content": content});
    for (count, uuid) in [Value::Null, Value::Null, "".into(), "".into()].into_iter().enumerate() {
        body["uuid"] = uuid;
        let path = format!("{PATH}?receive_id_type=chat_id");
        let response = fake.handle(now(), post(&path, JSON, body.to_string()));
        assert_eq!(verdict(&response), (200, Some(0)));
        assert_eq!(fake.messages().count(), count + 1);
        assert!(fake.messages().all(|message| message.uuid.is_none()));
    }
}

#[test]
fn a_reply_is_in_the_chat_of_its_message() {
    let (mut fake, [key, _]) = with_images();
    let root = send(&mut fake, 0, &key, FakeLark::CHAT, "root").message_id;
    let plain = reply(&mut fake, &key, &root, "plain", false);
    assert_eq!(plain.chat_id.as_deref(), Some(FakeLark::CHAT));
    assert_eq!((plain.root_id.as_ref(), plain.parent_id.as_ref()), (Some(&root), Some(&root)));
    assert_eq!(plain.thread_id, None);
}

#[test]
fn a_reply_to_a_reply_has_the_first_message_as_its_root() {
    let (mut fake, [key, _]) = with_images();
    let root = send(&mut fake, 0, &key, FakeLark::CHAT, "root").message_id;
    let plain = reply(&mut fake, &key, &root, "plain", false);
    let nested = reply(&mut fake, &key, &plain.message_id, "nested", false);
    assert_eq!((nested.root_id.as_ref(), nested.parent_id), (Some(&root), Some(plain.message_id)));
}

#[test]
fn a_reply_is_in_the_thread_of_its_message() {
    let (mut fake, [key, _]) = with_images();
    let root = send(&mut fake, 0, &key, FakeLark::CHAT, "root").message_id;
    let begins = reply(&mut fake, &key, &root, "begins", true);
    assert!(begins.thread_id.as_ref().unwrap().starts_with("omt_"), "{begins:?}");
    for (to, thread) in [(&root, false), (&root, true), (&begins.message_id, false)] {
        let sent = reply(&mut fake, &key, to, &format!("{to} {thread}"), thread);
        assert_eq!(sent.thread_id, begins.thread_id, "{to} {thread}");
        assert_eq!((sent.root_id.as_ref(), sent.parent_id.as_ref()), (Some(&root), Some(&root)));
        let stored = fake.messages().last().unwrap();
        assert_eq!(stored.reply_to.as_deref(), Some(to.as_str()));
        assert_eq!((stored.receive_id.as_ref(), &stored.thread_id), (None, &begins.thread_id));
    }
}

#[test]
fn a_reply_is_refused_with_the_code_of_its_mistake() {
    let (mut fake, [key, avatar]) = with_images();
    let root = send(&mut fake, 0, &key, FakeLark::CHAT, "root").message_id;
    let content = |key: &str| json!({"image_key": key}).to_string();
    let good = json!({"msg_type": "image", "content": content(&key)});
    for (to, name, value, code) in [
        (root.as_str(), "x", Value::Null, 0),
        ("om_other", "x", Value::Null, 231003),
        ("oc_a", "x", Value::Null, 99992354),
        (root.as_str(), "content", content(&avatar).into(), 230017),
        (root.as_str(), "content", "".into(), 230001),
        (root.as_str(), "msg_type", Value::Null, 99992402),
        (root.as_str(), "reply_in_thread", "true".into(), 99992402),
        (root.as_str(), "uuid", "u".repeat(51).into(), 99992402),
    ] {
        let mut body = good.clone();
        body[name] = value;
        let response =
            fake.handle(now(), post(&format!("{PATH}/{to}/reply"), JSON, body.to_string()));
        let status = if code == 0 { 200 } else { 400 };
        assert_eq!(verdict(&response), (status, Some(code)), "{to} {body}");
    }
    assert_eq!(fake.messages().count(), 2);
}
