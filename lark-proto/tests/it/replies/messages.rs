//! The replies of the endpoints that send a message.

use std::time::UNIX_EPOCH;

use lark_proto::error::Outcome;
use lark_proto::{EndpointExt, ReplyImage, SendImage};

use super::{check, data, unreadable};

/// The `data` of a message => its id, its chat, the milliseconds of its time, its parent and its thread.
const MESSAGES: &str = r#"
{"message_id":"om_1"} => om_1 - - - -
{"message_id":"om_1","chat_id":"oc_1","create_time":"1615380573411","parent_id":"om_0","thread_id":"omt_1"} => om_1 oc_1 1615380573411 om_0 omt_1
{"message_id":"om_1","chat_id":null,"create_time":null,"parent_id":null,"thread_id":null,"mentions":null} => om_1 - - - -
{"message_id":"om_1","chat_id":"","create_time":"","parent_id":"","root_id":"","thread_id":""} => om_1 - - - -
{"message_id":"om_1","chat_id":7,"create_time":1615380573411,"parent_id":7,"thread_id":{}} => om_1 - - - -
{"message_id":"om_1","chat_id":"a\u001bb\u202ec","create_time":"-1","parent_id":"oc_1"} => om_1 a b c - - -
{"message_id":"om_1","create_time":"18446744073709551615"} => om_1 - 18446744073709551615 - -
{"message_id":"om_1","create_time":"18446744073709551616"} => om_1 - - - -
{"message_id":"om_1","create_time":"1e3"} => om_1 - - - -
{"message_id":"om_1","create_time":"+1615380573411"} => om_1 - - - -
{"message_id":"om_1","body":{"content":[[]]},"sender":7,"deleted":"?"} => om_1 - - - -
{} => unreadable
{"message_id":""} => unreadable
{"message_id":null} => unreadable
{"message_id":7} => unreadable
{"message_id":"oc_1"} => unreadable
{"message_id":"om_"} => unreadable
{"message_id":"om_1\r\n"} => unreadable
{"messageId":"om_1"} => unreadable
{"message_id":"om_1","message_id":"om_2"} => unreadable
"#;

#[test]
fn a_message_is_sent_if_the_reply_has_its_id() {
    check(MESSAGES, |fields| {
        let [send, answer] =
            [SendImage::decode, ReplyImage::decode].map(|decode| decode(data(fields)));
        assert_eq!(send.as_ref().ok(), answer.as_ref().ok());
        let sent = match send {
            Ok(sent) => sent,
            Err(error) => {
                unreadable(&error);
                assert_eq!(error.outcome(), Outcome::Unknown);
                return "unreadable".to_owned();
            }
        };
        let or = |text: Option<String>| text.unwrap_or("-".into());
        let time = sent.create_time.map(|time| time.duration_since(UNIX_EPOCH).unwrap());
        let time = time.map(|time| time.as_millis().to_string());
        let parent = sent.parent_id.map(|id| id.to_string());
        let [chat, time, parent, thread] = [sent.chat_id, time, parent, sent.thread_id].map(or);
        format!("{} {chat} {time} {parent} {thread}", sent.message_id)
    });
}
