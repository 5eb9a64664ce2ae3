//! The limits of what the fake keeps.

use std::collections::HashSet;

use super::*;

/// Sends `count` cell writes that differ in their bodies, and are refused.
fn write(fake: &mut FakeLark, count: usize) {
    for number in 0..count {
        fake.handle(now(), post(CELL_PATH, JSON, number.to_string()));
    }
}

#[test]
fn the_latest_requests_are_listed_and_all_are_counted() {
    let max = FakeLark::MAX_RECORDS;
    for (setting, max) in [(None, max), (Some(0), 0), (Some(1), 1), (Some(5), 5)] {
        for count in [max.saturating_sub(1), max, max + 1, 2 * max, 2 * max + 1] {
            let mut fake = fake();
            setting.into_iter().for_each(|max| fake.set_max_records(max));
            write(&mut fake, count);
            let kept = count.min(max);
            let numbers = fake.requests().iter().map(|seen| seen.number);
            assert!(numbers.eq(count - kept + 1..=count), "{count} of {max}");
            assert_eq!(fake.count(Route::ValuesImage), count);
        }
    }
}

#[test]
fn the_attempts_of_a_request_are_counted_while_one_of_them_is_listed() {
    let mut fake = fake();
    fake.set_max_records(2);
    let attempts = ["a", "b", "a", "b", "b", "b", "a"].map(|body| {
        fake.handle(now(), post(CELL_PATH, JSON, body));
        fake.requests().last().unwrap().attempt
    });
    assert_eq!(attempts, [1, 1, 2, 2, 3, 4, 1]);
}

#[test]
fn the_log_ids_of_requests_that_are_no_longer_listed_do_not_come_again() {
    let mut fake = fake();
    fake.set_max_records(1);
    let log_ids: HashSet<_> = (0..9)
        .map(|_| {
            write(&mut fake, 1);
            fake.requests()[0].log_id.clone()
        })
        .collect();
    assert_eq!(log_ids.len(), 9);
}

/// The keys of `count` uploaded images.
fn uploads(fake: &mut FakeLark, count: usize) -> Vec<String> {
    let upload = |at: usize| {
        let path = [V4_PATH, IM_PATH][at % 2];
        let reply = fake.handle(now(), post(path, FORM, good_form()));
        at_key(&reply)
    };
    (0..count).map(upload).collect()
}

fn at_key(reply: &Response<Bytes>) -> String {
    at(reply, "/data/image_key").as_str().unwrap().to_owned()
}

#[test]
fn the_latest_images_are_kept() {
    for (count, dropped) in [(2, 0), (3, 0), (4, 1), (9, 6)] {
        let mut fake = fake();
        fake.set_max_records(3);
        let keys = uploads(&mut fake, count);
        let kept: Vec<bool> = keys.iter().map(|key| fake.image(key).is_some()).collect();
        assert_eq!(kept, [vec![false; dropped], vec![true; count - dropped]].concat());
        // A smaller limit applies at once.
        fake.set_max_records(1);
        assert!(fake.images().map(|(key, _)| key).eq(keys.last()));
        assert_eq!(fake.take_images().len(), 1);
        uploads(&mut fake, 2);
        assert_eq!(fake.images().count(), 1);
    }
}

#[test]
fn the_latest_messages_are_kept_with_their_uuids() {
    let path = "/open-apis/im/v1/messages";
    for (count, dropped) in [(2, 0), (3, 0), (4, 1), (9, 6)] {
        let mut fake = fake();
        fake.set_max_records(3);
        let key = fake.add_image(ImageKind::Message, "12");
        let body = |uuid: usize| {
            let content = json!({"image_key": key}).to_string();
            let chat = FakeLark::CHAT;
            json!({"receive_id": chat, "msg_type": "image", "content": content, "uuid": uuid.to_string()})
        };
        let mut send = |path: &str, uuid: usize| {
            let reply = fake.handle(now(), post(path, JSON, body(uuid).to_string()));
            let id = at(&reply, "/data/message_id");
            (id.as_str().map(str::to_owned), verdict(&reply).1)
        };
        let to_chat = format!("{path}?receive_id_type=chat_id");
        let ids: Vec<_> = (0..count).map(|uuid| send(&to_chat, uuid).0.unwrap()).collect();
        // The uuid of a message that is kept is known, and that of the last message that was dropped is not.
        assert_eq!(send(&to_chat, dropped).0.as_ref(), ids.get(dropped));
        let answered = ids.iter().map(|id| send(&format!("{path}/{id}/reply"), 0).1);
        let answered: Vec<_> = answered.take(dropped).collect();
        assert_eq!(answered, vec![Some(231003); dropped]);
        if let Some(last) = dropped.checked_sub(1) {
            assert!(!ids.contains(&send(&to_chat, last).0.unwrap()));
        }
        assert_eq!(fake.messages().count(), count.min(3));
        fake.set_max_records(1);
        assert_eq!(fake.messages().count(), 1);
    }
}

#[test]
fn the_latest_issued_tokens_are_valid() {
    for (count, dropped) in [(2, 0), (3, 0), (4, 1), (9, 6)] {
        let mut fake = fake();
        fake.set_max_records(3);
        // A token of less than half an hour is not given out twice.
        fake.expire_in(Duration::from_secs(60));
        let app = json!({"app_id": FakeLark::APP_ID, "app_secret": FakeLark::APP_SECRET});
        let granted = (0..count).map(|_| {
            let reply = fake.handle(now(), post(TOKEN_PATH, JSON, app.to_string()));
            at(&reply, "/tenant_access_token").as_str().unwrap().to_owned()
        });
        let granted: Vec<_> = granted.collect();
        let codes = |fake: &mut FakeLark| -> Vec<_> {
            let codes = granted.iter().map(|token| {
                let request = with_token(post(CELL_PATH, JSON, CELL), Some(token));
                verdict(&fake.handle(now(), request)).1
            });
            codes.collect()
        };
        let refused = vec![Some(99991663); count];
        let expected = [&refused[..dropped], &vec![Some(0); count - dropped]].concat();
        assert_eq!(codes(&mut fake), expected);
        fake.set_max_records(0);
        assert_eq!(codes(&mut fake), refused);
        // A test's own tokens are not dropped.
        assert_eq!(verdict(&fake.handle(now(), post(CELL_PATH, JSON, CELL))).1, Some(0));
    }
}

#[test]
fn a_fake_keeps_10_000_of_each_kind_by_default() {
    let mut fake = fake();
    for added in 1..=FakeLark::MAX_RECORDS + 1 {
        fake.add_image(ImageKind::Message, "12");
        if added >= 9_999 {
            assert_eq!(fake.images().count(), added.min(10_000));
        }
    }
}
