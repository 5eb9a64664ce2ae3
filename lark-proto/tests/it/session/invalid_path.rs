//! A call whose request has no valid path.

use http::Method;
use lark_proto::endpoints::Raw;
use lark_proto::error::{CallErrorKind, InvalidKind, Outcome};
use lark_proto::session::Call;
use serde::de::IgnoredAny;

use crate::fixtures::custom;
use crate::sim::{Cut, Sim};

#[test]
fn a_call_without_a_valid_path_ends_before_anything_is_sent() {
    let route = "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values/:range";
    let raw = || Raw::<IgnoredAny>::new(Method::PUT, route).with_serial_key("shtcn");
    for (raw, reason) in [
        (raw().segment("").segment("a!A1"), "`:spreadsheetToken` is empty"),
        (raw().segment("..").segment("a!A1"), "`:spreadsheetToken` is `..`"),
        (raw().segment("shtcn"), "`:range` has no value"),
    ] {
        // The session has no token and fetches none.
        let mut sim = Sim::by_hand(custom());
        let mut call: Call<IgnoredAny, Cut> = Call::new(&raw);
        let error = sim.ends(&mut call);
        let CallErrorKind::Invalid(invalid) = &error.kind else { panic!("{error}") };
        assert_eq!(invalid.kind(), InvalidKind::BadPath);
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert_eq!(error.to_string(), format!("{route}: the request has no valid path: {reason}"));
    }
}
