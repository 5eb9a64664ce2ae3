//! A token is fetched once, used until the service refuses it, and then fetched again.

use super::builder::refused;
use super::calls::{put, put_unsafe, write};
use super::faults::{code, fail};
use super::limits::{SECOND_BACKOFF, TWO};
use crate::error::Invalid;
use crate::fake::gateway::TokenKind;
use crate::fake::route::Route::{
    ImV1Images as Upload, ImageV4Put as Put, TenantAccessToken as Token, ValuesImage as Cell,
};
use crate::fake::scenarios::scenario::Scenario;
use crate::session::Limits;

pub(super) fn all() -> Result<Vec<Scenario>, Invalid> {
    Ok(vec![
        put("a call without a token fetches one")?.requests(&[(Token, 1), (Put, 1)]),
        put("the second call uses the token of the first")?
            .warm()
            .requests(&[(Token, 1), (Put, 2)]),
        write("the second cell write uses the token of the first")?
            .warm()
            .requests(&[(Token, 1), (Cell, 2)]),
        put_unsafe("an unsafe call is sent once")?.requests(&[(Token, 1), (Upload, 1)]),
        put("a revoked token is fetched again")?
            .warm()
            .prepared(|lark| lark.revoke_tokens(TokenKind::Tenant))
            .requests(&[(Token, 2), (Put, 3)]),
        put("a token refused with HTTP 200 is fetched again")?
            .prepared(|lark| lark.fail_next_on(Put, code(200, 99991663)))
            .requests(&[(Token, 2), (Put, 2)]),
        put("a token refused with HTTP 400 is fetched again")?
            .prepared(|lark| lark.fail_next_on(Put, code(400, 99991663)))
            .requests(&[(Token, 2), (Put, 2)]),
        write("a token refused with HTTP 401 is fetched again")?
            .prepared(|lark| lark.fail_next_on(Cell, code(401, 99991663)))
            .requests(&[(Token, 2), (Cell, 2)]),
        put("an upload is sent again after a backoff if its renewed token is refused")?
            .warm()
            .prepared(|lark| {
                lark.revoke_tokens(TokenKind::Tenant);
                fail(lark, Put, &[code(400, 99991663), code(400, 99991663)]);
            })
            .requests(&[(Token, 2), (Put, 4)])
            .lasts(SECOND_BACKOFF),
        // The token is still valid for the fake, so the second token request gets the same one.
        put("an upload is sent again after a backoff if the refused token is issued again")?
            .prepared(|lark| fail(lark, Put, &[code(200, 99991663), code(200, 99991663)]))
            .requests(&[(Token, 2), (Put, 3)])
            .lasts(SECOND_BACKOFF),
        put("a token refused at both of two attempts fails the call")?
            .with_limits(TWO)
            .prepared(|lark| fail(lark, Put, &[code(200, 99991663), code(200, 99991663)]))
            .requests(&[(Token, 2), (Put, 2)])
            .fails(refused(Put, 99991663)),
        put("a revoked token fails a call with one attempt")?
            .warm()
            .with_limits(Limits::one_attempt())
            .prepared(|lark| lark.revoke_tokens(TokenKind::Tenant))
            .requests(&[(Token, 1), (Put, 2)])
            .fails(refused(Put, 99991663)),
    ])
}
