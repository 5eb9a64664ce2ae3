//! A message is idempotent because of its uuid, so exactly one message is sent even if replies are lost.

use super::builder::refused;
use super::calls::{add_image, send};
use super::faults::code;
use super::limits::BACKOFF;
use crate::error::Invalid;
use crate::fake::failures::ConnectionFault;
use crate::fake::route::Route::{Messages as Message, TenantAccessToken as Token};
use crate::fake::scenarios::scenario::Scenario;

pub(super) fn all() -> Result<Vec<Scenario>, Invalid> {
    let twice = [(Token, 1), (Message, 2)];
    Ok(vec![
        send("a message is sent with one request")?
            .prepared(add_image)
            .requests(&[(Token, 1), (Message, 1)]),
        send("a message is sent again with its uuid if the connection is reset after its body")?
            .prepared(|lark| {
                add_image(lark);
                lark.fail_next_on(Message, ConnectionFault::AfterBody);
            })
            .requests(&twice)
            .lasts(BACKOFF),
        send("a message whose reply is cut short is sent again with its uuid")?
            .prepared(|lark| {
                add_image(lark);
                lark.fail_next_on(Message, ConnectionFault::CutReply);
            })
            .requests(&twice)
            .lasts(BACKOFF),
        send("a message that the service is still sending is sent again with its uuid")?
            .prepared(|lark| {
                add_image(lark);
                lark.fail_next_on(Message, code(400, 230049));
            })
            .requests(&twice)
            .lasts(BACKOFF),
        send("a message to a group without the bot is refused")?
            .prepared(|lark| {
                add_image(lark);
                lark.fail_next_on(Message, code(400, 230002));
            })
            .requests(&[(Token, 1), (Message, 1)])
            .fails(refused(Message, 230002)),
        // No image was added to the fake, so the key is not one of the app's.
        send("a message with the key of another app's image is refused")?
            .requests(&[(Token, 1), (Message, 1)])
            .fails_for_good(refused(Message, 230017)),
    ])
}
