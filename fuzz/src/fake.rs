//! Requests to the fake.

use std::time::{Duration, UNIX_EPOCH};

use lark_proto::endpoints::{GetImage, GetTenantToken, SendImage};
use lark_proto::fake::http1::Requests;
use lark_proto::fake::{FakeLark, TokenKind};
use lark_proto::{PutImage, WriteSheetImage};

use crate::reply::{decode, download, spreadsheets};

/// Sends any requests to the fake, one after the other. The fake never panics, a second fake gives the same replies,
/// and no reply makes a decoder panic.
///
/// The input is requests as HTTP/1.1 writes them, up to the first one that [`Requests`] refuses.
pub fn fake(data: &[u8]) {
    let mut fakes = [FakeLark::new(), FakeLark::new()];
    for fake in &mut fakes {
        fake.add_token(TokenKind::Tenant, "t-1", UNIX_EPOCH + Duration::from_secs(9));
    }
    let mut requests = Requests::new();
    requests.push(data);
    // The fake limits the parts of a form, so that an input of separators alone does not take a second.
    for second in 0..20 {
        let Ok(Some(request)) = requests.request() else { return };
        let now = UNIX_EPOCH + Duration::from_secs(second);
        let [one, other] = fakes.each_mut().map(|fake| fake.handle(now, request.clone()));
        assert_eq!((one.status(), one.headers()), (other.status(), other.headers()));
        assert_eq!(one.body(), other.body());
        decode::<PutImage>(&one);
        decode::<WriteSheetImage>(&one);
        decode::<SendImage>(&one);
        decode::<GetTenantToken>(&one);
        download::<GetImage>(&one);
        spreadsheets(&one);
    }
}
