//! Requests to the fake.

use std::time::{Duration, UNIX_EPOCH};

use lark_proto::endpoints::{GetImage, GetTenantToken, SendImage};
use lark_proto::fake::http1::Requests;
use lark_proto::fake::{FakeLark, TokenKind};
use lark_proto::{PutImage, WriteSheetImage};

use crate::reply::{decode, download, spreadsheets};

/// Any requests to the fake, one after the other: it never panics, gives the same replies again, and none of
/// its replies makes a decoder panic.
///
/// The input is requests as HTTP/1.1 writes them, up to the first that [`Requests`] refuses.
pub fn fake(data: &[u8]) {
    let mut fakes = [FakeLark::new(), FakeLark::new()];
    for fake in &mut fakes {
        fake.add_token(TokenKind::Tenant, "t-1", UNIX_EPOCH + Duration::from_secs(9));
    }
    let mut requests = Requests::new();
    requests.push(data);
    // The limit on parts of a request keeps an input of separators alone from taking a second.
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
